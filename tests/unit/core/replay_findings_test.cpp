#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/core/run_judge.hpp"

namespace dupwatch::core::replay_findings_test {
namespace {

using oracle::Event;

class WorkflowRun : public ::testing::Test {
 protected:
  static Event row(std::uint64_t id, const std::string& type, std::optional<std::string> correlation = "c") {
    return Event{"r", ulid("wevt_", id), {std::move(correlation)}, type};
  }
  static Event run_row(std::uint64_t id, const std::string& type) { return row(id, type, std::nullopt); }
  /// The one finding that the row's arrival tells.
  Finding told(const Event& event) {
    auto findings = judge.arrive(event);
    EXPECT_EQ(findings.size(), 1U) << event.type;
    return findings.empty() ? Finding{} : std::move(findings[0]);
  }
  void silent(const Event& event) { EXPECT_TRUE(judge.arrive(event).empty()) << event.type; }
  RunJudge judge;
};

TEST_F(WorkflowRun, TheSmallestIdIsCanonicalWhicheverCameFirst) {
  silent(row(5, "step_created"));
  const auto finding = told(row(3, "step_created"));
  EXPECT_EQ(finding.rule, Rule::kDuplicateCreated);
  EXPECT_EQ(finding.severity, Severity::kHarmless);
  EXPECT_EQ(finding.canonical.id, ulid("wevt_", 3));
  EXPECT_EQ(finding.duplicate.id, ulid("wevt_", 5));
  EXPECT_EQ(finding.change, FindingChange::kNew);
  EXPECT_FALSE(finding.after_close);
}

TEST_F(WorkflowRun, ASmallerIdChangesTheCanonicalRowOfEarlierFindings) {
  silent(row(5, "step_created"));
  (void)told(row(7, "step_created"));
  const auto findings = judge.arrive(row(3, "step_created"));
  ASSERT_EQ(findings.size(), 2U);
  for (const auto& finding : findings) {
    EXPECT_EQ(finding.canonical.id, ulid("wevt_", 3));
    EXPECT_EQ(finding.change,
              finding.duplicate.id == ulid("wevt_", 7) ? FindingChange::kChanged : FindingChange::kNew);
  }
}

TEST_F(WorkflowRun, AClosingEventThatArrivesLateMakesEarlierDuplicatesFatal) {
  (void)judge.arrive(row(1, "step_created"));
  (void)judge.arrive(row(5, "step_created"));
  (void)judge.arrive(row(9, "step_created"));
  const auto finding = told(row(7, "step_completed"));  // the duplicate with the smaller id stays harmless
  EXPECT_EQ(finding.duplicate.id, ulid("wevt_", 9));
  EXPECT_EQ(finding.severity, Severity::kFatal);
  EXPECT_TRUE(finding.after_close);
  EXPECT_EQ(finding.closing_id(), ulid("wevt_", 7));
  EXPECT_EQ(finding.change, FindingChange::kChanged);
}

TEST_F(WorkflowRun, AClosingEventBehindTheDuplicateIsNamedAndNoChange) {
  silent(row(1, "step_created"));
  (void)told(row(2, "step_created"));
  silent(row(9, "step_completed"));
  const auto late = told(row(3, "step_created"));
  EXPECT_EQ(late.severity, Severity::kHarmless);
  EXPECT_FALSE(late.after_close);
  EXPECT_EQ(late.closing_id(), ulid("wevt_", 9));
}

TEST_F(WorkflowRun, OnlyEventsOfTheSameEntityKindClose) {
  silent(row(1, "step_created"));
  silent(row(2, "wait_completed"));
  silent(row(3, "hook_disposed"));
  silent(row(4, "step_completed", "another"));
  const auto finding = told(row(5, "step_created"));
  EXPECT_FALSE(finding.after_close);
  EXPECT_EQ(finding.closing, std::nullopt);
}

TEST_F(WorkflowRun, ASecondTerminalContradictsTheFirstWhateverItSays) {
  silent(row(1, "step_completed"));
  const auto same = told(row(2, "step_completed"));
  EXPECT_EQ(same.rule, Rule::kSecondTerminal);
  EXPECT_EQ(same.canonical.id, ulid("wevt_", 1));
  EXPECT_EQ(same.closing_id(), ulid("wevt_", 1));
  const auto other = told(row(3, "step_failed"));
  EXPECT_EQ(other.rule, Rule::kSecondTerminal);
  EXPECT_EQ(other.canonical.id, ulid("wevt_", 1));
  EXPECT_NE(other.shape, same.shape);
  EXPECT_NE(other.reason(), same.reason());
}

TEST_F(WorkflowRun, LateEventsOfAClosedStepAreFatalAndAnAttemptBeforeTheEndIsNot) {
  silent(row(1, "step_created"));
  silent(row(2, "step_started"));
  silent(row(3, "step_retrying"));
  silent(row(4, "step_started"));
  silent(row(6, "step_completed"));
  silent(row(5, "step_started"));
  const auto finding = told(row(7, "step_started"));
  EXPECT_EQ(finding.rule, Rule::kLifecycleAfterClose);
  EXPECT_EQ(finding.severity, Severity::kFatal);
  EXPECT_EQ(finding.canonical.id, ulid("wevt_", 6));
  EXPECT_TRUE(finding.after_close);
}

TEST_F(WorkflowRun, AClosingEventThatArrivesLateFindsTheLateStart) {
  silent(row(1, "step_created"));
  silent(row(9, "step_started"));
  const auto finding = told(row(5, "step_completed"));
  EXPECT_EQ(finding.rule, Rule::kLifecycleAfterClose);
  EXPECT_EQ(finding.duplicate.id, ulid("wevt_", 9));
}

TEST_F(WorkflowRun, ALateCreationIsALateEventUntilAnEarlierOneShowsUp) {
  silent(row(5, "step_completed"));
  EXPECT_EQ(told(row(7, "step_created")).rule, Rule::kLifecycleAfterClose);
  const auto finding = told(row(3, "step_created"));
  EXPECT_EQ(finding.rule, Rule::kDuplicateCreated);
  EXPECT_EQ(finding.duplicate.id, ulid("wevt_", 7));
  EXPECT_EQ(finding.severity, Severity::kFatal);
}

TEST_F(WorkflowRun, APayloadForADisposedHookIsFound) {
  silent(row(1, "hook_created"));
  silent(row(2, "hook_received"));
  silent(row(3, "hook_received"));
  silent(row(4, "hook_disposed"));
  const auto finding = told(row(5, "hook_received"));
  EXPECT_EQ(finding.rule, Rule::kDeliveryAfterDisposal);
  EXPECT_EQ(finding.canonical.id, ulid("wevt_", 4));
}

TEST_F(WorkflowRun, AHookInConflictWithItselfIsFoundInEitherOrder) {
  silent(row(1, "hook_conflict", "first"));
  EXPECT_EQ(told(row(2, "hook_created", "first")).rule, Rule::kHookSelfConflict);
  silent(row(4, "hook_created", "second"));
  const auto finding = told(row(5, "hook_conflict", "second"));
  EXPECT_EQ(finding.rule, Rule::kHookSelfConflict);
  EXPECT_EQ(finding.severity, Severity::kConflict);
  EXPECT_EQ(finding.canonical.id, ulid("wevt_", 4));
  EXPECT_EQ(finding.duplicate.id, ulid("wevt_", 5));
  silent(row(6, "hook_conflict", "lost to another run"));
}

TEST_F(WorkflowRun, RunEventsThatOccurOnceAreDuplicatesAlthoughTheirCorrelationIdIsNull) {
  silent(run_row(1, "run_created"));
  silent(run_row(2, "run_started"));
  EXPECT_EQ(told(run_row(3, "run_created")).rule, Rule::kDuplicateRunEvent);
  EXPECT_EQ(told(run_row(4, "run_started")).rule, Rule::kDuplicateRunEvent);
}

TEST_F(WorkflowRun, ARunThatEndsInTwoWaysIsAConflictAndACancellationIsNot) {
  silent(run_row(1, "run_completed"));
  silent(run_row(2, "run_cancelled"));
  silent(run_row(3, "run_cancelled"));
  const auto again = told(run_row(4, "run_completed"));
  EXPECT_EQ(again.severity, Severity::kHarmless);
  const auto other = told(run_row(5, "run_failed"));
  EXPECT_EQ(other.severity, Severity::kConflict);
  EXPECT_EQ(other.canonical.id, ulid("wevt_", 1));
}

TEST_F(WorkflowRun, TheRunsEndChangesTheStateOfItsFindings) {
  silent(row(1, "step_created"));
  EXPECT_EQ(told(row(2, "step_created")).state, FindingState::kOpen);
  const auto finding = told(run_row(3, "run_completed"));
  EXPECT_EQ(finding.change, FindingChange::kChanged);
  EXPECT_EQ(finding.state, FindingState::kRunEnded);
  EXPECT_EQ(told(row(4, "wait_created")).rule, Rule::kAfterRunEnd);
}

TEST_F(WorkflowRun, WhatIsCreatedBehindTheRunsEndIsFoundThoughItArrivesFirst) {
  silent(row(9, "hook_created"));
  const auto finding = told(run_row(5, "run_completed"));
  EXPECT_EQ(finding.rule, Rule::kAfterRunEnd);
  EXPECT_EQ(finding.severity, Severity::kHarmless);
  EXPECT_EQ(finding.duplicate.id, ulid("wevt_", 9));
  EXPECT_EQ(finding.canonical.id, ulid("wevt_", 5));
  silent(row(10, "step_started"));
}

TEST_F(WorkflowRun, ARunThatFailsBehindAFatalFindingIsLost) {
  silent(row(1, "step_created"));
  silent(row(2, "step_completed"));
  (void)told(row(3, "step_created"));
  const auto findings = judge.arrive(run_row(5, "run_failed"));
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].rule, Rule::kDuplicateCreated);
  EXPECT_EQ(findings[0].state, FindingState::kRunEnded);
  EXPECT_EQ(findings[1].rule, Rule::kRunLost);
  EXPECT_EQ(findings[1].canonical.id, ulid("wevt_", 3));
  EXPECT_EQ(findings[1].duplicate.id, ulid("wevt_", 5));
}

