#include "daemon/run/scan_plan.hpp"

#include <gtest/gtest.h>

namespace dupwatch::run::scan_plan_test {
namespace {

using namespace std::chrono_literals;
using core::Instant;

constexpr Instant kStart{1000s};

TEST(ScanPlan, TheFirstMayBeginAtOnce) {
  ScanPlan plan;
  EXPECT_TRUE(plan.may_begin(kStart));
  EXPECT_FALSE(plan.again());
}

TEST(ScanPlan, ScansTakeATenthOfTheTimeAtMost) {
  ScanPlan plan;
  plan.begins(kStart);
  EXPECT_EQ(plan.began(), kStart);
  plan.ends(true, kStart + 10s);
  EXPECT_FALSE(plan.may_begin(kStart + 100s - 1ms));
  EXPECT_TRUE(plan.may_begin(kStart + 100s));
  EXPECT_FALSE(plan.again());
}

TEST(ScanPlan, ThePauseIsASecondAtLeastAndFiveMinutesAtMost) {
  ScanPlan plan;
  plan.begins(kStart);
  plan.ends(true, kStart + 1ms);
  EXPECT_FALSE(plan.may_begin(kStart + 1s));
  EXPECT_TRUE(plan.may_begin(kStart + 1001ms));
  plan.begins(kStart);
  plan.ends(true, kStart + 1h);
  EXPECT_FALSE(plan.may_begin(kStart + 1h + 5min - 1ms));
  EXPECT_TRUE(plan.may_begin(kStart + 1h + 5min));
}

TEST(ScanPlan, OneThatFailedIsWantedAgainAfterAMinute) {
  ScanPlan plan;
  plan.begins(kStart);
  plan.ends(false, kStart + 1s);
  EXPECT_TRUE(plan.again());
  EXPECT_FALSE(plan.may_begin(kStart + 60s));
  EXPECT_TRUE(plan.may_begin(kStart + 61s));
  plan.begins(kStart + 61s);
  EXPECT_FALSE(plan.again());
}

}  // namespace
}  // namespace dupwatch::run::scan_plan_test
