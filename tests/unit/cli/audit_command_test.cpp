#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "over_a_log.hpp"

namespace dupwatch::cli::audit_command_test {
namespace {

using namespace over_a_log;

/// The run of OverALog beside a sound one, for whoever reads all of the table.
class Audit : public OverALog {
 protected:
  Audit() {
    server_.answers("pg_relation_filenode", answering::rows({{std::nullopt, "16400"}}))
        .answers("OFFSET", answering::rows({}));
    serve_runs();
  }
  void serve_runs() {
    auto rows = table::served::run_rows("wrun_a", late_copy());
    auto sound = late_copy();
    sound.erase(sound.begin() + 5);
    for (auto& row : table::served::run_rows("wrun_b", sound)) rows.push_back(std::move(row));
    server_.answers("IS NOT NULL", answering::rows(std::move(rows)));
  }
};

TEST_F(Audit, CountsWhatItFoundInEachFormat) {
  const auto text = program_.with_config({"audit"});
  EXPECT_EQ(text.code, 1);
  EXPECT_TRUE(says(text.out, {"fatal     duplicate_created  run wrun_a  finding ",
                              "          step_created step_a, row " + id_of(6) + "\n",
                              "          canonical row " + id_of(3) + ", closed by " + id_of(5) + "\n",
                              "\n1 finding in 13 rows of 2 runs\n          1  fatal     duplicate_created\n",
                              "look at one: dupwatch explain --config "}));
  const auto json = program_.with_config({"audit", "--json"});
  EXPECT_TRUE(says(
      json.out,
      {R"({"event":"finding")",
       R"({"event":"audit","complete":true,"rows":13,"runs":2,"findings":1,"by_rule":[{"rule":"duplicate_created","severity":"fatal","findings":1}],"next_after":null})"
       "\n"}));
  const auto csv = program_.with_config({"audit", "--format", "csv"});
  EXPECT_TRUE(
      csv.out.starts_with("finding_id,severity,rule,state,engine,run_id,correlation_id,type,canonical_id,"
                          "duplicate_id,closing_id,after_close,flagged_at,reason\n"))
      << csv.out;
  EXPECT_TRUE(says(csv.out, {",fatal,duplicate_created,open,v4,wrun_a,step_a,step_created," + id_of(3) + "," +
                             id_of(6) + "," + id_of(5) + ",true,"}));
  EXPECT_EQ(std::ranges::count(csv.out, '\n'), 2);
}

TEST_F(Audit, OnlyTheSeveritiesThatWereAskedForCount) {
  const auto ran = program_.with_config({"audit", "--severity", "harmless,conflict"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "0 findings in 13 rows of 2 runs\n");
  EXPECT_EQ(program_.with_config({"audit", "--severity", "fatal"}).code, 1);
}

TEST_F(Audit, WhereItBeginsIsInTheQuestion) {
  (void)program_.with_config({"audit", "--after", "wrun_x"});
  EXPECT_EQ(server_.asked("OFFSET").back().params, (answering::Row{"wrun_x"}));
  (void)program_.with_config({"audit", "--since", "2026-11-24"});
  EXPECT_EQ(server_.asked("OFFSET").back().params.at(0)->substr(0, 5), "wrun_");
  EXPECT_EQ(server_.asked("OFFSET").back().params.at(0)->size(), 31U);
  (void)program_.with_config({"audit", "--after", "wrun_x", "--since", "2026-11-24"});
  EXPECT_EQ(server_.asked("OFFSET").back().params, (answering::Row{"wrun_x"}))
      << "a run that was named is meant";
  (void)program_.with_config({"audit"});
  EXPECT_TRUE(server_.asked("OFFSET").back().params.empty());
}

TEST_F(Audit, AMistakeIsSaidBeforeAnyServerIsAsked) {
  expect(program_, {{"audit", "--since", "yesterday"},
                    2,
                    "",
                    "--since: expected a UTC time like 2026-11-24T05:21 or an age like 12h or 7d\n"});
  expect(program_, {{"audit", "--severity", "fatal,deadly"},
                    2,
                    "",
                    "--severity: expected one or more of fatal, conflict, harmless, unknown, with commas\n"});
  EXPECT_EQ(program_.with_config({"audit", "--format", "xml"}).code, 2);
  EXPECT_EQ(program_.with_config({"audit", "--max-rate", "-1"}).code, 2);
  EXPECT_EQ(server_.sessions(), 0U);
}

TEST_F(Audit, WithoutTheIndexItIsRefusedWithTheStatementThatMakesIt) {
  server_.answers("SELECT true FROM", answering::rows({}));
  expect(program_, {{"audit"},
                    3,
                    "",
                    "error: no index of " + config_.profile.qualified_name() +
                        " leads with \"run_id\"; remedy: CREATE INDEX CONCURRENTLY ON "});
}

TEST_F(Audit, WhatWasReadBeforeAnErrorIsCountedAsIncomplete) {
  std::size_t pieces = 0;
  server_.answers("OFFSET", [&](const Statement&) {
    return ++pieces == 1 ? answering::value("wrun_b") : answering::failure("57014", "canceling statement");
  });
  const auto ran = program_.with_config({"audit", "--json"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(
      says(ran.out, {R"("complete":false,"rows":13,"runs":2,"findings":1,)", R"("next_after":"wrun_b"})"}));
  EXPECT_TRUE(says(ran.err, {"error: canceling statement"}));
}

TEST_F(Audit, ByPagesItFindsTheSame) {
  server_.answers("pg_relation_filenode", answering::rows({{"1", "16400 1 0"}}));
  std::vector<std::string> lines;
  std::vector<std::string> whole;
  for (std::size_t i = 0; i < late_copy().size(); ++i) {
    const auto [type, entity] = late_copy()[i];
    lines.push_back("wrun_a\t" + id_of(i + 1) + "\t" + type + "\t" + (entity.empty() ? "\\N" : entity) +
                    "\n");
    whole.push_back(lines.back().substr(0, lines.back().size() - 1) + "\t4711\t\\N\t\\N\n");
  }
  server_.answers("dupwatch.begin", answering::copied(lines))
      .answers("dupwatch.runs", answering::copied(whole))
      .answers("UNION ALL", answering::copied({"wrun_a\n"}));
  const auto ran = program_.with_config({"audit"});
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_TRUE(says(ran.out, {"fatal     duplicate_created  run wrun_a", "1 finding in 7 rows of 1 run\n"}));
  EXPECT_TRUE(server_.asked("OFFSET").empty());
}

/// audit --before-migration: run, id, type, entity, page and place of each row.
class MigrationAudit : public Audit {
 protected:
  void serve_rows(std::vector<answering::Row> rows) {
    server_.answers("ctid", answering::rows(std::move(rows))).answers("attr_set%", answering::rows({}));
  }
  void serve_copies() {
    // The later id lies before the earlier one: the migration keeps the wrong row.
    serve_rows({{"wrun_a", "wevt_1", "step_created", "step_a", "9", "1"},
                {"wrun_a", "wevt_3", "step_created", "step_a", "1", "1"}});
  }
};

TEST_F(MigrationAudit, SaysWhichRowsGoAndWhichStay) {
  serve_copies();
  const auto text = program_.with_config({"audit", "--before-migration"});
  EXPECT_EQ(text.code, 1) << text.err;
  EXPECT_TRUE(
      says(text.out, {"run wrun_a\n  step_created step_a\n  replay reads first    wevt_1\n  the migration "
                      "keeps   wevt_3  another row: the original is lost\n  and deletes           wevt_1\n",
                      "\n1 identity with more than one row; the migration would delete 1 row, keep a "
                      "non-canonical row in 1 case, and leave 0 fatal\n",
                      "the index can't be created now."}));
  const auto json = program_.with_config({"audit", "--before-migration", "--json"});
  EXPECT_TRUE(says(
      json.out,
      {R"({"event":"migration","run_id":"wrun_a","correlation_id":"step_a","type":"step_created","canonical_id":"wevt_1","kept_id":"wevt_3","differs":true,"left_fatal":false,"closing_id":null,"deleted_ids":["wevt_1"]})",
       R"("identities":1,"rows_deleted":1,"other_row_kept":1,"left_fatal":0,"duplicate_attributes":0,"index_exists":false,"can_create_index":false,)"}));
  const auto csv = program_.with_config({"audit", "--before-migration", "--format", "csv"});
  EXPECT_EQ(csv.out,
            "run_id,correlation_id,type,canonical_id,kept_id,differs,left_fatal,closing_id,deleted_ids\nwrun_"
            "a,step_a,step_created,wevt_1,wevt_3,true,false,,wevt_1\n");
}

TEST_F(MigrationAudit, ItsAdviceFollowsWhatIsThere) {
  struct Advice {
    std::vector<answering::Row> rows;
    answering::Answer index;
    Words more;
    int code;
    std::string text;
    std::string can_create;
  };
  const answering::Answer none = answering::rows({});
  const auto index = answering::value("t");
  const std::vector<answering::Row> copies = {{"wrun_a", "wevt_1", "step_created", "step_a", "1", "1"},
                                              {"wrun_a", "wevt_3", "step_created", "step_a", "1", "2"}};
  const std::vector<answering::Row> of_no_entity = {
      {"wrun_a", "wevt_1", "run_created", std::nullopt, "1", "1"},
      {"wrun_a", "wevt_3", "run_created", std::nullopt, "1", "2"}};
  const std::vector<Advice> cases = {
      {{}, none, {}, 0, "no duplicates: the index can be created now", "true"},
      {{},
       none,
       {"--after", "wrun_0"},
       0,
       "nothing in the runs that were read keeps the index from being created",
       "null"},
      {{}, index, {}, 0, "the unique index exists: nothing to do", "false"},
      {copies, index, {}, 1, "an index of that name exists, and duplicates too", "false"},
      {copies, none, {}, 1, "the index can't be created now", "false"},
      {of_no_entity,
       none,
       {},
       1,
       "the index can be created now: rows without correlation id are distinct to it",
       "true"},
  };
  for (const auto& each : cases) {
    serve_rows(each.rows);
    server_.answers("attr_set%", each.index);
    Words words{"audit", "--before-migration"};
    words.insert(words.end(), each.more.begin(), each.more.end());
    const auto text = program_.with_config(words);
    EXPECT_EQ(text.code, each.code) << each.text;
    EXPECT_TRUE(says(text.out, {each.text}));
    words.emplace_back("--json");
    EXPECT_TRUE(
        says(program_.with_config(words).out, {"\"can_create_index\":" + each.can_create, each.text}));
  }
}

TEST_F(MigrationAudit, ARowThatItKeepsBehindTheClosingEventIsTheEndOfTheRun) {
  serve_rows({{"wrun_a", "wevt_1", "step_created", "step_a", "9", "1"},
              {"wrun_a", "wevt_2", "step_completed", "step_a", "9", "2"},
              {"wrun_a", "wevt_3", "step_created", "step_a", "1", "1"}});
  const auto text = program_.with_config({"audit", "--before-migration"});
  EXPECT_TRUE(
      says(text.out, {"the migration keeps   wevt_3  BEHIND THE CLOSING EVENT wevt_2: the run will die\n",
                      "and leave 1 fatal\n"}));
  EXPECT_TRUE(says(program_.with_config({"audit", "--before-migration", "--json"}).out,
                   {R"("left_fatal":true,"closing_id":"wevt_2")", R"("left_fatal":1,)"}));
}

TEST_F(MigrationAudit, AnAttributeThatWasSetTwiceStandsInTheWayOfALaterMigrationAlone) {
  serve_rows(
      {{"wrun_a", "wevt_1", "attr_set", "key", "1", "1"}, {"wrun_a", "wevt_3", "attr_set", "key", "1", "2"}});
  server_.answers("attr_set%", answering::value("f"));
  const auto text = program_.with_config({"audit", "--before-migration"});
  EXPECT_EQ(text.code, 1) << text.out;
  EXPECT_TRUE(says(
      text.out, {"1 attributes were set twice: the migration that adds attr_set to the index fails on them\n",
                 "the attributes that were set twice stand in the way of the migration of 5.0"}));
  server_.answers("attr_set%", answering::value("t"));
  EXPECT_EQ(program_.with_config({"audit", "--before-migration"}).code, 0)
      << "the index that is there covers them";
}

TEST_F(MigrationAudit, AnErrorOfTheIndexesIsReportedBeforeAnyRowIsRead) {
  serve_copies();
  server_.answers("attr_set%", answering::failure("42501", "permission denied"));
  expect(program_, {{"audit", "--before-migration"}, 3, "", "error: permission denied"});
  EXPECT_TRUE(server_.asked("ctid").empty());
}

TEST_F(MigrationAudit, IsAboutTheEnginesOwnTable) {
  program_.configure(
      "profile: generic\ntable:\n  name: public.events\n  run_column: run\n  id_column: id\n  type_column: "
      "type\n  "
      "identity_columns: [a]\n");
  expect(
      program_,
      {{"audit", "--before-migration"}, 2, "", "error: --before-migration is about the engine's own table"});
}

}  // namespace
}  // namespace dupwatch::cli::audit_command_test
