#include "daemon/core/lag_meter.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::lag_meter_test {
namespace {

using namespace std::chrono_literals;
using decoder::Lsn;

core::Instant at(std::chrono::milliseconds time) {
  return core::Instant{} + 1h + time;
}

TEST(LagMeter, IsZeroBeforeTheFirstSample) {
  const LagMeter meter;
  EXPECT_EQ(meter.lag(at(10s)), 0s);
  EXPECT_EQ(meter.tip(), Lsn{});
}

TEST(LagMeter, IsTheAgeOfTheOldestEndOfWalThatIsNotJudged) {
  LagMeter meter;
  meter.sample(Lsn{100}, at(0s));
  meter.sample(Lsn{200}, at(10s));
  EXPECT_EQ(meter.lag(at(15s)), 15s);
  meter.judged(Lsn{99});
  EXPECT_EQ(meter.lag(at(15s)), 15s);
  meter.judged(Lsn{100});
  EXPECT_EQ(meter.lag(at(15s)), 5s);
  meter.judged(Lsn{200});
  EXPECT_EQ(meter.lag(at(15s)), 0s);
}

TEST(LagMeter, AnIdleHourIsNoLag) {
  LagMeter meter;
  meter.judged(Lsn{100});
  for (auto time = 0s; time < 3600s; time += 10s) meter.sample(Lsn{100}, at(time));
  EXPECT_EQ(meter.lag(at(3600s)), 0s);
  meter.sample(Lsn{200}, at(3600s));
  EXPECT_EQ(meter.lag(at(3601s)), 1s);
}

TEST(LagMeter, AWatchThatTrailsByTenMinutesSaysSoAllTheTime) {
  LagMeter meter;
  for (std::uint64_t second = 0; second < 3600; ++second) {
    const auto now = std::chrono::seconds{second};
    if (second % 10 == 0) meter.sample(Lsn{1000 + second}, at(now));
    meter.judged(Lsn{second < 600 ? 1 : 1000 + second - 600});
    if (second < 1200) continue;
    EXPECT_GE(meter.lag(at(now)), 500s) << second;
    EXPECT_LE(meter.lag(at(now)), 600s) << second;
  }
}

TEST(LagMeter, ALagOfHoursIsToldToAHundredthWhileItIsMadeUp) {
  LagMeter meter;
  constexpr std::uint64_t kEnd = 20'000;
  for (std::uint64_t second = 1; second <= kEnd; ++second)
    meter.sample(Lsn{second}, at(std::chrono::seconds{second}));
  for (std::uint64_t judged = 0; judged < kEnd; judged += 100) {
    meter.judged(Lsn{judged});
    const std::chrono::duration<double> lag{static_cast<double>(kEnd - judged - 1)};
    EXPECT_LE(meter.lag(at(std::chrono::seconds{kEnd})), lag) << judged;
    EXPECT_GE(meter.lag(at(std::chrono::seconds{kEnd})), lag - 200s) << judged;
  }
  meter.judged(Lsn{kEnd});
  EXPECT_EQ(meter.lag(at(std::chrono::seconds{kEnd})), 0s);
}

TEST(LagMeter, TheTipNeverGoesBackUntilReset) {
  LagMeter meter;
  meter.sample(Lsn{200}, at(0s));
  meter.sample(Lsn{100}, at(1s));
  EXPECT_EQ(meter.tip(), Lsn{200});
  meter.judged(Lsn{300});
  EXPECT_EQ(meter.tip(), Lsn{300});
  EXPECT_EQ(meter.lag(at(5s)), 0s);
  meter.reset();
  EXPECT_EQ(meter.tip(), Lsn{});
}

TEST(LagMeter, AClockReadEarlierThanTheSampleIsNoLag) {
  LagMeter meter;
  meter.sample(Lsn{200}, at(5s));
  EXPECT_EQ(meter.lag(at(4s)), 0s);
}

}  // namespace
}  // namespace dupwatch::core::lag_meter_test