TEST_F(WorkflowRun, ACauseThatArrivesBehindItsFailureIsFoundToo) {
  silent(row(1, "step_created"));
  silent(row(2, "step_completed"));
  silent(run_row(5, "run_failed"));
  const auto findings = judge.arrive(row(3, "step_created"));
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[1].rule, Rule::kRunLost);
  EXPECT_EQ(told(row(9, "step_started")).rule, Rule::kLifecycleAfterClose)
      << "behind the failure it caused nothing";
}

/// Two rows that engine v5 skips only where one of their class stands before the closing event, and a failure
/// behind them; then the first of the two gets such a row.
void expect_the_second_for_a_cause(const RuleConfig& config, const std::string& type) {
  RunJudge judge(workflow_devkit_profile(), config);
  const auto arrive = [&](std::uint64_t id, const std::string& what, std::optional<std::string> correlation) {
    (void)judge.arrive(Event{"r", slot_id(id), {std::move(correlation)}, what});
  };
  arrive(2, "step_completed", "a");
  arrive(4, type, "a");
  arrive(3, "step_completed", "b");
  arrive(6, type, "b");
  arrive(8, "run_failed", std::nullopt);
  const auto cause = [&] { return judge.last().states().at({"r", "run_lost", ""}).canonical_id; };
  ASSERT_EQ(cause(), slot_id(4));
  arrive(1, type, "a");
  EXPECT_EQ(cause(), slot_id(6));
}

