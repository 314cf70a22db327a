#include "daemon/core/reported_findings.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>

namespace dupwatch::core {
namespace {

Finding finding(std::uint64_t id, const std::string& canonical, bool after_close = false) {
  Finding out;
  out.id = id;
  out.canonical.id = canonical;
  out.after_close = after_close;
  if (after_close) out.closing_id = "closing";
  return out;
}

std::uint64_t open(const ReportedFindings& reported, bool after_close) {
  return reported.open()[0][after_close ? 1 : 0];
}

TEST(ReportedFindings, AFindingIsNewOnceAndThenSilent) {
  ReportedFindings reported;
  auto first = finding(1, "b");
  EXPECT_TRUE(reported.admit(first));
  EXPECT_EQ(first.change, FindingChange::kNew);
  auto again = finding(1, "b");
  EXPECT_FALSE(reported.admit(again));
  EXPECT_EQ(open(reported, false), 1U);
}

TEST(ReportedFindings, AnEarlierCanonicalRowIsAChange) {
  ReportedFindings reported;
  auto first = finding(1, "b");
  (void)reported.admit(first);
  auto earlier = finding(1, "a");
  EXPECT_TRUE(reported.admit(earlier));
  EXPECT_EQ(earlier.change, FindingChange::kChanged);
  EXPECT_FALSE(reported.admit(earlier));
}

TEST(ReportedFindings, BecomingAfterCloseIsAChangeAndMovesTheCount) {
  ReportedFindings reported;
  auto first = finding(1, "b");
  (void)reported.admit(first);
  auto worse = finding(1, "b", true);
  EXPECT_TRUE(reported.admit(worse));
  EXPECT_EQ(worse.change, FindingChange::kChanged);
  EXPECT_EQ(open(reported, false), 0U);
  EXPECT_EQ(open(reported, true), 1U);
}

TEST(ReportedFindings, AnEarlierClosingEventIsAChange) {
  ReportedFindings reported;
  auto first = finding(1, "b", true);
  (void)reported.admit(first);
  auto earlier = finding(1, "b", true);
  earlier.closing_id = "a closing event";
  EXPECT_TRUE(reported.admit(earlier));
  EXPECT_EQ(earlier.change, FindingChange::kChanged);
  auto later = finding(1, "b", true);
  EXPECT_FALSE(reported.admit(later));
  EXPECT_EQ(open(reported, true), 1U);
}

TEST(ReportedFindings, AnOlderSnapshotIsSilent) {
  ReportedFindings reported;
  auto first = finding(1, "a", true);
  (void)reported.admit(first);
  auto older = finding(1, "b");
  EXPECT_FALSE(reported.admit(older));
  EXPECT_EQ(open(reported, true), 1U);
}

TEST(ReportedFindings, WhatAnOlderSnapshotAddsIsMergedAndNothingGoesBackwards) {
  ReportedFindings reported;
  auto first = finding(1, "a");
  (void)reported.admit(first);
  auto worse_but_older = finding(1, "b", true);
  EXPECT_TRUE(reported.admit(worse_but_older));
  EXPECT_EQ(worse_but_older.canonical.id, "a") << "the smaller id is still the canonical one";
  EXPECT_TRUE(worse_but_older.after_close);

  auto second = finding(2, "b", true);
  (void)reported.admit(second);
  auto earlier_but_open = finding(2, "a");
  EXPECT_TRUE(reported.admit(earlier_but_open));
  EXPECT_EQ(earlier_but_open.canonical.id, "a");
  EXPECT_TRUE(earlier_but_open.after_close) << "a closing event with a smaller id has been seen";
  EXPECT_EQ(earlier_but_open.closing_id, "closing");
}

TEST(ReportedFindings, AtItsBoundTheOldestIsForgottenAndComesAgainAsNew) {
  ReportedFindings reported(2);
  for (const std::uint64_t id : {1U, 2U, 3U}) {
    auto next = finding(id, "a", id == 1);
    EXPECT_TRUE(reported.admit(next));
  }
  EXPECT_EQ(open(reported, true), 0U);
  EXPECT_EQ(open(reported, false), 2U);
  auto kept = finding(2, "a");
  EXPECT_FALSE(reported.admit(kept));
  auto forgotten = finding(1, "a", true);
  EXPECT_TRUE(reported.admit(forgotten));
  EXPECT_EQ(forgotten.change, FindingChange::kNew);
}

RC_GTEST_PROP(ReportedFindings, ItsRecordsLeaveTheWorstStateEverSeen, ()) {
  ReportedFindings reported;
  std::map<std::uint64_t, std::pair<std::string, bool>> worst;
  std::map<std::uint64_t, std::pair<std::string, bool>> last_record;
  const auto count = *rc::gen::inRange(0, 60);
  for (int i = 0; i < count; ++i) {
    auto next =
        finding(*rc::gen::inRange<std::uint64_t>(0, 4),
                std::string(1, *rc::gen::elementOf(std::string("abcde"))), *rc::gen::arbitrary<bool>());
    const auto [place, fresh] = worst.try_emplace(next.id, next.canonical.id, next.after_close);
    const auto before = place->second;
    place->second = {std::min(before.first, next.canonical.id), before.second || next.after_close};
    const bool told = reported.admit(next);
    RC_ASSERT(told == (fresh || before != place->second));
    if (told) {
      RC_ASSERT((next.change == FindingChange::kNew) == fresh);
      last_record[next.id] = {next.canonical.id, next.after_close};
    }
  }
  RC_ASSERT(last_record == worst);
  const auto after_close =
      std::count_if(worst.begin(), worst.end(), [](const auto& w) { return w.second.second; });
  RC_ASSERT(open(reported, true) == static_cast<std::uint64_t>(after_close));
  RC_ASSERT(open(reported, false) + open(reported, true) == worst.size());
}

}  // namespace
}  // namespace dupwatch::core
