#include "daemon/core/log_limiter.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::log_limiter_test {
namespace {

using namespace std::chrono_literals;

core::Instant at(std::chrono::milliseconds time) {
  return core::Instant{} + 1h + time;
}

int allowed(LogLimiter& limiter, int lines, std::chrono::milliseconds time,
            Severity severity = Severity::kHarmless, Rule rule = Rule::kDuplicate) {
  int count = 0;
  for (int i = 0; i < lines; ++i) count += limiter.allow(rule, severity, at(time)) ? 1 : 0;
  return count;
}

TEST(LogLimiter, AllowsSoManyLinesPerMinute) {
  LogLimiter limiter(3);
  EXPECT_EQ(allowed(limiter, 10, 0s), 3);
  EXPECT_EQ(allowed(limiter, 10, 59s), 0);
  EXPECT_EQ(allowed(limiter, 10, 60s), 3);
}

TEST(LogLimiter, AnotherLimitCountsInTheSameMinute) {
  LogLimiter limiter(3);
  EXPECT_EQ(allowed(limiter, 10, 0s), 3);
  limiter.set_limit(5);
  EXPECT_EQ(allowed(limiter, 10, 1s), 2);
  limiter.set_limit(0);
  EXPECT_EQ(allowed(limiter, 10, 2s), 10);
}

TEST(LogLimiter, FatalFindingsAndConflictsAlwaysHaveTheirLineAndTakeNoOthers) {
  LogLimiter limiter(3);
  EXPECT_EQ(allowed(limiter, 100, 0s, Severity::kFatal), 100);
  EXPECT_EQ(allowed(limiter, 100, 0s, Severity::kConflict), 100);
  EXPECT_EQ(allowed(limiter, 10, 0s), 3);
}

TEST(LogLimiter, HarmlessAndUnknownFindingsShareOneAllowance) {
  LogLimiter limiter(3);
  EXPECT_EQ(allowed(limiter, 2, 0s, Severity::kUnknown), 2);
  EXPECT_EQ(allowed(limiter, 10, 0s, Severity::kHarmless), 1);
}

TEST(LogLimiter, EachRuleHasItsOwnAllowance) {
  LogLimiter limiter(3);
  for (std::size_t i = 0; i < kRules; ++i) {
    EXPECT_EQ(allowed(limiter, 5, 0s, Severity::kHarmless, static_cast<Rule>(i)), 3);
  }
  for (std::size_t i = 0; i < kRules; ++i) {
    EXPECT_EQ(limiter.take_suppressed(static_cast<Rule>(i), at(60s)), 2U);
  }
}

TEST(LogLimiter, ZeroIsNoLimit) {
  LogLimiter limiter(0);
  EXPECT_EQ(allowed(limiter, 1000, 0s), 1000);
  EXPECT_EQ(limiter.take_suppressed(Rule::kDuplicate, at(2min)), 0U);
}

TEST(LogLimiter, TellsOfSuppressedLinesOnceWhenTheirMinuteIsOver) {
  LogLimiter limiter(3);
  (void)allowed(limiter, 10, 0s);
  EXPECT_EQ(limiter.take_suppressed(Rule::kDuplicate, at(59s)), 0U);
  EXPECT_EQ(limiter.take_suppressed(Rule::kDuplicate, at(60s)), 7U);
  EXPECT_EQ(limiter.take_suppressed(Rule::kDuplicate, at(61s)), 0U);
}

TEST(LogLimiter, TellsOfSuppressedLinesAlthoughTheStormGoesOn) {
  LogLimiter limiter(1);
  std::uint64_t suppressed = 0;
  std::uint64_t refused = 0;
  // Each turn first logs findings and then asks, so that the new minute always begins with a line.
  for (auto time = 0s; time < 300s; time += 1s) {
    refused += static_cast<std::uint64_t>(10 - allowed(limiter, 10, time));
    suppressed += limiter.take_suppressed(Rule::kDuplicate, at(time));
  }
  EXPECT_GE(suppressed, refused * 3 / 5);
  EXPECT_LE(suppressed, refused);
  suppressed += limiter.take_suppressed(Rule::kDuplicate, at(400s));
  EXPECT_EQ(suppressed, refused);
}

}  // namespace
}  // namespace dupwatch::core::log_limiter_test