TEST(RunLost, NamesAnotherCauseOnceTheFirstIsHarmless) {
  expect_the_second_for_a_cause({}, "step_started");
}

TEST(RunLost, NamesAnotherCauseOnceTheRuleOfTheFirstIsOff) {
  RuleConfig config;
  config.rules[static_cast<std::size_t>(Rule::kDuplicateCreated)].enabled = false;
  expect_the_second_for_a_cause(config, "step_created");
}

TEST_F(WorkflowRun, AFailureByAWorkflowsOwnErrorIsNotLost) {
  silent(row(1, "step_created"));
  (void)told(row(2, "step_created"));
  EXPECT_EQ(told(run_row(3, "run_failed")).rule, Rule::kDuplicateCreated);
}

TEST_F(WorkflowRun, AttrSetIsUniqueOnlyWithACorrelationId) {
  for (std::uint64_t n = 1; n < 50; ++n) silent(run_row(n, "attr_set"));
  EXPECT_TRUE(judge.judge_run().empty());
  silent(row(50, "attr_set"));
  const auto finding = told(row(51, "attr_set"));
  EXPECT_EQ(finding.rule, Rule::kDuplicateCreated);
  EXPECT_EQ(finding.severity, Severity::kUnknown);
}

/// A step whose correlation id was drawn with this seed time.
std::string seeded(char time, char ordinal) {
  return std::string("step_01JZ00000") + time + "000000000000000" + ordinal;
}

