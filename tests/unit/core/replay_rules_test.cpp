#include "daemon/core/duplicate_rule.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "daemon/core/reported_findings.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core {
namespace {

using oracle::Event;

/// One run judged row by row, as the stream does it.
class Judge {
 public:
  explicit Judge(const Profile& profile) : profile_(profile), rule_(profile_, codec_) {}

  /// The findings that the row's arrival reported.
  std::vector<Finding> arrive(const Event& event) {
    std::vector<DuplicateRule::Verdict> verdicts;
    const auto added = add_event(log_, codec_, profile_, event);
    if (!added.known) rule_.judge_row(log_, added.row, verdicts);
    return report(verdicts);
  }
  std::vector<Finding> judge_run() {
    std::vector<DuplicateRule::Verdict> verdicts;
    rule_.judge_run(log_, verdicts);
    return report(verdicts);
  }
  [[nodiscard]] const oracle::Verdicts& states() const { return last_.states(); }

 private:
  std::vector<Finding> report(const std::vector<DuplicateRule::Verdict>& verdicts) {
    std::vector<Finding> out;
    for (const auto& verdict : verdicts) {
      auto finding = rule_.describe(log_, verdict, "r", Origin::kStream);
      if (!reported_.admit(finding)) continue;
      last_.take(finding);
      out.push_back(std::move(finding));
    }
    return out;
  }

