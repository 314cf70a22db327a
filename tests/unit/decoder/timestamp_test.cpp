#include "decoder/timestamp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace dupwatch::decoder::timestamp_test {
namespace {

constexpr Timestamp kTime{1'795'497'698'123'456};  // 2026-11-24 05:21:38.123456 UTC

TEST(ParseTimestamp, ReadsWhatTheServerPrintsInAnyTimeZone) {
  EXPECT_EQ(parse_timestamp("2026-11-24 05:21:38.123456+00"), kTime);
  EXPECT_EQ(parse_timestamp("2026-11-24 10:51:38.123456+05:30"), kTime);
  EXPECT_EQ(parse_timestamp("2026-11-23 20:21:38.123456-09"), kTime);
  EXPECT_EQ(parse_timestamp("2026-11-24 05:00:46.123456-00:20:52"), kTime);
  EXPECT_EQ(parse_timestamp("1970-01-01 00:00:00+00"), Timestamp{0});
  EXPECT_EQ(parse_timestamp("1969-12-31 23:59:59.999999+00"), Timestamp{-1});
}

TEST(ParseTimestamp, AShortFractionIsPaddedOnTheRight) {
  EXPECT_EQ(parse_timestamp("1970-01-01 00:00:00.5+00"), Timestamp{500'000});
  EXPECT_EQ(parse_timestamp("1970-01-01 00:00:00.000001+00"), Timestamp{1});
  EXPECT_EQ(parse_timestamp("1970-01-01 00:00:00.59301+00"), Timestamp{593'010});
}

TEST(ParseTimestamp, LeapDaysAndFarYears) {
  EXPECT_EQ(parse_timestamp("2000-02-29 00:00:00+00"), Timestamp{951'782'400'000'000});
  EXPECT_FALSE(parse_timestamp("2001-02-29 00:00:00+00"));
  EXPECT_TRUE(parse_timestamp("32767-12-31 00:00:00+00"));
  EXPECT_FALSE(parse_timestamp("32768-01-01 00:00:00+00"));
}

TEST(ParseTimestamp, EveryPrefixAndEveryOtherStyleIsRefused) {
  const std::string_view full = "2026-11-24 05:21:38.123456+05:30:01";
  ASSERT_TRUE(parse_timestamp(full));
  for (std::size_t size = 0; size < full.size(); ++size) {
    const auto read = parse_timestamp(full.substr(0, size));
    // "+05" and "+05:30" are complete; everything else is not.
    EXPECT_EQ(read.has_value(), size == 29 || size == 32) << full.substr(0, size);
  }
  for (const char* text :
       {"Tue Nov 24 05:21:38.123456 2026 UTC", "24/11/2026 05:21:38.123456 UTC", "infinity",
        "2026-11-24T05:21:38+00", "2026-11-24 05:21:38+00 BC", "2026-11-24 05:21:38",
        "2026-13-24 05:21:38+00", "2026-11-24 25:21:38+00", "2026-11-24 05:60:38+00",
        "2026-11-24 05:21:61+00", "2026-11-24 05:21:38.1234567+00", "26-11-24 05:21:38+00",
        "2026-11-24 05:21:38.+00", "2026-11-24 05:21:38Z", "-2026-11-24 05:21:38+00"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

TEST(WireTimestamp, CountsFrom2000AndStopsAtTheEnds) {
  EXPECT_EQ(timestamp_from_wire(0), Timestamp{kPostgresEpochMicros});
  EXPECT_FALSE(timestamp_from_wire(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(timestamp_to_wire(Timestamp{std::numeric_limits<std::int64_t>::min()}),
            std::numeric_limits<std::int64_t>::min());
}

RC_GTEST_PROP(WireTimestamp, RoundTrip, (std::int64_t micros)) {
  const auto time = timestamp_from_wire(micros);
  if (time) RC_ASSERT(timestamp_to_wire(*time) == micros);
}

}  // namespace
}  // namespace dupwatch::decoder::timestamp_test
