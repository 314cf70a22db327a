#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "quarantine_fixture.hpp"

namespace dupwatch::cli::quarantine_command_test {
namespace {

using namespace quarantine_fixture;

TEST_F(Quarantine, ApplySaysWhatBecameOfTheRow) {
  struct Case {
    Words words;
    int code;
    std::string out;
    std::string err = {};
  };
  const auto event = id_of(6);
  const std::vector<Case> cases = {
      {apply(), 0, "removed " + event + "; entry 17\n"},
      {apply({"--json"}), 0,
       R"({"action":"apply","result":"done","id":17,"event_id":")" + event +
           "\",\"reason\":null,\"why\":null}\n"},
      {apply({"--dry-run"}), 0, "would remove " + event + "\n"},
      {apply({"--neutralise", "noop"}), 1, "refused (not_slot_numbered): " + event + ": "},
      {{"quarantine", "apply", "wrun_a", "00000000deadbeef", "--yes"},
       2,
       "",
       "error: the run has no such finding; remedy: take run and finding_id from dupwatch explain\n"},
      {{"quarantine", "apply", "wrun_a", finding_},
       2,
       "",
       "error: this changes the event log and there is no terminal to ask; remedy: add --yes\n"},
      {{"quarantine", "apply"}, 2, "", "error: which rows? remedy: name FINDING, or --from-audit FILE\n"},
      {{"quarantine", "apply", "no-id"}, 2, "", "error: no-id is no finding id"},
      {{"quarantine", "apply", "00000000deadbeef"},
       2,
       "",
       "error: the run of finding 00000000deadbeef is not known"},
  };
  for (const auto& each : cases) {
    const auto ran = program_.with_config(each.words);
    EXPECT_EQ(ran.code, each.code) << ran.err;
    EXPECT_TRUE(ran.out.starts_with(each.out) && ran.out.empty() == each.out.empty()) << ran.out;
    EXPECT_TRUE(ran.err.starts_with(each.err)) << ran.err;
  }
}

TEST_F(Quarantine, ARunningDaemonIsAskedToLookAfterAnActAndOnlyThen) {
  (void)program_.with_config(apply({"--dry-run"}));
  EXPECT_TRUE(server_.asked("pg_logical_emit_message").empty());
  (void)program_.with_config(apply());
  ASSERT_EQ(server_.asked("pg_logical_emit_message").size(), 1U);
  EXPECT_TRUE(server_.asked("pg_logical_emit_message")[0].params[0]->ends_with("wrun_a"));
  server_.answers("pg_logical_emit_message", answering::failure("25006", "a standby"));
  EXPECT_EQ(program_.with_config(apply()).code, 0) << "the daemon will see it all the same";
}

TEST_F(Quarantine, OnlyTheEnginesOwnTableLosesRows) {
  program_.configure(
      "profile: generic\ntable:\n  name: public.events\n  run_column: run\n  id_column: id\n  type_column: "
      "type\n  "
      "identity_columns: [a]\n");
  const auto ran = program_.with_config(apply());
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("only rows of the profile workflow-devkit are ever removed"), std::string::npos)
      << ran.err;
  EXPECT_TRUE(server_.asked().empty());
}

TEST_F(Quarantine, AMissingRightNamesWhoHasIt) {
  struct Case {
    Words words;
    std::string part;
    std::string remedy;
  };
  const std::vector<Case> cases = {
      {apply(), kWrites, "setup --print-sql --quarantine"},
      {{"quarantine", "restore", "17", "--yes"},
       "jsonb_object_keys",
       "restore with --dsn as a role that may write the log"},
      {{"quarantine", "resume", "--yes"},
       "UPDATE dupwatch.quarantine_circuit",
       "owner of dupwatch.quarantine_circuit"},
      {{"quarantine", "list"}, kLists, "setup --print-sql --quarantine"},
      {{"quarantine", "show", "17"}, "jsonb_pretty", "setup --print-sql --quarantine"},
      {{"quarantine", "status"}, "LEFT JOIN dupwatch.quarantine_circuit", "setup --print-sql --quarantine"},
      {{"quarantine", "purge", "--older-than", "30d", "--yes"},
       "m.moment",
       "DELETE from dupwatch.quarantine"},
  };
  for (const auto& each : cases) {
    server_.answers(each.part, answering::failure("42501", "permission denied"));
    const auto ran = program_.with_config(each.words);
    EXPECT_EQ(ran.code, 3) << each.words[1] << ran.err;
    EXPECT_TRUE(says(ran.err, {"error: permission denied", "remedy: ", each.remedy})) << each.words[1];
    EXPECT_EQ(ran.out, "") << each.words[1];
  }
}

