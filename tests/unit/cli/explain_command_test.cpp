#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "over_a_log.hpp"

namespace dupwatch::cli::explain_command_test {
namespace {

using namespace over_a_log;

using Explain = OverALog;

TEST_F(Explain, ShowsTheRunAsReplayReadsItAndWhatCanBeDone) {
  const auto ran = program_.with_config({"explain", "wrun_a"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(says(
      ran.out,
      {"run wrun_a: 7 events, ULIDs (4.x), not ended\n", "> v4", "FAILS", "refuses every run with ULIDs\n",
       "   6  ", "step_created", id_of(6) + "\n", "fatal duplicate_created: ", "        finding ",
       "\nHow to fix it (dupwatch has not changed anything):\n", "  - Take the row out of the log",
       "dupwatch quarantine apply --config ", "Judged again without it, the log has nothing fatal left",
       "--repair-plan repair.sql", "    DO $plan$\n", "DELETE FROM", "    END $plan$;\n"}));
  EXPECT_EQ(ran.out.find('\x1b'), std::string::npos) << "no colours where nobody sees them";
}

TEST_F(Explain, InJsonEachPartHasItsField) {
  const auto ran = program_.with_config({"explain", "wrun_a", "--json"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(says(
      ran.out,
      {R"({"run_id":"wrun_a","engine":"v4","engine_from":")", R"("severities":{"v4":"fatal",)",
       R"("ended_by":null,"events":[{"id":")" + id_of(1) + R"(","type":"run_created","correlation_id":null,)",
       R"("findings":[{)", R"("repeated_work":[],"repair":{"sentences":[")", R"("sql":["BEGIN)",
       "COMMIT;\"]}}\n"}));
}

TEST_F(Explain, WorkThatWasBegunTwiceIsMarkedAndIsNoFinding) {
  serve({{"run_created", ""},
         {"run_started", ""},
         {"step_created", "step_a"},
         {"step_started", "step_a"},
         {"step_started", "step_a"},
         {"step_retrying", "step_a"},
         {"step_started", "step_a"},
         {"step_completed", "step_a"},
         {"run_completed", ""}});
  const auto ran = program_.with_config({"explain", "wrun_a"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(says(
      ran.out, {"ended by run_completed\n", id_of(5) + "\n      ~ repeated work: begun again without a retry",
                "\nNo findings for this run.\n"}));
  EXPECT_TRUE(says(program_.with_config({"explain", "wrun_a", "--json"}).out,
                   {R"("ended_by":"run_completed")",
                    R"("findings":[],"repeated_work":[")" + id_of(5) + "\",\"" + id_of(7) + "\"]"}));
}

TEST_F(Explain, ARunThatIsNotThereOrNoKeyIsAMistakeOfWhoAsks) {
  server_.answers(kReadsRun, answering::rows({}));
  expect(program_, {{"explain", "wrun_x"},
                    2,
                    "",
                    "error: " + config_.profile.qualified_name() +
                        " has no events of run wrun_x; remedy: check the run id"});
  program_.configure("profile: workflow-devkit\ntable:\n  scope_columns: [tenant]\n");
  expect(program_,
         {{"explain", "wrun_a"}, 2, "", "error: wrun_a is no whole key; remedy: write tenant/run_id"});
}

TEST_F(Explain, ThePlanIsWrittenToANewFileAlone) {
  const auto plan = program_.path("repair.sql");
  const auto ran = program_.with_config({"explain", "wrun_a", "--repair-plan", plan});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, plan + " holds the SQL; dupwatch has not run it\n");
  EXPECT_TRUE(says(content(plan), {"-- What would repair run wrun_a,\n", "\\set ON_ERROR_STOP on\n",
                                   "DELETE FROM", "COMMIT;\n"}));
  const auto again = program_.with_config({"explain", "wrun_a", "--repair-plan", plan});
  EXPECT_EQ(again.code, 2);
  EXPECT_TRUE(
      says(again.err, {"can't be written: File exists; remedy: name a file that does not exist yet"}));
  auto sound = late_copy();
  sound.erase(sound.begin() + 5);
  serve(sound);
  const auto none = program_.with_config({"explain", "wrun_a", "--repair-plan", program_.path("none.sql")});
  EXPECT_EQ(none.code, 0);
  EXPECT_TRUE(says(none.err, {"no SQL would repair this run: "}));
  EXPECT_EQ(content(program_.path("none.sql")), "");
}

TEST_F(Explain, WhatSomebodyAcknowledgedIsReadFromWhatTheDaemonLeft) {
  const auto found = program_.with_config({"explain", "wrun_a", "--json"}).out;
  const auto at = found.find("\"findings\":[") + 12;
  auto record = found.substr(at, found.find("],\"repeated_work\"") - at);
  const auto replace = [&](const std::string& old, const std::string& by) {
    const auto place = record.find(old);
    ASSERT_NE(place, std::string::npos) << record;
    record.replace(place, old.size(), by);
  };
  replace(R"("state":"open")", R"("state":"acknowledged")");
  replace(
      R"("acknowledgement":null)",
      R"("acknowledgement":{"by":"alice","comment":"known","at":"2126-11-23T05:21:38Z","until":"2126-11-24T05:21:38Z","severity":"fatal"})");
  put(program_.path("findings.jsonl"), record + "\n");
  program_.configure("findings:\n  file: " + program_.path("findings.jsonl") + "\n");
  const auto ran = program_.with_config({"explain", "wrun_a"});
  EXPECT_TRUE(says(ran.out, {"        acknowledged by alice until 2126-11-24T05:21:38Z: known\n"}));
  EXPECT_EQ(ran.code, 1) << "it is a finding still";
}

TEST_F(Explain, ALinkToThePageFollowsWhereThereIsOne) {
  program_.configure("http:\n  listen: ''\n  external_url: https://dupwatch.example/\n");
  EXPECT_TRUE(says(program_.with_config({"explain", "wrun_a"}).out,
                   {"\nOn the page: https://dupwatch.example/", "wrun_a"}));
  EXPECT_EQ(program_.with_config({"explain", "wrun_a", "--json"}).out.find("dupwatch.example"),
            std::string::npos);
}

TEST_F(Explain, AnErrorOfAnyQuestionIsReportedWithItsCode) {
  (void)program_.with_config({"explain", "wrun_a"});
  const auto questions = server_.asked().size();
  for (std::size_t i = 0; i < questions; ++i) {
    server_.fails_at(server_.asked().size() + i,
                     answering::failure("42501", "permission denied for table workflow_events"));
    expect(program_,
           {{"explain", "wrun_a"}, 3, "", "error: permission denied for table workflow_events; remedy: "});
  }
}

}  // namespace
}  // namespace dupwatch::cli::explain_command_test