TEST_F(WorkflowRun, CorrelationIdsOfTwoTimesAreFatalOn4x) {
  silent(row(1, "step_created", seeded('1', '1')));
  silent(row(2, "step_completed", seeded('1', '1')));
  silent(row(3, "step_created", seeded('1', '2')));
  const auto finding = told(row(4, "step_created", seeded('2', '1')));
  EXPECT_EQ(finding.rule, Rule::kIdScheme);
  EXPECT_EQ(finding.shape, Shape::kTwoSeeds);
  EXPECT_EQ(finding.severity, Severity::kFatal);
  EXPECT_EQ(finding.pending, Pending::kCertain);
  EXPECT_EQ(finding.canonical.id, ulid("wevt_", 1));
  EXPECT_EQ(finding.duplicate.id, ulid("wevt_", 4));
  silent(row(5, "step_created", seeded('2', '2')));
}

TEST_F(WorkflowRun, CorrelationIdsOfTwoTimesAreNothingToAnEngineThatTakesTheTimeOfTheRun) {
  RunJudge other(workflow_devkit_profile(), {}, Engine::kV5BeforeClassSkip);
  (void)other.arrive(row(1, "step_created", seeded('1', '1')));
  EXPECT_TRUE(other.arrive(row(2, "step_created", seeded('2', '1'))).empty());
}

TEST_F(WorkflowRun, AFatalRowIsMetForCertainWhileSomethingIsOpen) {
  silent(row(1, "step_created", "a"));
  silent(row(2, "step_completed", "a"));
  auto finding = told(row(3, "step_created", "a"));
  EXPECT_EQ(finding.severity, Severity::kFatal);
  EXPECT_EQ(finding.pending, Pending::kMayReturn) << "the workflow may have all it needs";
  silent(row(4, "step_created", "b"));
  finding = told(row(5, "step_completed", "a"));
  EXPECT_EQ(finding.pending, Pending::kCertain);
  EXPECT_EQ(told(row(6, "step_created", "b")).pending, Pending::kNone) << "not fatal";
}

TEST_F(WorkflowRun, IdsOfTwoSchemesAreOneFindingThatNamesTheFirstOfEach) {
  silent(Event{"r", slot_id(9), {"c"}, "step_created"});
  const auto first = told(row(7, "wait_created"));
  EXPECT_EQ(first.rule, Rule::kIdScheme);
  EXPECT_EQ(first.severity, Severity::kFatal);
  EXPECT_EQ(first.canonical.id, slot_id(9));
  silent(row(8, "hook_created"));
  const auto earlier = told(row(6, "hook_created", "other"));
  EXPECT_EQ(earlier.id, first.id);
  EXPECT_EQ(earlier.change, FindingChange::kChanged);
  EXPECT_EQ(earlier.duplicate.id, ulid("wevt_", 6));
}

TEST_F(WorkflowRun, ASlotNumberMakesTheRunOneOfTheNewEngine) {
  silent(row(1, "step_created"));
  silent(row(2, "step_completed"));
  EXPECT_EQ(told(row(3, "step_created")).severity, Severity::kFatal);
  bool judged_again = false;
  for (const auto& finding : judge.arrive(Event{"r", slot_id(1), {"other"}, "step_created"})) {
    if (finding.rule != Rule::kDuplicateCreated) continue;
    judged_again = true;
    EXPECT_EQ(finding.severity, Severity::kHarmless);
    EXPECT_EQ(finding.engine, Engine::kV5);
  }
  EXPECT_TRUE(judged_again);
}

