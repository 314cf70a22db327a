#include <gtest/gtest.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "daemon/core/replay_rules.hpp"
#include "daemon/core/reported_findings.hpp"

namespace dupwatch::core::fault_ids_test {
namespace {

const std::string kTable = "workflow.workflow_events";

Finding finding(const std::string& run, const std::string& row, const std::string& profile_rule = {}) {
  Finding out;
  out.rule = profile_rule.empty() ? Rule::kDuplicateCreated : Rule::kProfileRule;
  out.profile_rule = profile_rule;
  out.table = kTable;
  out.run_id = run;
  out.duplicate.id = row;
  out.id = finding_id(out.table, out.rule, out.run_id, out.duplicate.id, out.profile_rule);
  return out;
}

std::uint64_t fault(const Finding& finding) {
  return fault_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id, finding.profile_rule);
}

TEST(FaultIds, AreThoseOfTheRowsAtFaultInTheseRuns) {
  ReportedFindings reported;
  auto first = finding("run a", "row 1");
  auto second = finding("run a", "row 2");
  auto ruled = finding("run b", "row 1", "my_rule");
  auto other = finding("run c", "row 1");
  for (auto* one : {&first, &second, &ruled, &other}) ASSERT_TRUE(reported.admit(*one, Instant{}));
  const std::vector<std::string> runs = {"run a", "run b", "unknown"};
  EXPECT_EQ(reported.fault_ids(runs, kTable),
            (std::unordered_set<std::uint64_t>{fault(first), fault(second), fault(ruled)}));
}

TEST(FaultIds, AreTheSameForEachRuleOfARow) {
  const auto first = finding("run a", "row 1");
  auto second = first;
  second.rule = Rule::kLifecycleAfterClose;
  EXPECT_EQ(fault(first), fault(second));
  EXPECT_EQ(fault(first), fault(finding("run a", "row 1", "my_rule")));
  EXPECT_NE(fault(first), fault(finding("run a", "row 2")));
  // Of the run as a whole, whatever the row: it is another thing.
  second.rule = Rule::kRunLost;
  EXPECT_NE(fault(first), fault(second));
}

TEST(FaultIds, AreNotThoseThatACollisionMade) {
  ReportedFindings reported;
  auto taken = finding("run a", "row 1");
  const auto meant = finding("run b", "row 2");
  taken.id = meant.id;  // two texts with one hash
  ASSERT_TRUE(reported.admit(taken, Instant{}));
  auto collides = meant;
  reported.resolve(collides);
  ASSERT_NE(collides.id, meant.id);
  ASSERT_TRUE(reported.admit(collides, Instant{}));
  const std::vector<std::string> runs = {"run b"};
  EXPECT_EQ(reported.fault_ids(runs, kTable), std::unordered_set<std::uint64_t>{fault(meant)});
}

}  // namespace
}  // namespace dupwatch::core::fault_ids_test