TEST_F(Quarantine, AServerThatIsGoneIsATemporaryFailure) {
  for (const Words& words :
       {apply(), {"quarantine", "list"}, {"quarantine", "purge", "--older-than", "1h", "--yes"}}) {
    Server server;
    server.refuses("connection refused");
    const auto ran = program_.with_config(words);
    EXPECT_EQ(ran.code, 4) << words[1];
    EXPECT_TRUE(ran.err.starts_with("error: connection refused")) << ran.err;
  }
}

TEST_F(Quarantine, ListsOnALineOfItsOwnWhateverTheRowHolds) {
  server_.answers(kLists, answering::rows({{R"({"id": 2})", "2", "2026-11-24 05:21:38+00",
                                            "duplicate_created", "wrun_a\nx", "wevt_1", "", "removed", "2"},
                                           {R"({"id": 1})", "1", "2026-11-23 05:21:38+00", "second_terminal",
                                            "wrun_b", "wevt_2", "2026-11-25 00:00:00+00", "removed", "2"}}));
  const auto text = program_.with_config({"quarantine", "list", "--run", "wrun_a", "--limit", "2"});
  EXPECT_EQ(text.out,
            "     2  2026-11-24 05:21:38+00  duplicate_created  run wrun_a; x  wevt_1  removed\n"
            "     1  2026-11-23 05:21:38+00  second_terminal  run wrun_b  wevt_2  restored 2026-11-25 "
            "00:00:00+00\n");
  EXPECT_EQ(server_.asked(kLists)[0].params, (answering::Row{"2", "wrun_a"}));
  const auto json = program_.with_config({"quarantine", "list", "--json"});
  EXPECT_EQ(json.out, "{\"matched\":2,\"entries\":[\n{\"id\": 2},\n{\"id\": 1}]}\n");
  EXPECT_EQ(server_.asked(kLists)[1].params, (answering::Row{"100", std::nullopt}));
  server_.answers(kLists, answering::rows({}));
  EXPECT_EQ(program_.with_config({"quarantine", "list"}).out, "nothing was taken out of the log\n");
  EXPECT_EQ(program_.with_config({"quarantine", "list", "--json"}).out, "{\"matched\":0,\"entries\":[]}\n");
}

TEST_F(Quarantine, ShowsAnEntryAndSaysWhereThereIsNone) {
  server_.answers("jsonb_pretty", answering::rows({{"{\"id\": 17}", "{\n    \"id\": 17\n}"}}));
  EXPECT_EQ(program_.with_config({"quarantine", "show", "17"}).out, "{\n    \"id\": 17\n}\n");
  EXPECT_EQ(program_.with_config({"quarantine", "show", "17", "--json"}).out, "{\"id\": 17}\n");
  server_.answers("jsonb_pretty", answering::rows({}));
  const auto asked = server_.asked().size();
  for (const auto* entry : {"18", "1234567890123456789"}) {
    const auto ran = program_.with_config({"quarantine", "show", entry});
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.err, "error: there is no such entry; remedy: see dupwatch quarantine list\n");
  }
  EXPECT_EQ(server_.asked().size(), asked + 1) << "a number that no entry can have is not asked for";
}

