#include "daemon/core/slot_guard.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::slot_guard_test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;
constexpr GuardTime kStart{};

TEST(Fuse, IsTheConfiguredSizeWhateverTheServerKeeps) {
  EXPECT_EQ(fuse_bytes({}, -1), 10 * kGiB);
  EXPECT_EQ(fuse_bytes({.bytes = 5, .percent = 0}, 1'000), 5U);
  EXPECT_EQ(fuse_bytes({.bytes = 0, .percent = 0}, 1'000), std::nullopt) << "0 switches it off";
}

TEST(Fuse, OfAShareIsTakenOfTheServersLimit) {
  EXPECT_EQ(fuse_bytes({.bytes = 7, .percent = 80}, 1'000), 800U);
  EXPECT_EQ(fuse_bytes({.bytes = 7, .percent = 80}, -1), 10 * kGiB) << "no limit to take a share of";
  EXPECT_EQ(fuse_bytes({.bytes = 7, .percent = 1}, 0), 1U) << "never 0, which would be no fuse";
  EXPECT_EQ(fuse_bytes({.bytes = 7, .percent = 99}, INT64_MAX),
            static_cast<std::uint64_t>(INT64_MAX / 100) * 99);
}

TEST(LostPolicy, NeverCreatesWhereNothingMayBeCreated) {
  SlotConfig slot;
  EXPECT_EQ(lost_policy(slot), LostPolicy::kRecreateAndScan);
  slot.lost_policy = LostPolicy::kStop;
  EXPECT_EQ(lost_policy(slot), LostPolicy::kStop);
  slot.create = false;
  slot.lost_policy = LostPolicy::kPoll;
  EXPECT_EQ(lost_policy(slot), LostPolicy::kPoll);
  slot.lost_policy = LostPolicy::kRecreateAndScan;
  EXPECT_EQ(lost_policy(slot), LostPolicy::kStop);
}

TEST(RetentionTrend, SaysWhenTheLimitIsReached) {
  RetentionTrend trend;
  EXPECT_EQ(trend.seconds_to(100), std::nullopt) << "nothing known";
  trend.sample(0, kStart);
  EXPECT_EQ(trend.seconds_to(100), std::nullopt) << "one sample has no rate";
  trend.sample(20, kStart + seconds{10});
  EXPECT_DOUBLE_EQ(trend.rate(), 2.0);
  EXPECT_EQ(trend.seconds_to(100), 40.0);
  EXPECT_EQ(trend.seconds_to(20), 0.0);
  EXPECT_EQ(trend.seconds_to(10), 0.0) << "past it";
}

TEST(RetentionTrend, OfAShrinkingOrForgottenSlotHasNoEnd) {
  RetentionTrend trend;
  trend.sample(50, kStart);
  trend.sample(20, kStart + seconds{10});
  EXPECT_DOUBLE_EQ(trend.rate(), 0.0);
  EXPECT_EQ(trend.seconds_to(100), std::nullopt);
  trend.reset();
  EXPECT_EQ(trend.seconds_to(1), std::nullopt);
}

TEST(RetentionTrend, LooksAtTheLastMinutesAlone) {
  RetentionTrend trend;
  trend.sample(0, kStart);
  trend.sample(1'000, kStart + seconds{1});  // too soon to be kept
  for (int i = 1; i <= 20; ++i) trend.sample(1'000, kStart + i * minutes{1});
  EXPECT_DOUBLE_EQ(trend.rate(), 0.0) << "the rise is out of the window";
}

TEST(SlotReturn, IsAtOnceAfterAFirstLossAndLaterAfterEachQuickOne) {
  SlotReturn slot{seconds{30}};
  EXPECT_EQ(slot.lost(kStart, true), Milliseconds{0});
  EXPECT_EQ(slot.lost(kStart + minutes{1}, true), minutes{1});
  EXPECT_EQ(slot.lost(kStart + minutes{2}, true), minutes{2});
  EXPECT_EQ(slot.losses(), 3U);
  for (int i = 0; i < 100; ++i) EXPECT_LE(slot.lost(kStart + minutes{3}, true), SlotReturn::kPauseMax);
  EXPECT_EQ(slot.lost(kStart + minutes{3}, true), SlotReturn::kPauseMax);
}

TEST(SlotReturn, AfterAFuseAlwaysPauses) {
  SlotReturn slot{seconds{30}};
  EXPECT_EQ(slot.lost(kStart, false), minutes{1});
  EXPECT_EQ(slot.lost(kStart, false), minutes{2});
}

TEST(SlotReturn, AnotherPollIntervalCountsFromTheNextLossOn) {
  SlotReturn slot{seconds{30}};
  EXPECT_EQ(slot.lost(kStart, false), minutes{1});
  slot.set_poll_interval(seconds{5});
  EXPECT_EQ(slot.lost(kStart, false), seconds{20}) << "the second loss waits twice as long";
}

TEST(SlotReturn, ForgetsOldLossesOnceTheSlotHeld) {
  SlotReturn slot{seconds{30}};
  static_cast<void>(slot.lost(kStart, true));
  slot.streaming(kStart);
  EXPECT_EQ(slot.lost(kStart + minutes{9}, true), minutes{1}) << "within minutes: the same story";
  slot.streaming(kStart + minutes{10});
  EXPECT_EQ(slot.lost(kStart + minutes{20}, true), Milliseconds{0});
  EXPECT_EQ(slot.lost(kStart + hours{9}, true), minutes{1}) << "it did not stream in between";
}

TEST(PoisonWatch, CountsTheSameFailureAtTheSamePosition) {
  PoisonWatch watch;
  EXPECT_EQ(watch.failed("XX000", "invalid memory alloc request size 1", decoder::Lsn{5}), 1U);
  EXPECT_EQ(watch.failed("XX000", "invalid memory alloc request size 1", decoder::Lsn{5}), 2U);
  EXPECT_EQ(watch.failed("XX000", "invalid memory alloc request size 1", decoder::Lsn{5}),
            PoisonWatch::kRepeats);
}

TEST(PoisonWatch, BeginsAnewWithEveryDifference) {
  PoisonWatch watch;
  EXPECT_EQ(watch.failed("XX000", "a", decoder::Lsn{5}), 1U);
  EXPECT_EQ(watch.failed("XX000", "a", decoder::Lsn{6}), 1U) << "the stream got further";
  EXPECT_EQ(watch.failed("XX000", "b", decoder::Lsn{6}), 1U);
  EXPECT_EQ(watch.failed("22021", "b", decoder::Lsn{6}), 1U);
  EXPECT_EQ(watch.failed("22021", "b", decoder::Lsn{6}), 2U);
  watch.reset();
  EXPECT_EQ(watch.failed("22021", "b", decoder::Lsn{6}), 1U);
}

}  // namespace
}  // namespace dupwatch::core::slot_guard_test
