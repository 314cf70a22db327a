#include "daemon/core/order_watch.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace dupwatch::core::order_watch_test {
namespace {

constexpr std::int64_t kMilli = 1000;

/// Transactions that commit one after the other.
class Commits {
 public:
  explicit Commits(TextOrder order = TextOrder::kNumbers) { watch.set_order(order); }
  void commit(const std::vector<std::string>& ids, std::int64_t micros) { commit_at(++lsn_, ids, micros); }
  void commit_at(std::uint64_t lsn, const std::vector<std::string>& ids, std::int64_t micros) {
    watch.begin({.xid = 1, .commit_time = {micros}, .commit_lsn = decoder::Lsn{lsn}});
    for (const auto& id : ids) watch.row(id);
    watch.commit();
  }
  [[nodiscard]] double longest() const { return watch.stats().needed.back(); }

  OrderWatch watch;

 private:
  std::uint64_t lsn_ = 0;
};

TEST(OrderWatch, AnIdBehindAGreaterOneWaitsFromTheFirstThatWasGreater) {
  Commits c;
  c.commit({"8"}, 1 * kMilli);
  c.commit({"10"}, 2 * kMilli);
  c.commit({"12"}, 50 * kMilli);
  EXPECT_EQ(c.watch.stats().behind, 0U);
  c.commit({"9"}, 102 * kMilli);
  EXPECT_EQ(c.watch.stats().behind, 1U);
  EXPECT_DOUBLE_EQ(c.longest(), 0.1) << "10 was there first, not 12";
  c.commit({"11"}, 60 * kMilli);
  EXPECT_EQ(c.watch.stats().behind, 2U);
  EXPECT_EQ(c.watch.stats().rows, 5U);
  EXPECT_DOUBLE_EQ(c.longest(), 0.1);
}

TEST(OrderWatch, RowsOfOneTransactionAreVisibleTogether) {
  Commits c;
  c.commit({"5", "4", "3"}, 1 * kMilli);
  EXPECT_EQ(c.watch.stats().behind, 0U);
  c.commit({"4", "6"}, 2 * kMilli);
  EXPECT_EQ(c.watch.stats().behind, 1U) << "4 is behind the 5 of before";
}

TEST(OrderWatch, IdsCompareAsTheirColumnDoes) {
  Commits numbers;
  numbers.commit({"9"}, 1);
  numbers.commit({"10"}, 2);
  EXPECT_EQ(numbers.watch.stats().behind, 0U);
  Commits bytes(TextOrder::kBytes);
  bytes.commit({"9"}, 1);
  bytes.commit({"10"}, 2);
  EXPECT_EQ(bytes.watch.stats().behind, 1U);
}

TEST(OrderWatch, WhatTheStreamRepeatsIsNotSeenAgain) {
  Commits c;
  c.commit_at(100, {"1"}, 1 * kMilli);
  c.commit_at(200, {"2"}, 2 * kMilli);
  c.commit_at(100, {"1"}, 1 * kMilli);
  c.commit_at(200, {"2"}, 2 * kMilli);
  EXPECT_EQ(c.watch.stats().rows, 2U);
  EXPECT_EQ(c.watch.stats().behind, 0U);
  // Another server, whose positions begin lower.
  c.commit_at(10, {"1"}, 3 * kMilli);
  EXPECT_EQ(c.watch.stats().behind, 1U);
}

TEST(OrderWatch, AClockThatGoesBackGivesNoNegativeDelay) {
  Commits c;
  c.commit({"2"}, 5 * kMilli);
  c.commit({"1"}, 4 * kMilli);
  EXPECT_EQ(c.watch.stats().behind, 1U);
  EXPECT_DOUBLE_EQ(c.longest(), 0);
}

TEST(OrderWatch, SharesAreThoseOfAllRows) {
  Commits c;
  for (int i = 0; i < 1000; ++i) c.commit({std::to_string(1000 + i)}, i * kMilli);
  for (int i = 0; i < 9; ++i) c.commit({"10" + std::to_string(10 + i) + ".5"}, 2000 * kMilli);
  const auto stats = c.watch.stats();
  EXPECT_EQ(stats.behind, 9U);
  EXPECT_DOUBLE_EQ(stats.needed[0], 0);
  EXPECT_DOUBLE_EQ(stats.needed[1], 0);
  EXPECT_NEAR(stats.needed[2], 1.989, 0.125 * 1.989);
  EXPECT_DOUBLE_EQ(stats.needed[3], 1.989);
  EXPECT_EQ(stats.delay.buckets[0], 1000U);
}

TEST(OrderWatch, LongIdsAreLeftOut) {
  Commits c;
  c.commit({std::string(OrderWatch::kIdBytesMax + 1, '9')}, 1);
  EXPECT_EQ(c.watch.stats().rows, 0U);
  EXPECT_EQ(c.watch.steps(), 0U);
}

TEST(OrderWatch, MemoryIsBoundedAndOfLongAgoALittleMoreIsSaid) {
  Commits c;
  const auto at = [](int id) { return static_cast<std::int64_t>(id) * kMilli; };
  constexpr int kIds = 200'000;
  for (int id = 1; id <= kIds; ++id) {
    c.commit({std::to_string(id)}, at(id));
    ASSERT_LE(c.watch.steps(), OrderWatch::kStepsMax);
  }
  for (const int id : {1, 70, 5'000, 100'000, 199'000, 199'990}) {
    Commits copy = c;
    copy.commit_at(1'000'000, {std::to_string(id) + ".5"}, at(kIds));
    const double waited = static_cast<double>(at(kIds) - at(id + 1)) / 1e6;
    EXPECT_GE(copy.longest(), waited) << id;
    EXPECT_LE(copy.longest(), waited * 1.01 + 0.0011) << id;
  }
}

TEST(OrderWatch, WhereNothingIsOldEnoughToThinOutTheFirstMomentsBecomeOne) {
  Commits c;
  c.commit({"10"}, 1 * kMilli);
  for (std::size_t i = 1; i <= OrderWatch::kStepsMax; ++i) c.commit({std::to_string(10 + i)}, 500 * kMilli);
  c.commit({"9"}, 501 * kMilli);
  EXPECT_DOUBLE_EQ(c.longest(), 0.5) << "longer than it was, perhaps, and never shorter";
}

RC_GTEST_PROP(OrderWatch, FindsEveryRowThatIsBehind, ()) {
  const auto ids = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 50));
  Commits c;
  std::map<int, std::int64_t> first;  // id -> when it was there
  std::uint64_t behind = 0;
  std::int64_t longest = 0;
  std::int64_t now = 0;
  for (const int id : ids) {
    now += kMilli;
    std::int64_t passed = now;
    for (auto greater = first.upper_bound(id); greater != first.end(); ++greater)
      passed = std::min(passed, greater->second);
    if (first.upper_bound(id) != first.end()) ++behind;
    longest = std::max(longest, now - passed);
    first.try_emplace(id, now);
    c.commit({std::to_string(id)}, now);
  }
  RC_ASSERT(c.watch.stats().behind == behind);
  RC_ASSERT(c.longest() == static_cast<double>(longest) / 1e6);
}

}  // namespace
}  // namespace dupwatch::core::order_watch_test
