#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quarantine_fixture.hpp"

namespace dupwatch::cli::quarantine_from_audit_test {
namespace {

using namespace quarantine_fixture;

/// quarantine apply --from-audit.
class FromAudit : public Quarantine {
 protected:
  /// The file as `audit --format json` writes it.
  void audit(const std::string& more = {}) {
    const auto ran = program_.with_config({"explain", "wrun_a", "--json"});
    const auto at = ran.out.find("\"findings\":[") + 12;
    const auto finding = ran.out.substr(at, ran.out.find("],\"repeated_work\"") - at);
    ASSERT_NE(finding.find(finding_), std::string::npos) << ran.out;
    put(program_.path("audit.json"), finding + "\n" + more);
  }
  Ran apply_file(Words more = {}) {
    Words words{"quarantine", "apply", "--from-audit", program_.path("audit.json"), "--yes", "--rate", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return program_.with_config(words);
  }
};

TEST_F(FromAudit, EachRowIsAnActOfItsOwnAndCounted) {
  audit("{\"event\":\"audit\",\"complete\":true}\n\n");
  const auto ran = apply_file();
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "run wrun_a: " + id_of(6) +
                " removed; entry 17\n1 removed, 0 already removed, 0 no longer in the log, 0 refused\n");
  const auto dry = apply_file({"--dry-run", "--json"});
  EXPECT_TRUE(says(
      dry.out,
      {R"("event":"act","action":"apply","result":"dry_run","run_id":"wrun_a","finding_id":")" + finding_,
       R"({"event":"apply_summary","rows":1,"done":0,"already_done":0,"dry_run":1,"gone":0,"refused":0,"by_reason":[],"not_reached":0})"}));
}

TEST_F(FromAudit, WhereTheFindingIsGoneTheRowIsLookedFor) {
  audit();
  auto log = late_copy();
  log.erase(log.begin() + 5);
  server_.answers(kReadsRun, answering::rows(table::served::run_rows("wrun_a", log)));
  struct Case {
    answering::Row found;
    std::string line;
    int code;
  };
  for (const auto& each :
       std::vector<Case>{{{"9", "f"}, " was already removed (entry 9)\n0 removed, 1 already removed", 0},
                         {{std::nullopt, "t"}, " refused (no_finding): ", 1},
                         {{std::nullopt, "f"},
                          " is no longer in the log\n0 removed, 0 already removed, 1 no longer in the log",
                          0}}) {
    server_.answers(kWhereabouts, answering::rows({each.found}));
    const auto ran = apply_file();
    EXPECT_TRUE(says(ran.out, {"run wrun_a: " + id_of(6) + each.line}));
    EXPECT_EQ(ran.code, each.code) << ran.out;
  }
}

TEST_F(FromAudit, AFileThatIsNotOneChangesNothing) {
  audit();
  const auto good = content(program_.path("audit.json"));
  struct Case {
    std::string text;
    std::string part;
  };
  auto other_table = good;
  other_table.replace(other_table.find(table_), table_.size(), "public.other");
  for (const auto& each : std::vector<Case>{
           {"", ":1: found nothing, expected what dupwatch audit --format json writes"},
           {good + "not json\n", ":2: found \"not json\", expected one JSON object a line"},
           {good + "\n{\"event\":\"migration\"}\n", ":3: found a line of dupwatch audit --before-migration"},
           {other_table, ":1: found a finding about table \"public.other\""},
           {good + std::string((1U << 20U) + 1, 'x'), ":2: found a line longer than 1048576 bytes"}}) {
    put(program_.path("audit.json"), each.text);
    const auto ran = apply_file();
    EXPECT_EQ(ran.code, 2) << ran.out;
    EXPECT_TRUE(says(ran.err, {"error: ", each.part, "; nothing was changed\n"}));
  }
  EXPECT_TRUE(server_.asked(kWrites).empty());
  const auto none =
      program_.with_config({"quarantine", "apply", "--yes", "--from-audit", program_.path("none")});
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(says(none.err, {"can't be read: No such file or directory; nothing was changed"}));
}

TEST_F(FromAudit, ARowThatTheFileItselfSaysStaysIsNotTried) {
  audit();
  auto text = content(program_.path("audit.json"));
  const auto at = text.find("\"severity\":\"fatal\"");
  text.replace(at, 18, "\"severity\":\"harmless\"");
  put(program_.path("audit.json"), text);
  const auto ran = apply_file();
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "0 removed, 0 already removed, 0 no longer in the log, 1 refused (1 not_fatal)\n");
  EXPECT_TRUE(server_.asked(kWrites).empty());
}

TEST_F(FromAudit, AnErrorThatPassesIsTriedAgainAndOneThatDoesNotEndsIt) {
  audit();
  std::size_t tries = 0;
  server_.answers(kWrites, [&](const Statement&) {
    return ++tries == 1 ? answering::failure("55P03", "lock timeout") : answering::rows({{"17", "t"}});
  });
  EXPECT_EQ(apply_file().code, 0);
  EXPECT_EQ(tries, 2U);
  server_.answers(kWrites, answering::failure("42501", "permission denied"));
  const auto ran = apply_file();
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(says(ran.out, {"1 of 1 not reached: run it again on the same file"}));
}

TEST_F(FromAudit, StopsAtItsLimit) {
  audit();
  auto text = content(program_.path("audit.json"));
  put(program_.path("audit.json"), text + "{\"event\":\"audit\",\"complete\":false}\n");
  const auto ran = apply_file({"--limit", "1"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(says(ran.err, {"was cut short: audit again afterwards"}));
}

TEST_F(FromAudit, ForTheMigrationTheRowsInItsWayGo) {
  put(program_.path("audit.json"), R"({"event":"migration","run_id":"wrun_a","canonical_id":")" + id_of(3) +
                                       R"(","kept_id":")" + id_of(3) + R"(","deleted_ids":[")" + id_of(6) +
                                       "\"]}\n");
  const auto ran = apply_file({"--before-migration"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(says(ran.out, {"run wrun_a: " + id_of(6) + " removed; entry 17\n",
                             "look again before you migrate: dupwatch audit --before-migration\n"}));
}

}  // namespace
}  // namespace dupwatch::cli::quarantine_from_audit_test
