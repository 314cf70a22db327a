#include "daemon/quarantine/eligibility.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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
  finding.reason = rule_case.reason;
  finding.after_close = rule_case.shape == Shape::kAfterClose || rule_case.shape == Shape::kFirstAfterClose ||
                        rule_case.shape == Shape::kSameType;
  finding.canonical.id = "wevt_1";
  finding.duplicate.id = "wevt_2";
  return finding;
}

Finding fatal() {
  return finding_of(core::rule_case(Rule::kDuplicateCreated, Shape::kAfterClose));
}

TEST(Eligibility, OfAllCasesOnlyThoseThatWereMeasuredToHeal) {
  std::vector<std::pair<Rule, Shape>> allowed;
  for (const auto& rule_case : core::rule_cases()) {
    if (!refusal(finding_of(rule_case), false)) allowed.emplace_back(rule_case.rule, rule_case.shape);
  }
  std::ranges::sort(allowed);
  std::vector<std::pair<Rule, Shape>> expected = {{Rule::kDuplicateCreated, Shape::kAfterClose},
                                                  {Rule::kDuplicateCreated, Shape::kFirstAfterClose},
                                                  {Rule::kSecondTerminal, Shape::kSameType},
                                                  {Rule::kLifecycleAfterClose, Shape::kAfterClose}};
  std::ranges::sort(expected);
  EXPECT_EQ(allowed, expected);
}

TEST(Eligibility, NeverInARunWithSlotNumbersWhateverTheFinding) {
  for (const auto& rule_case : core::rule_cases()) {
    EXPECT_EQ(refusal(finding_of(rule_case), true), Refusal::kSlotNumbered);
  }
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

TEST(Eligibility, EveryRefusalHasASlugAndASentence) {
  std::vector<std::string_view> slugs;
  for (const auto reason : {Refusal::kNotFatal, Refusal::kSlotNumbered, Refusal::kRunEnded, Refusal::kRule,
                            Refusal::kOutcome, Refusal::kCanonical}) {
    EXPECT_FALSE(explanation(reason).empty());
    slugs.push_back(to_string(reason));
  }
  std::ranges::sort(slugs);
  EXPECT_EQ(std::ranges::adjacent_find(slugs), slugs.end());
}

}  // namespace
}  // namespace dupwatch::quarantine::eligibility_test
