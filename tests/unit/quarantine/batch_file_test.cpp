#include "daemon/quarantine/batch_file.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dupwatch::quarantine::batch_file_test {
namespace {

constexpr const char* kTable = "workflow.workflow_events";

core::Finding finding_of(core::Rule rule, core::Shape shape, std::uint64_t id) {
  const auto& rule_case = core::rule_case(rule, shape);
  core::Finding finding;
  finding.id = id;
  finding.rule = rule;
  finding.severity = rule_case.severity[static_cast<std::size_t>(core::Engine::kV4)];
  finding.shape = rule_case.shape;
  finding.after_close = shape == core::Shape::kAfterClose;
  finding.table = kTable;
  finding.run_id = "wrun_1";
  finding.identity = {"step_1"};
  finding.type = "step_created";
  finding.canonical.id = "wevt_1";
  finding.duplicate.id = "wevt_" + std::to_string(id);
  return finding;
}

core::Finding fatal(std::uint64_t id) {
  return finding_of(core::Rule::kDuplicateCreated, core::Shape::kAfterClose, id);
}

core::Finding harmless(std::uint64_t id) {
  return finding_of(core::Rule::kDuplicateCreated, core::Shape::kBeforeClose, id);
}

std::string migration(const std::string& kept, const std::string& deleted) {
  return R"({"event":"migration","run_id":"wrun_1","correlation_id":null,"type":"step_created","canonical_id":"wevt_1","kept_id":")" +
         kept + R"(","deleted_ids":[)" + deleted + "]}";
}

std::vector<std::string> told(const BatchFile& file) {
  std::vector<std::string> out;
  for (const auto& row : file.rows()) {
    out.push_back(row.run_id + " " + row.event_id + " " + (row.finding_id.empty() ? "-" : row.finding_id) +
                  " " + (row.refused ? std::string(to_string(*row.refused)) : "open"));
  }
  return out;
}

TEST(BatchFile, TakesFindingsInTheirOrderAndSaysWhatStays) {
  BatchFile file(kTable, false);
  const auto other = finding_of(core::Rule::kSecondTerminal, core::Shape::kOtherType, 9);
  auto ended = fatal(4);
  ended.state = core::FindingState::kRunEnded;
  for (const auto& finding : {fatal(7), harmless(3), other, ended}) {
    EXPECT_FALSE(file.add(core::to_json(finding)));
  }
  EXPECT_FALSE(file.add(R"({"event":"audit","complete":true,"findings":4})"));
  EXPECT_EQ(told(file),
            (std::vector<std::string>{
                "wrun_1 wevt_7 0000000000000007 open", "wrun_1 wevt_3 0000000000000003 not_fatal",
                "wrun_1 wevt_9 0000000000000009 outcome", "wrun_1 wevt_4 0000000000000004 run_ended"}));
  EXPECT_TRUE(file.complete());
}

TEST(BatchFile, OfTheSameFindingTheLastLineCounts) {
  BatchFile file(kTable, false);
  EXPECT_FALSE(file.add(core::to_json(harmless(3))));
  EXPECT_FALSE(file.add(core::to_json(fatal(4))));
  EXPECT_FALSE(file.add(core::to_json(fatal(3))));
  EXPECT_EQ(told(file), (std::vector<std::string>{"wrun_1 wevt_3 0000000000000003 open",
                                                  "wrun_1 wevt_4 0000000000000004 open"}));
}

TEST(BatchFile, AFindingWithoutAShapeIsLeftToTheAct) {
  auto finding = finding_of(core::Rule::kSecondTerminal, core::Shape::kSameType, 3);
  finding.shape.reset();
  BatchFile file(kTable, false);
  EXPECT_FALSE(file.add(core::to_json(finding)));
  EXPECT_EQ(told(file), std::vector<std::string>{"wrun_1 wevt_3 0000000000000003 open"});
}