TEST_F(Quarantine, RestoreSaysWhatBecameOfTheEntry) {
  server_
      .answers("jsonb_object_keys", answering::rows({{"id", table_, "wrun_a", "wevt_6", "false", "removed"}}))
      .answers("back AS (", answering::value("t"));
  EXPECT_EQ(program_.with_config({"quarantine", "restore", "17", "--yes"}).out,
            "restored wevt_6; entry 17\n");
  server_.answers("back AS (", answering::value("f"));
  const auto refused = program_.with_config({"quarantine", "restore", "17", "--yes", "--json"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(says(
      refused.out,
      {R"({"action":"restore","result":"refused","id":null,"event_id":"wevt_6","reason":"not_identical","why":")"}));
  server_.answers("jsonb_object_keys",
                  answering::rows({{"id", table_, "wrun_a", "wevt_6", "true", "removed"}}));
  EXPECT_EQ(program_.with_config({"quarantine", "restore", "17", "--yes"}).out,
            "restored wevt_6 before; entry 17\n");
  EXPECT_EQ(program_.with_config({"quarantine", "restore", "17"}).code, 2) << "nobody was asked";
}

TEST_F(Quarantine, TheCircuitIsShownAndClosed) {
  const auto part = "LEFT JOIN dupwatch.quarantine_circuit";
  server_.answers(part,
                  answering::rows({{std::nullopt, std::nullopt, std::nullopt, std::nullopt, "1", "5"}}));
  const auto closed = program_.with_config({"quarantine", "status"});
  EXPECT_EQ(closed.code, 0);
  EXPECT_EQ(
      closed.out,
      table_ +
          ": rows the daemon took out: 1 in the last minute, 5 in the last hour\nthe circuit is closed\n");
  server_.answers(part,
                  answering::rows({{"2026-11-24", "max_per_hour", "more \"acts\"", "dupwatch", "1", "200"}}));
  const auto open = program_.with_config({"quarantine", "status"});
  EXPECT_EQ(open.code, 1);
  EXPECT_TRUE(says(open.out, {"the circuit is open since 2026-11-24 (max_per_hour): more \"acts\"; remedy: "
                              "dupwatch quarantine resume\n"}));
  EXPECT_TRUE(says(
      program_.with_config({"quarantine", "status", "--json"}).out,
      {R"("circuit":"open","opened_at":"2026-11-24","reason":"max_per_hour","detail":"more \"acts\"","opened_by":"dupwatch","acts_within_minute":1,"acts_within_hour":200})"}));
  const auto update = "UPDATE dupwatch.quarantine_circuit";
  server_.answers(update, answering::rows({{"2026-11-24", "max_per_hour", "more"}}));
  EXPECT_EQ(program_.with_config({"quarantine", "resume", "--yes"}).out,
            "the circuit, open since 2026-11-24 (max_per_hour), is closed: rows are taken out again\n");
  server_.answers(update, answering::rows({}));
  EXPECT_EQ(program_.with_config({"quarantine", "resume", "--yes"}).out, "the circuit was closed\n");
  EXPECT_EQ(program_.with_config({"quarantine", "resume", "--yes", "--json"}).out,
            "{\"action\":\"resume\",\"result\":\"already_done\"}\n");
  EXPECT_EQ(server_.transactions(), (Words{"BEGIN", "COMMIT", "BEGIN", "COMMIT", "BEGIN", "COMMIT"}));
}

TEST_F(Quarantine, PurgeDeletesInPiecesWhatIsOldAndNothingWithoutTheRight) {
  const auto aged = [&](const std::string& entries, const std::string& copies, const std::string& may) {
    server_.answers("m.moment", answering::rows({{entries, copies, "2026-10-25 00:00:00+00", may}}));
  };
  std::size_t left = 2100;
  server_.answers(kPurges, [&](const Statement& statement) {
    const auto most = std::stoul(statement.params[2].value());
    const auto gone = std::min(most, left);
    left -= gone;
    return answering::rows(std::vector<answering::Row>(gone, {"1"}));
  });
  const Words purge{"quarantine", "purge", "--older-than", "30d"};
  aged("2100", "1", "t");
  EXPECT_EQ(program_.with_config({"quarantine", "purge", "--older-than", "30d", "--dry-run"}).out,
            "would delete 2100 entries made before 2026-10-25 00:00:00+00. 1 of them was never restored and "
            "hold the only copy of a row.\n");
  EXPECT_EQ(left, 2100U);
  EXPECT_EQ(program_.with_config(purge).code, 2) << "nobody was asked";
  EXPECT_EQ(program_.with_config({"quarantine", "purge", "--older-than", "30d", "--yes"}).out,
            "deleted 2100 of 2100 entries made before 2026-10-25 00:00:00+00\n");
  EXPECT_EQ(left, 0U);
  EXPECT_EQ(server_.asked(kPurges).size(), 3U);
  EXPECT_EQ(server_.asked("m.moment")[0].params[1], "2592000000");
  EXPECT_EQ(
      program_.with_config({"quarantine", "purge", "--older-than", "30d", "--yes", "--json"}).out,
      R"({"action":"purge","result":"stopped","made_before":"2026-10-25 00:00:00+00","entries":2100,"never_restored":1,"deleted":0})"
      "\n");
  aged("2100", "0", "f");
  const auto refused = program_.with_config({"quarantine", "purge", "--older-than", "30d", "--yes"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_TRUE(says(refused.err, {"permission denied for table dupwatch.quarantine", "purge with --dsn"}));
  for (const auto* age : {"", "0h", "30", "1w", "-1d", "h"}) {
    const auto ran = program_.with_config({"quarantine", "purge", "--older-than", age});
    EXPECT_EQ(ran.code, 2) << age;
  }
}

}  // namespace
}  // namespace dupwatch::cli::quarantine_command_test
