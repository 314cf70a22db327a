#include "daemon/core/slot_gap.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/unit/core/run_judge.hpp"

namespace dupwatch::core::slot_gap_test {
namespace {

/// "before > after" of the first gap, or "none".
std::string gap_of(const std::vector<std::string>& ids) {
  SlotNumbers slots;
  for (const auto& id : ids) slots.add(id);
  const auto gap = slots.first_gap();
  return gap ? gap->before + " > " + gap->after : "none";
}

TEST(SlotNumbers, ARunBeginsWithSlotOneOrTwoAndHasNoHole) {
  EXPECT_EQ(gap_of({}), "none");
  EXPECT_EQ(gap_of({slot_id(1)}), "none");
  EXPECT_EQ(gap_of({slot_id(2), slot_id(3)}), "none") << "slot 1 is run_created's and may be missing";
  EXPECT_EQ(gap_of({slot_id(3), slot_id(1), slot_id(2), slot_id(2)}), "none");
  EXPECT_EQ(gap_of({slot_id(3)}), " > " + slot_id(3));
  EXPECT_EQ(gap_of({slot_id(1), slot_id(3)}), slot_id(1) + " > " + slot_id(3));
  EXPECT_EQ(gap_of({slot_id(9), slot_id(1), slot_id(2), slot_id(4)}), slot_id(2) + " > " + slot_id(4));
}

TEST(SlotNumbers, WithAnIdOfAnotherKindAmongThemNothingIsCounted) {
  for (const auto& other : {ulid("wevt_", 7), std::string("evnt_9"), std::string(), ulid("evnt_", 5)}) {
    EXPECT_EQ(gap_of({slot_id(1), slot_id(4), other}), "none") << other;
  }
}

TEST(SlotNumbers, ClearBeginsTheNextRun) {
  SlotNumbers slots;
  slots.add(slot_id(7));
  slots.add("another");
  slots.clear();
  EXPECT_EQ(slots.first_gap(), std::nullopt);
  slots.add(slot_id(7));
  EXPECT_NE(slots.first_gap(), std::nullopt);
}

RC_GTEST_PROP(SlotNumbers, TheFirstHoleIsWhereTheSetHasIt, ()) {
  const auto numbers =
      *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(1, 12));
  const std::set<std::uint64_t> present(numbers.begin(), numbers.end());
  std::string expected = "none";
  for (std::uint64_t n = 2; !present.empty() && n < *present.rbegin() && expected == "none"; ++n) {
    if (present.contains(n)) continue;
    const auto behind = *present.upper_bound(n);
    const bool begins = *present.begin() > n;
    expected = (begins ? std::string() : slot_id(*--present.lower_bound(n))) + " > " + slot_id(behind);
  }
  std::vector<std::string> ids;
  for (const auto n : numbers) ids.push_back(slot_id(n));
  RC_ASSERT(gap_of(ids) == expected);
}

TEST(SlotGap, IsDescribedAsAFindingOfTheRun) {
  const auto profile = workflow_devkit_profile();
  RuleConfig config;
  const TokenCodec codec;
  const SlotNumbers::Gap gap{.before = slot_id(2), .after = slot_id(4)};
  const ReplayRules rules(profile, config, codec);
  const auto finding = rules.describe_gap(gap, "r", false, Origin::kRecheck);
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->rule, Rule::kSlotGap);
  EXPECT_EQ(finding->severity, Severity::kFatal);
  EXPECT_EQ(finding->engine, Engine::kV5);
  EXPECT_EQ(finding->state, FindingState::kOpen);
  EXPECT_EQ(finding->pending, Pending::kCertain);
  EXPECT_EQ(finding->canonical.id, slot_id(2));
  EXPECT_EQ(finding->duplicate.id, slot_id(4));
  EXPECT_EQ(rules.describe_gap(gap, "r", true, Origin::kRecheck)->state, FindingState::kRunEnded);
  config.engine = Engine::kV4;
  EXPECT_EQ(rules.describe_gap(gap, "r", false, Origin::kRecheck)->severity, Severity::kUnknown);
  config.engine.reset();
  ReplayRules by_run(profile, config, codec);
  by_run.set_auto_engines({.by_run = SpecSource::kRuns});
  constexpr auto kSpec9 = Engine::kV5SingleOrchestrator;
  EXPECT_EQ(by_run.describe_gap(gap, "r", false, Origin::kRecheck, kSpec9)->severity, Severity::kUnknown);
  EXPECT_EQ(by_run.describe_gap(gap, "r", false, Origin::kRecheck)->severity, Severity::kFatal);
  config.rules[static_cast<std::size_t>(Rule::kSlotGap)].enabled = false;
  EXPECT_EQ(rules.describe_gap(gap, "r", false, Origin::kRecheck), std::nullopt);
}

}  // namespace
}  // namespace dupwatch::core::slot_gap_test
