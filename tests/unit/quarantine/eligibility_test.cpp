#include "daemon/quarantine/eligibility.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dupwatch::quarantine::eligibility_test {
namespace {

using core::Engine;
using core::Finding;
using core::FindingState;
using core::Rule;
using core::RuleCase;
using core::Severity;
using core::Shape;

/// A finding of an open 4.x run, as ReplayRules::describe makes it from this case.
Finding finding_of(const RuleCase& rule_case) {
  Finding finding;
  finding.rule = rule_case.rule;
  finding.severity = rule_case.severity[static_cast<std::size_t>(Engine::kV4)];
  finding.shape = rule_case.shape;
  finding.after_close = rule_case.shape == Shape::kAfterClose || rule_case.shape == Shape::kFirstAfterClose ||
                        rule_case.shape == Shape::kSameType;
  finding.canonical.id = "wevt_1";
  finding.duplicate.id = "wevt_2";
  return finding;
}

Finding fatal() {
  return finding_of(core::rule_case(Rule::kDuplicateCreated, Shape::kAfterClose));
}

/// The cases whose row may be taken out of a 4.x run, each with its own severity or with this one.
std::vector<std::pair<Rule, Shape>> allowed_cases(std::optional<Severity> severity = std::nullopt) {
  std::vector<std::pair<Rule, Shape>> allowed;
  for (const auto& rule_case : core::rule_cases()) {
    auto finding = finding_of(rule_case);
    finding.severity = severity.value_or(finding.severity);
    if (!refusal(finding, false)) allowed.emplace_back(rule_case.rule, rule_case.shape);
  }
  std::ranges::sort(allowed);
  return allowed;
}

std::vector<std::pair<Rule, Shape>> cases_that_heal() {
  std::vector<std::pair<Rule, Shape>> cases = {{Rule::kDuplicateCreated, Shape::kAfterClose},
                                               {Rule::kDuplicateCreated, Shape::kFirstAfterClose},
                                               {Rule::kSecondTerminal, Shape::kSameType},
                                               {Rule::kLifecycleAfterClose, Shape::kAfterClose}};
  std::ranges::sort(cases);
  return cases;
}

TEST(Eligibility, OfAllCasesOnlyThoseThatWereMeasuredToHeal) {
  EXPECT_EQ(allowed_cases(), cases_that_heal());
}

TEST(Eligibility, TheCommandOfAFindingIsOfferedWhereItWouldNotBeRefused) {
  for (const auto& rule_case : core::rule_cases()) {
    for (std::size_t state = 0; state < core::kFindingStates; ++state) {
      auto finding = finding_of(rule_case);
      finding.state = static_cast<FindingState>(state);
      const bool over = finding.state == FindingState::kGone || finding.state == FindingState::kQuarantined;
      const bool offered = !core::fix_command(finding).empty();
      EXPECT_EQ(offered, !over && !refusal(finding, false))
          << to_string(rule_case.rule) << " " << to_string(rule_case.shape) << " "
          << to_string(finding.state);
      std::swap(finding.canonical, finding.duplicate);
      EXPECT_EQ(core::fix_command(finding), "");
    }
  }
}

// Measured with two equal outcomes of which the first sorts before the step's own rows: without the second
// the run dies of the first.
TEST(Eligibility, NotWhileTheRowThatWouldStaySortsBeforeItsBeginning) {
  const auto profile = core::workflow_devkit_profile();
  auto finding = finding_of(core::rule_case(Rule::kSecondTerminal, Shape::kSameType));
  finding.canonical.id = "wevt_2";
  finding.duplicate.id = "wevt_5";
  const auto judged = [&](std::string_view first_created,
                          std::optional<std::string_view> of_step = "step_a") {
    const std::vector<LogRow> run = {{first_created, "step_created", of_step},
                                     {"wevt_2", "step_completed", "step_a"},
                                     {"wevt_4", "step_started", "step_a"},
                                     {"wevt_5", "step_completed", "step_a"}};
    return canonical_is_misplaced(finding, run, profile);
  };
  EXPECT_TRUE(judged("wevt_3"));
  EXPECT_FALSE(judged("wevt_1"));
  EXPECT_FALSE(judged("wevt_3", "step_b")) << "of another step";
  EXPECT_FALSE(judged("wevt_3", std::nullopt)) << "a lost row says nothing";
  finding.canonical.id = "wevt_9";
  EXPECT_FALSE(judged("wevt_3")) << "not in the log";
}

TEST(Eligibility, ASeverityOfTheUsersOpensNoOtherCase) {
  EXPECT_EQ(allowed_cases(Severity::kFatal), cases_that_heal());
  for (const auto shape : {Shape::kBeforeClose, Shape::kNoClosing}) {
    auto open = finding_of(core::rule_case(Rule::kDuplicateCreated, shape));
    open.severity = Severity::kFatal;
    EXPECT_EQ(refusal(open, false), Refusal::kRule) << to_string(shape);
  }
}

TEST(Eligibility, NothingWithoutAShape) {
  auto finding = fatal();
  finding.shape.reset();
  EXPECT_EQ(refusal(finding, false), Refusal::kRule);
}

TEST(Eligibility, NeverInARunWithSlotNumbersWhateverTheFinding) {
  for (const auto& rule_case : core::rule_cases()) {
    EXPECT_EQ(refusal(finding_of(rule_case), true), Refusal::kSlotNumbered);
  }
}

TEST(Eligibility, ANoopOnlyInARunWithSlotNumbersOfAnEngineThatIsSaidToReadIt) {
  EXPECT_EQ(noop_refusal(fatal(), true, Engine::kV5), std::nullopt);
  EXPECT_EQ(noop_refusal(fatal(), false, Engine::kV5), Refusal::kNotSlotNumbered);
  for (const auto engine :
       {std::optional<Engine>{}, std::optional(Engine::kV4), std::optional(Engine::kV5BeforeClassSkip)}) {
    EXPECT_EQ(noop_refusal(fatal(), true, engine), Refusal::kEngine);
  }
  auto harmless = fatal();
  harmless.severity = Severity::kHarmless;
  EXPECT_EQ(noop_refusal(harmless, true, Engine::kV5), Refusal::kNotFatal);
  // What such an engine does not skip, because nothing of its class came before.
  auto late = finding_of(core::rule_case(Rule::kLifecycleAfterClose, Shape::kFirstAfterClose));
  EXPECT_EQ(noop_refusal(late, true, Engine::kV5), std::nullopt);
  late.type = "wait_created";
  EXPECT_EQ(noop_refusal(late, true, Engine::kV5), Refusal::kRule) << "the wait is lost either way";
  auto first = fatal();
  first.duplicate.id = "wevt_1";
  EXPECT_EQ(noop_refusal(first, true, Engine::kV5), Refusal::kCanonical);
  auto ended = fatal();
  ended.state = FindingState::kRunEnded;
  EXPECT_EQ(noop_refusal(ended, true, Engine::kV5), Refusal::kRunEnded);
  const auto outcome = finding_of(core::rule_case(Rule::kSecondTerminal, Shape::kOtherType));
  EXPECT_EQ(noop_refusal(outcome, true, Engine::kV5), Refusal::kOutcome);
  const auto delivery = finding_of(core::rule_case(Rule::kDeliveryAfterDisposal, Shape::kPlain));
  EXPECT_EQ(noop_refusal(delivery, true, Engine::kV5), Refusal::kRule);
}

TEST(Eligibility, NeverTheRowThatSortsFirst) {
  for (const auto* id : {"wevt_0", "wevt_1"}) {
    auto finding = fatal();
    finding.duplicate.id = id;
    EXPECT_EQ(refusal(finding, false), Refusal::kCanonical) << id;
  }
}

TEST(Eligibility, NeverWhatReplaySurvives) {
  for (const auto severity : {Severity::kConflict, Severity::kHarmless, Severity::kUnknown}) {
    auto finding = fatal();
    finding.severity = severity;
    EXPECT_EQ(refusal(finding, false), Refusal::kNotFatal);
  }
}

TEST(Eligibility, NeverInARunThatHasEnded) {
  auto finding = fatal();
  finding.state = FindingState::kRunEnded;
  EXPECT_EQ(refusal(finding, false), Refusal::kRunEnded);
}

/// A run with every type of the engine twice for each of two steps and once more without correlation id, in
/// the order of ids.
std::vector<LogRow> doubled_run() {
  std::vector<LogRow> rows;
  static std::array<std::string, 6 * 18> ids;
  for (const auto* type :
       {"run_created", "run_started", "run_completed", "run_failed", "run_cancelled", "step_created",
        "step_started", "step_retrying", "step_completed", "step_failed", "hook_created", "hook_received",
        "hook_disposed", "hook_conflict", "wait_created", "wait_completed", "attr_set", "noop"}) {
    for (const auto& entity : {std::optional<std::string_view>("a"), std::optional<std::string_view>("b"),
                               std::optional<std::string_view>()}) {
      for (int copy = 0; copy < 2; ++copy) {
        auto& id = ids.at(rows.size());
        id = "wevt_" + std::to_string(1000 + rows.size());
        rows.push_back({.id = id, .type = type, .correlation_id = entity});
      }
    }
  }
  return rows;
}

TEST(MigrationEligibility, OnlySecondRowsOfTheTypesThatTheMigrationsTouch) {
  const auto rows = doubled_run();
  std::vector<std::string> allowed;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto why = migration_refusal(rows, rows[i].id, false);
    if (!why) {
      EXPECT_EQ(i % 2, 1U) << "the canonical row of " << rows[i].type;
      allowed.push_back(std::string(rows[i].type) + "@" + std::string(rows[i].correlation_id.value_or("-")));
    } else if (i % 2 == 1) {
      EXPECT_EQ(why, Refusal::kNotIndexed) << rows[i].type;
    }
  }
  EXPECT_EQ(allowed,
            (std::vector<std::string>{"step_created@a", "step_created@b", "step_created@-", "hook_created@a",
                                      "hook_created@b", "hook_created@-", "wait_created@a", "wait_created@b",
                                      "wait_created@-", "attr_set@a", "attr_set@b"}));
}

