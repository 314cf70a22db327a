#include "daemon/core/slot_holes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dupwatch::core::slot_holes_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Runs = std::vector<std::string>;

constexpr Instant kStart{std::chrono::hours(1)};
constexpr std::size_t kAny = 100;

TEST(SlotHoles, AHoleThatLastsIsAskedForAndOneThatIsFilledInTimeIsNot) {
  SlotHoles holes;
  EXPECT_EQ(holes.next_due(), Instant::max());
  holes.note("dense", 4, 4, kStart);
  holes.note("late", 2, 3, kStart);
  holes.note("filled", 2, 3, kStart);
  EXPECT_EQ(holes.next_due(), kStart + seconds(5));
  holes.note("filled", 3, 3, kStart + seconds(1));
  // Time runs from the first sight of it.
  holes.note("late", 3, 4, kStart + seconds(4));
  EXPECT_EQ(holes.due(kStart + milliseconds(4999), kAny), Runs{});
  EXPECT_EQ(holes.due(kStart + seconds(5), kAny), Runs{"late"});
  EXPECT_EQ(holes.due(kStart + seconds(5), kAny), Runs{}) << "it was asked for";
}

TEST(SlotHoles, AHoleThatWasToldIsAskedForAtOnceWhenItFills) {
  SlotHoles holes;
  holes.note("run", 2, 4, kStart);
  EXPECT_EQ(holes.due(kStart + seconds(5), kAny), Runs{"run"});
  EXPECT_FALSE(holes.told("run"));
  holes.answered("run", true, kStart + seconds(5));
  EXPECT_TRUE(holes.told("run"));
  holes.note("run", 3, 5, kStart + seconds(6));
  EXPECT_EQ(holes.due(kStart + seconds(6), kAny), Runs{}) << "a row behind the hole fills nothing";
  holes.note("run", 4, 5, kStart + seconds(7));
  EXPECT_EQ(holes.next_due(), kStart + seconds(7));
  EXPECT_EQ(holes.due(kStart + seconds(7), kAny), Runs{"run"});
  holes.answered("run", true, kStart + seconds(7));
  holes.note("run", 5, 5, kStart + seconds(8));
  EXPECT_EQ(holes.due(kStart + seconds(8), kAny), Runs{"run"});
  holes.answered("run", false, kStart + seconds(8));
  EXPECT_FALSE(holes.told("run"));
  EXPECT_EQ(holes.size(), 0U);
}

// A commit is in the stream before a query sees it.
TEST(SlotHoles, WhatTheTableDoesNotShowYetIsAskedForAgainSoon) {
  SlotHoles holes;
  holes.note("run", 2, 4, kStart);
  (void)holes.due(kStart + seconds(5), kAny);
  holes.answered("run", true, kStart + seconds(5));
  holes.note("run", 4, 4, kStart + seconds(6));
  for (int second = 6; second < 9; ++second) {
    EXPECT_EQ(holes.due(kStart + seconds(second), kAny), Runs{"run"});
    holes.answered("run", true, kStart + seconds(second));
    EXPECT_TRUE(holes.told("run"));
  }
  EXPECT_EQ(holes.due(kStart + seconds(9), kAny), Runs{"run"});
  holes.answered("run", false, kStart + seconds(9));
  EXPECT_EQ(holes.size(), 0U);
}

// Once, since the others stay.
TEST(SlotHoles, AfterOneOfSeveralIsFilledTheTableIsAskedOnceMore) {
  SlotHoles holes;
  holes.note("run", 2, 5, kStart);
  (void)holes.due(kStart + seconds(9), kAny);
  holes.answered("run", true, kStart + seconds(9));
  holes.note("run", 3, 5, kStart + seconds(10));
  EXPECT_EQ(holes.due(kStart + seconds(10), kAny), Runs{"run"});
  holes.answered("run", true, kStart + seconds(10));
  EXPECT_EQ(holes.due(kStart + seconds(11), kAny), Runs{"run"});
  holes.answered("run", true, kStart + seconds(11));
  EXPECT_EQ(holes.due(kStart + seconds(12), kAny), Runs{});
}

TEST(SlotHoles, AHoleThatStaysIsAskedForNowAndThen) {
  SlotHoles holes;
  holes.note("run", 2, 4, kStart);
  (void)holes.due(kStart + seconds(5), kAny);
  holes.answered("run", true, kStart + seconds(5));
  EXPECT_EQ(holes.due(kStart + seconds(64), kAny), Runs{});
  EXPECT_EQ(holes.due(kStart + seconds(65), kAny), Runs{"run"});
}

// Slot 1 may be missing for good, and rows of a type that no rule knows do not come with the stream.
TEST(SlotHoles, WhereTheTableHasNoHoleOnlyALargerOneIsAskedFor) {
  SlotHoles holes;
  holes.note("run", 3, 4, kStart);
  EXPECT_EQ(holes.due(kStart + seconds(5), kAny), Runs{"run"});
  holes.answered("run", false, kStart + seconds(5));
  EXPECT_EQ(holes.due(kStart + minutes(10), kAny), Runs{});
  EXPECT_EQ(holes.next_due(), Instant::max());
  holes.note("run", 4, 5, kStart + minutes(11));
  EXPECT_EQ(holes.next_due(), Instant::max());
  holes.note("run", 5, 7, kStart + minutes(12));
  EXPECT_EQ(holes.next_due(), kStart + minutes(12) + seconds(5));
}

TEST(SlotHoles, AQuestionWithoutAnAnswerIsAskedAgain) {
  SlotHoles holes;
  holes.note("run", 2, 4, kStart);
  EXPECT_EQ(holes.due(kStart + seconds(5), kAny), Runs{"run"});
  holes.unanswered("run", kStart + seconds(5));
  EXPECT_EQ(holes.next_due(), kStart + seconds(6));
  EXPECT_EQ(holes.due(kStart + seconds(6), kAny), Runs{"run"});
}

TEST(SlotHoles, ManyAreAskedForInTurns) {
  SlotHoles holes;
  for (const auto* run : {"a", "b", "c"}) holes.note(run, 2, 4, kStart);
  EXPECT_EQ(holes.due(kStart + seconds(5), 2), (Runs{"a", "b"}));
  EXPECT_EQ(holes.next_due(), kStart + seconds(5));
  EXPECT_EQ(holes.due(kStart + seconds(5), 2), Runs{"c"});
}

TEST(SlotHoles, SoManyAndNoMore) {
  SlotHoles holes;
  for (std::size_t i = 0; i <= SlotHoles::kRunsMax; ++i) holes.note(std::to_string(i), 2, 4, kStart);
  EXPECT_EQ(holes.size(), SlotHoles::kRunsMax);
  // Those that are no holes make room.
  for (const auto& run : holes.due(kStart + seconds(5), 10)) holes.answered(run, false, kStart + seconds(5));
  holes.note("one more", 2, 4, kStart + seconds(6));
  EXPECT_EQ(holes.size(), SlotHoles::kRunsMax - 9);
}

}  // namespace
}  // namespace dupwatch::core::slot_holes_test