TEST(BatchFile, OfTheMigrationsLinesAllRowsGoButTheCanonicalOne) {
  BatchFile file(kTable, true);
  EXPECT_FALSE(file.add(migration("wevt_3", R"("wevt_1","wevt_2")")));
  EXPECT_FALSE(file.add(R"({"event":"migration_summary","identities":1})"));
  EXPECT_EQ(told(file), (std::vector<std::string>{"wrun_1 wevt_2 - open", "wrun_1 wevt_3 - open"}));
}

TEST(BatchFile, ForTheMigrationAHarmlessFindingGoesAndEachRowStandsOnce) {
  BatchFile file(kTable, true);
  EXPECT_FALSE(file.add(core::to_json(harmless(3))));
  EXPECT_FALSE(file.add(migration("wevt_1", R"("wevt_3")")));
  EXPECT_FALSE(file.add(core::to_json(finding_of(core::Rule::kSecondTerminal, core::Shape::kSameType, 5))));
  EXPECT_EQ(told(file), (std::vector<std::string>{"wrun_1 wevt_3 0000000000000003 open",
                                                  "wrun_1 wevt_5 0000000000000005 not_indexed"}));
}

TEST(BatchFile, ACutAuditIsNotComplete) {
  BatchFile file(kTable, false);
  EXPECT_FALSE(file.any_line());
  EXPECT_FALSE(file.add(" \r"));
  EXPECT_FALSE(file.any_line());
  EXPECT_FALSE(file.add(R"({"event":"audit","complete":false})"));
  EXPECT_FALSE(file.complete());
  EXPECT_TRUE(file.any_line());
}

TEST(BatchFile, WhatIsNoAuditIsRefusedInWords) {
  const auto problem = [](std::string_view line, bool before_migration) {
    BatchFile file(kTable, before_migration);
    const auto found = file.add(line);
    EXPECT_TRUE(found && !found->expected.empty()) << line;
    EXPECT_TRUE(file.rows().empty());
    return found ? found->found : std::string{};
  };
  auto elsewhere = fatal(3);
  elsewhere.table = "public.other";
  EXPECT_EQ(problem(core::to_json(elsewhere), false), "a finding about table \"public.other\"");
  EXPECT_EQ(problem("run_id,rule", false), "\"run_id,rule\"");
  EXPECT_EQ(problem("\x1b[2J", false), "\"\\u001b[2J\"");
  EXPECT_EQ(problem("[1]", false), "\"[1]\"");
  EXPECT_EQ(problem(R"({"event":"act"})", false), R"("{\"event\":\"act\"}")");
  EXPECT_EQ(problem(migration("wevt_3", ""), false), "a line of dupwatch audit --before-migration");
  EXPECT_EQ(problem(migration("wevt_3", "5"), true).substr(0, 27), "a line about the migration ");
  EXPECT_EQ(problem(R"({"event":"migration","run_id":"wrun_1"})", true).substr(0, 27),
            "a line about the migration ");
  EXPECT_EQ(problem(R"({"event":"finding","run_id":"wrun_1"})", false),
            "a finding that lacks a field or has a value that this version does not know");
  const auto whole = core::to_json(fatal(3));
  for (std::size_t size = 1; size < whole.size(); ++size)
    EXPECT_FALSE(problem(whole.substr(0, size), false).empty());
}

TEST(BatchFile, TakesNoMoreThanItsBound) {
  constexpr std::size_t kMax = 1000;
  std::string ids;
  for (std::size_t i = 0; i < kMax; ++i) ids += (i == 0 ? "\"" : ",\"") + std::to_string(i) + '"';
  BatchFile file(kTable, true, kMax);
  EXPECT_FALSE(file.add(migration("wevt_1", ids)));
  EXPECT_EQ(file.rows().size(), kMax);
  EXPECT_FALSE(file.add(migration("wevt_1", R"("0")"))) << "a row that is in it already";
  const auto problem = file.add(migration("wevt_1", R"("one more")"));
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->found, "more than 1000 rows");
  EXPECT_EQ(file.rows().size(), kMax);
}

}  // namespace
}  // namespace dupwatch::quarantine::batch_file_test