TEST(MigrationEligibility, NeverTheRowThatSortsFirstInWhateverOrderTheyCome) {
  const std::vector<LogRow> rows = {{.id = "wevt_3", .type = "step_created", .correlation_id = "a"},
                                    {.id = "wevt_1", .type = "step_created", .correlation_id = "a"},
                                    {.id = "wevt_0", .type = "step_created", .correlation_id = "b"},
                                    {.id = "wevt_2", .type = "step_created", .correlation_id = "a"}};
  EXPECT_EQ(migration_refusal(rows, "wevt_3", false), std::nullopt);
  EXPECT_EQ(migration_refusal(rows, "wevt_2", false), std::nullopt);
  EXPECT_EQ(migration_refusal(rows, "wevt_1", false), Refusal::kCanonical);
  EXPECT_EQ(migration_refusal(rows, "wevt_0", false), Refusal::kCanonical);
}

TEST(MigrationEligibility, NeverInARunWithSlotNumbersAndNeverARowThatIsNotThere) {
  const auto rows = doubled_run();
  for (const auto& row : rows) EXPECT_EQ(migration_refusal(rows, row.id, true), Refusal::kSlotNumbered);
  EXPECT_EQ(migration_refusal(rows, "wevt_9", false), Refusal::kNotIndexed);
  EXPECT_EQ(migration_refusal({}, "wevt_1001", false), Refusal::kNotIndexed);
}

TEST(Eligibility, EveryRefusalHasASlugAndASentence) {
  std::vector<std::string_view> slugs;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Refusal::kEngine); ++i) {
    const auto reason = static_cast<Refusal>(i);
    EXPECT_FALSE(explanation(reason).empty());
    slugs.push_back(to_string(reason));
  }
  std::ranges::sort(slugs);
  EXPECT_EQ(std::ranges::adjacent_find(slugs), slugs.end());
}

}  // namespace
}  // namespace dupwatch::quarantine::eligibility_test
