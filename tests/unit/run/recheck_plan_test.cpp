#include "daemon/run/recheck_plan.hpp"

#include <gtest/gtest.h>

namespace dupwatch::run::recheck_plan_test {
namespace {

using namespace std::chrono_literals;
using core::Instant;

using Runs = std::vector<std::string>;

constexpr Instant kStart{1000s};
constexpr core::Milliseconds kInterval{60'000};

TEST(RecheckPlan, WithoutRequestsALookEachInterval) {
  RecheckPlan plan;
  EXPECT_EQ(plan.deadline(), Instant::max());
  plan.schedule(kStart + 60s);
  plan.request({}, kStart, 10);
  EXPECT_EQ(plan.deadline(), kStart + 60s);
  EXPECT_EQ(plan.begin(kStart + 60s, kInterval), Runs{});
  EXPECT_EQ(plan.deadline(), kStart + 120s);
  plan.postpone(kStart + 120s, kInterval);
  EXPECT_EQ(plan.deadline(), kStart + 180s);
}

TEST(RecheckPlan, WhatIsAskedForIsLookedAtNowAndOnceMore) {
  RecheckPlan plan;
  plan.schedule(kStart + 60s);
  plan.request({"a"}, kStart, 10);
  EXPECT_EQ(plan.deadline(), kStart);
  EXPECT_EQ(plan.begin(kStart, kInterval), Runs{"a"});
  EXPECT_EQ(plan.deadline(), kStart + 11s);
  EXPECT_EQ(plan.begin(kStart + 11s, kInterval), Runs{"a"});
  EXPECT_EQ(plan.deadline(), kStart + 71s);
  EXPECT_EQ(plan.begin(kStart + 71s, kInterval), Runs{});
}

TEST(RecheckPlan, ManyWhoAskGetALookASecondAndABoundedOne) {
  RecheckPlan plan;
  plan.schedule(kStart + 60s);
  plan.request({"a", "b"}, kStart, 3);
  (void)plan.begin(kStart, kInterval);
  plan.request({"c", "d"}, kStart + 100ms, 3);
  EXPECT_EQ(plan.deadline(), kStart + 1s);
  EXPECT_EQ(plan.begin(kStart + 1s, kInterval), (Runs{"a", "b", "c"}));
}

TEST(RecheckPlan, WhatIsAskedForWaitsASecondWhereNoLookCanBe) {
  RecheckPlan plan;
  plan.request({"a"}, kStart, 10);
  plan.postpone(kStart, kInterval);
  EXPECT_EQ(plan.deadline(), kStart + 1s);
}

TEST(RecheckPlan, HurriedLooksFollowOneAnother) {
  RecheckPlan plan;
  plan.schedule(kStart + 60s);
  plan.hurry(kStart, 2);
  EXPECT_EQ(plan.deadline(), kStart + 11s);
  plan.postpone(kStart + 11s, kInterval);
  EXPECT_EQ(plan.deadline(), kStart + 12s);
  (void)plan.begin(kStart + 12s, kInterval);
  EXPECT_EQ(plan.deadline(), kStart + 13s);
  (void)plan.begin(kStart + 13s, kInterval);
  EXPECT_EQ(plan.deadline(), kStart + 14s);
  (void)plan.begin(kStart + 14s, kInterval);
  EXPECT_EQ(plan.deadline(), kStart + 74s);
}

TEST(RecheckPlan, WithoutLooksThereIsNothingToHurry) {
  RecheckPlan plan;
  plan.hurry(kStart, 3);
  EXPECT_EQ(plan.deadline(), Instant::max());
}

}  // namespace
}  // namespace dupwatch::run::recheck_plan_test