TEST_F(WorkflowRun, AFindingCarriesItsRowsAndTheirCommits) {
  const auto commit = [](std::uint32_t n) {
    return CommitInfo{.lsn = decoder::Lsn{0x16B0U + n}, .time = decoder::Timestamp{70 + n}, .xid = n};
  };
  (void)judge.arrive(row(1, "step_created"));
  (void)judge.arrive(row(2, "step_completed"), commit(8));
  const auto findings = judge.arrive(row(3, "step_created"), commit(9));
  ASSERT_EQ(findings.size(), 1U);
  const auto& finding = findings[0];
  EXPECT_EQ(finding.table, "workflow.workflow_events");
  EXPECT_EQ(finding.run_id, "r");
  EXPECT_EQ(finding.type, "step_created");
  EXPECT_EQ(finding.identity, (std::vector<std::optional<std::string>>{"c"}));
  EXPECT_EQ(finding.canonical.xid, std::nullopt);
  EXPECT_EQ(finding.canonical.commit_lsn, std::nullopt);
  EXPECT_EQ(finding.canonical.commit_time, std::nullopt);
  ASSERT_TRUE(finding.closing);
  EXPECT_EQ(finding.closing->xid, 8U);
  EXPECT_EQ(finding.closing->commit_lsn, decoder::Lsn{0x16B8});
  EXPECT_EQ(finding.duplicate.xid, 9U);
  EXPECT_EQ(finding.duplicate.commit_lsn, decoder::Lsn{0x16B9});
  EXPECT_EQ(finding.duplicate.commit_time, decoder::Timestamp{79});
}

TEST(GenericTable, AnUnlistedTypeIsNamedInTheFindingAndNotPartOfItsIdentity) {
  RunJudge judge(orders_profile());
  (void)judge.arrive(Event{"r", "1", {"o1", std::nullopt}, "shipped"});
  EXPECT_TRUE(judge.arrive(Event{"r", "2", {"o1", std::nullopt}, "packed"}).empty());
  const auto findings = judge.arrive(Event{"r", "3", {"o1", std::nullopt}, "shipped"});
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].rule, Rule::kDuplicate);
  EXPECT_EQ(findings[0].severity, Severity::kUnknown);
  EXPECT_EQ(findings[0].type, "shipped");
  EXPECT_EQ(findings[0].identity, (std::vector<std::optional<std::string>>{"o1", std::nullopt}));
}

TEST(GenericTable, NothingIsLateThatIsNoDuplicate) {
  RunJudge judge(orders_profile());
  EXPECT_TRUE(judge.arrive(Event{"r", "1", {"o1", "a"}, "closed"}).empty());
  EXPECT_TRUE(judge.arrive(Event{"r", "2", {"o1", "a"}, "opened"}).empty());
  EXPECT_TRUE(judge.arrive(Event{"r", "3", {"o1", "a"}, "archived"}).empty());
  EXPECT_TRUE(judge.arrive(Event{"r", slot_id(4), {"o1", "b"}, "opened"}).empty())
      << "slot numbers mean nothing here";
}

TEST(FindingId, IsStableOverVersionsAndMachines) {
  // Golden values: a change here makes every finding that was ever reported come again as new.
  EXPECT_EQ(finding_id("workflow.workflow_events", Rule::kDuplicate, "wrun_01K9ZC3F4E5G6H7J8K9MNPQRST",
                       "wevt_01K9ZC3F4E5G6H7J8K9MNPQRSV"),
            0x7237f89b5f93c026ULL);
  EXPECT_EQ(finding_id("", Rule::kDuplicate, "", ""), 0x96750a3d97ec2319ULL);
}

TEST(FindingId, DependsOnTableRuleRunAndDuplicate) {
  const auto id = finding_id("t", Rule::kDuplicate, "r", "d");
  EXPECT_NE(id, finding_id("u", Rule::kDuplicate, "r", "d"));
  EXPECT_NE(id, finding_id("t", Rule::kDuplicateCreated, "r", "d"));
  EXPECT_NE(id, finding_id("t", Rule::kDuplicate, "s", "d"));
  EXPECT_NE(id, finding_id("t", Rule::kDuplicate, "r", "e"));
  EXPECT_NE(finding_id("t", Rule::kDuplicate, "ab", "c"), finding_id("t", Rule::kDuplicate, "a", "bc"));
}

TEST(FindingId, OfARuleAboutTheWholeRunDoesNotDependOnTheRow) {
  for (const auto rule : {Rule::kIdScheme, Rule::kSlotGap, Rule::kRunLost}) {
    EXPECT_EQ(finding_id("t", rule, "r", "d"), finding_id("t", rule, "r", "e"));
    EXPECT_NE(finding_id("t", rule, "r", "d"), finding_id("t", rule, "s", "d"));
  }
}

}  // namespace
}  // namespace dupwatch::core::replay_findings_test