  Profile profile_;
  TokenCodec codec_;
  RunLog log_;
  DuplicateRule rule_;
  ReportedFindings reported_;
  LastStates last_;
};

/// Ids of all shapes: ULIDs, slot numbers, and texts that are neither.
rc::Gen<std::string> any_id() {
  const auto number = rc::gen::cast<std::uint64_t>(rc::gen::inRange(0, 60));
  return rc::gen::oneOf(rc::gen::map(number, [](auto n) { return ulid("wevt_", n); }),
                        rc::gen::map(number, [](auto n) { return slot_id(n); }),
                        rc::gen::map(number, [](auto n) { return std::to_string(n); }),
                        rc::gen::map(number, [](auto n) { return "wevt_x" + std::to_string(n); }));
}

/// Rows of one run with distinct ids, in order of arrival.
std::vector<Event> some_rows(const Profile& profile, const std::vector<std::string>& unlisted) {
  std::vector<std::string> types = unlisted;
  for (const auto& type : profile.types) {
    if (type.tracked()) types.push_back(type.name);
  }
  const auto ids = *rc::gen::unique<std::vector<std::string>>(any_id());
  std::vector<Event> rows;
  for (const auto& id : ids) {
    Event row{"r", id, {}, *rc::gen::elementOf(types)};
    for (std::size_t i = 0; i < profile.identity_columns.size(); ++i) {
      const auto n = *rc::gen::inRange<std::uint64_t>(0, 4);
      row.identity.push_back(n == 0   ? std::nullopt
                             : n == 1 ? std::optional<std::string>("plain")
                                      : std::optional(ulid("step_", n)));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void expect_the_oracles_findings(const Profile& profile, const oracle::Rules& rules,
                                 const std::vector<std::string>& unlisted) {
  const auto rows = some_rows(profile, unlisted);
  const auto expected = oracle::duplicates(rows, rules);
  RC_CLASSIFY(!expected.empty(), "has duplicates");
  Judge streamed(profile);
  Judge reversed(profile);
  std::size_t streamed_new = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const auto& finding : streamed.arrive(rows[i])) {
      streamed_new += finding.change == FindingChange::kNew ? 1U : 0U;
    }
    // A redelivery, of this row or an earlier one, says nothing.
    const auto earlier = *rc::gen::inRange<std::size_t>(0, i + 1);
    RC_ASSERT(streamed.arrive(rows[earlier]).empty());
    // What has been reported is right after every row, not only at the end.
    const std::vector<Event> so_far(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    RC_ASSERT(streamed.states() == oracle::duplicates(so_far, rules));
  }
  RC_ASSERT(streamed_new == expected.size());
  RC_ASSERT(streamed.judge_run().empty());
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) (void)reversed.arrive(*row);
  RC_ASSERT(reversed.states() == expected);
}

RC_GTEST_PROP(DuplicateRule, StreamedRowsGiveTheOraclesFindings, ()) {
  expect_the_oracles_findings(workflow_devkit_profile(), oracle::workflow_devkit_rules(), {});
}

RC_GTEST_PROP(DuplicateRule, SeveralIdentityColumnsAndUnlistedTypesGiveTheOraclesFindings, ()) {
  expect_the_oracles_findings(orders_profile(), orders_rules(), {"shipped", "packed", ""});
}

RC_GTEST_PROP(DuplicateRule, AWholeRunReadBackGivesTheSameFindings, ()) {
  const auto profile = workflow_devkit_profile();
  const auto rows = some_rows(profile, {});
  TokenCodec codec;
  RunLog log;
  const DuplicateRule rule(profile, codec);
  for (const auto& row : rows) (void)add_event(log, codec, profile, row);
  std::vector<DuplicateRule::Verdict> verdicts;
  rule.judge_run(log, verdicts);
  LastStates last;
  for (const auto& verdict : verdicts) last.take(rule.describe(log, verdict, "r", Origin::kReadBack));
  RC_ASSERT(last.states() == oracle::duplicates(rows, oracle::workflow_devkit_rules()));
  RC_ASSERT(verdicts.size() == last.states().size());
}

class WorkflowRun : public ::testing::Test {
 protected:
  static Event row(std::uint64_t id, const std::string& type, std::optional<std::string> correlation = "c") {
    return Event{"r", ulid("wevt_", id), {std::move(correlation)}, type};
  }
  Judge judge{workflow_devkit_profile()};
};

TEST_F(WorkflowRun, TheSmallestIdIsCanonicalWhicheverCameFirst) {
  EXPECT_TRUE(judge.arrive(row(5, "step_created")).empty());
  const auto findings = judge.arrive(row(3, "step_created"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].canonical.id, ulid("wevt_", 3));
  EXPECT_EQ(findings[0].duplicate.id, ulid("wevt_", 5));
  EXPECT_EQ(findings[0].change, FindingChange::kNew);
  EXPECT_FALSE(findings[0].after_close);
}

TEST_F(WorkflowRun, ASmallerIdChangesTheCanonicalRowOfEarlierFindings) {
  (void)judge.arrive(row(5, "step_created"));
  (void)judge.arrive(row(7, "step_created"));
  const auto findings = judge.arrive(row(3, "step_created"));
  ASSERT_EQ(findings.size(), 2U);
  for (const auto& finding : findings) {
    EXPECT_EQ(finding.canonical.id, ulid("wevt_", 3));
    EXPECT_EQ(finding.change,
              finding.duplicate.id == ulid("wevt_", 7) ? FindingChange::kChanged : FindingChange::kNew);
  }
}

TEST_F(WorkflowRun, AClosingEventThatArrivesLateMakesEarlierDuplicatesAfterClose) {
  (void)judge.arrive(row(1, "step_created"));
  (void)judge.arrive(row(5, "step_created"));
  (void)judge.arrive(row(9, "step_created"));
  const auto findings = judge.arrive(row(7, "step_completed"));
  ASSERT_EQ(findings.size(), 1U) << "the duplicate with the smaller id stays harmless";
  EXPECT_EQ(findings[0].duplicate.id, ulid("wevt_", 9));
  EXPECT_TRUE(findings[0].after_close);
  EXPECT_EQ(findings[0].closing_id, ulid("wevt_", 7));
  EXPECT_EQ(findings[0].change, FindingChange::kChanged);
}

TEST_F(WorkflowRun, OnlyEventsOfTheSameEntityKindClose) {
  (void)judge.arrive(row(1, "step_created"));
  (void)judge.arrive(row(2, "wait_completed"));
  (void)judge.arrive(row(3, "hook_disposed"));
  (void)judge.arrive(row(4, "step_completed", "another"));
  const auto findings = judge.arrive(row(5, "step_created"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_FALSE(findings[0].after_close);
  EXPECT_EQ(findings[0].closing_id, std::nullopt);
}

TEST_F(WorkflowRun, ASecondTerminalIsAfterTheFirst) {
  (void)judge.arrive(row(1, "step_completed"));
  const auto findings = judge.arrive(row(2, "step_completed"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_TRUE(findings[0].after_close);
  EXPECT_EQ(findings[0].closing_id, ulid("wevt_", 1));
}

TEST_F(WorkflowRun, CompletedAndFailedAreDifferentIdentities) {
  (void)judge.arrive(row(1, "step_completed"));
  EXPECT_TRUE(judge.arrive(row(2, "step_failed")).empty());
}

TEST_F(WorkflowRun, RunCreatedTwiceIsADuplicateAlthoughItsCorrelationIdIsNull) {
  (void)judge.arrive(row(1, "run_created", std::nullopt));
  EXPECT_EQ(judge.arrive(row(2, "run_created", std::nullopt)).size(), 1U);
}

TEST_F(WorkflowRun, AttrSetIsUniqueOnlyWithACorrelationId) {
  for (std::uint64_t n = 1; n < 50; ++n) {
    EXPECT_TRUE(judge.arrive(row(n, "attr_set", std::nullopt)).empty());
  }
  EXPECT_TRUE(judge.judge_run().empty());
  (void)judge.arrive(row(50, "attr_set"));
  EXPECT_EQ(judge.arrive(row(51, "attr_set")).size(), 1U);
}

TEST_F(WorkflowRun, SlotIdsSortBeforeUlids) {
  (void)judge.arrive(row(1, "step_created"));
  const auto findings = judge.arrive(Event{"r", slot_id(9), {"c"}, "step_created"});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].canonical.id, slot_id(9));
}

TEST_F(WorkflowRun, AFindingCarriesBothRowsAndTheirCommits) {
  const auto profile = workflow_devkit_profile();
  TokenCodec codec;
  RunLog log;
  const DuplicateRule rule(profile, codec);
  (void)add_event(log, codec, profile, row(1, "step_created"));
  const auto second = add_event(log, codec, profile, row(2, "step_created"),
                                {.xid = 9, .lsn = decoder::Lsn{0x16B0}, .time = decoder::Timestamp{77}});
  std::vector<DuplicateRule::Verdict> verdicts;
  rule.judge_row(log, second.row, verdicts);
  ASSERT_EQ(verdicts.size(), 1U);
  const auto finding = rule.describe(log, verdicts[0], "wrun_1", Origin::kReadBack);
  EXPECT_EQ(finding.rule, Rule::kDuplicate);
  EXPECT_EQ(finding.origin, Origin::kReadBack);
  EXPECT_EQ(finding.table, "workflow.workflow_events");
  EXPECT_EQ(finding.run_id, "wrun_1");
  EXPECT_EQ(finding.type, "step_created");
  EXPECT_EQ(finding.identity, (std::vector<std::optional<std::string>>{"c"}));
  EXPECT_EQ(finding.canonical.xid, std::nullopt);
  EXPECT_EQ(finding.canonical.commit_lsn, std::nullopt);
  EXPECT_EQ(finding.canonical.commit_time, std::nullopt);
  EXPECT_EQ(finding.duplicate.xid, 9U);
  EXPECT_EQ(finding.duplicate.commit_lsn, decoder::Lsn{0x16B0});
  EXPECT_EQ(finding.duplicate.commit_time, decoder::Timestamp{77});
}

TEST(GenericTable, AnUnlistedTypeIsNamedInTheFindingAndNotPartOfItsIdentity) {
  Judge judge(orders_profile());
  (void)judge.arrive(Event{"r", "1", {"o1", std::nullopt}, "shipped"});
  EXPECT_TRUE(judge.arrive(Event{"r", "2", {"o1", std::nullopt}, "packed"}).empty());
  const auto findings = judge.arrive(Event{"r", "3", {"o1", std::nullopt}, "shipped"});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].type, "shipped");
  EXPECT_EQ(findings[0].identity, (std::vector<std::optional<std::string>>{"o1", std::nullopt}));
}

TEST(FindingId, IsStableOverVersionsAndMachines) {
  // Golden values: a change here makes every finding that was ever reported come again as new.
  EXPECT_EQ(finding_id("workflow.workflow_events", Rule::kDuplicate, "wrun_01K9ZC3F4E5G6H7J8K9MNPQRST",
                       "wevt_01K9ZC3F4E5G6H7J8K9MNPQRSV"),
            0x7237f89b5f93c026ULL);
  EXPECT_EQ(finding_id("", Rule::kDuplicate, "", ""), 0x96750a3d97ec2319ULL);
}

TEST(FindingId, DependsOnTableRunAndDuplicate) {
  const auto id = finding_id("t", Rule::kDuplicate, "r", "d");
  EXPECT_NE(id, finding_id("u", Rule::kDuplicate, "r", "d"));
  EXPECT_NE(id, finding_id("t", Rule::kDuplicate, "s", "d"));
  EXPECT_NE(id, finding_id("t", Rule::kDuplicate, "r", "e"));
  EXPECT_NE(finding_id("t", Rule::kDuplicate, "ab", "c"), finding_id("t", Rule::kDuplicate, "a", "bc"));
}

}  // namespace
}  // namespace dupwatch::core
