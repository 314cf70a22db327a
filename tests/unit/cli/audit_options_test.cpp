#include "daemon/cli/audit_options.hpp"

#include <gtest/gtest.h>

namespace dupwatch::cli::audit_options_test {
namespace {

constexpr std::uint64_t kHour = 3'600'000;
/// 2026-11-24 05:21:38 UTC.
constexpr std::uint64_t kNow = 1'795'497'698'000;

TEST(ParseAge, IsANumberOfHoursOrDays) {
  EXPECT_EQ(parse_age("12h"), 12 * kHour);
  EXPECT_EQ(parse_age("7d"), 7 * 24 * kHour);
  EXPECT_EQ(parse_age("0h"), 0U);
  EXPECT_EQ(parse_age("876000h"), 876'000 * kHour);
}

TEST(ParseAge, NothingElseIsOne) {
  for (const auto* text : {"", "h", "12", "12m", "-1h", "1.5h", "12hh", "12 h", "876001h", "x"}) {
    EXPECT_EQ(parse_age(text), std::nullopt) << text;
  }
}

TEST(ParseSince, TakesAnAgeFromNow) {
  EXPECT_EQ(parse_since("12h", kNow), kNow - 12 * kHour);
  EXPECT_EQ(parse_since("2h", kHour), 0U) << "not before 1970";
}

TEST(ParseSince, TakesADayOrAMomentInUtc) {
  EXPECT_EQ(parse_since("2026-11-24T05:21:38", 0), kNow);
  EXPECT_EQ(parse_since("2026-11-24 05:21:38", 0), kNow);
  EXPECT_EQ(parse_since("2026-11-24T05:21:38Z", 0), kNow);
  EXPECT_EQ(parse_since("2026-11-24T05:21", 0), kNow - 38'000);
  EXPECT_EQ(parse_since("2026-11-24", 0), kNow - (5 * 3600 + 21 * 60 + 38) * 1000);
  EXPECT_EQ(parse_since("1970-01-01", 0), 0U);
  EXPECT_EQ(parse_since("2024-02-29", 0), 1'709'164'800'000U) << "a leap year";
}

TEST(ParseSince, WhatIsNoDateIsRefused) {
  for (const auto* text :
       {"", "yesterday", "2026", "2026-11", "2026-13-01", "2026-00-01", "2026-11-32", "2026-11-00",
        "1969-12-31", "2026-11-24T", "2026-11-24T05", "2026-11-24T24:00", "2026-11-24T05:60",
        "2026-11-24T05:21:60", "2026-11-24T05:21:38+01", "2026-11-24x"}) {
    EXPECT_EQ(parse_since(text, kNow), std::nullopt) << text;
  }
}

TEST(ParseSeverities, NamesThoseThatCount) {
  std::array<bool, core::kSeverities> chosen{true, true, true, true};
  EXPECT_TRUE(parse_severities("fatal", chosen));
  for (std::size_t i = 0; i < core::kSeverities; ++i) {
    EXPECT_EQ(chosen[i], static_cast<core::Severity>(i) == core::Severity::kFatal) << i;
  }
  EXPECT_TRUE(parse_severities("harmless,fatal", chosen));
  EXPECT_TRUE(chosen[static_cast<std::size_t>(core::Severity::kFatal)]);
  EXPECT_TRUE(chosen[static_cast<std::size_t>(core::Severity::kHarmless)]);
  EXPECT_FALSE(chosen[static_cast<std::size_t>(core::Severity::kConflict)]);
}

TEST(ParseSeverities, AWrongNameLeavesThemAsTheyWere) {
  const std::array<bool, core::kSeverities> before{true, false, true, false};
  for (const auto* text : {"", "deadly", "fatal,", "fatal,,harmless", "Fatal", " fatal"}) {
    auto chosen = before;
    EXPECT_FALSE(parse_severities(text, chosen)) << text;
    EXPECT_EQ(chosen, before) << text;
  }
}

TEST(RunIdBefore, SortsBehindEveryRunOfBeforeAndBeforeAllOthers) {
  EXPECT_EQ(run_id_before(0), "wrun_");
  // A ULID's first ten characters are its time.
  EXPECT_EQ(run_id_before(1), "wrun_0000000000ZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(run_id_before(33), "wrun_0000000010ZZZZZZZZZZZZZZZZ");
  EXPECT_LT(run_id_before(kNow), run_id_before(kNow + 1));
  EXPECT_EQ(run_id_before(kNow).size(), std::string("wrun_01KQ3V6T00M2N5P8R1S4V7X001").size());
}

}  // namespace
}  // namespace dupwatch::cli::audit_options_test
