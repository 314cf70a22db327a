#include "decoder/lsn.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dupwatch::decoder::lsn_test {
namespace {

TEST(Lsn, TextIsWhatPostgresPrints) {
  EXPECT_EQ(to_string(Lsn{0x16'B374'D848}), "16/B374D848");
  EXPECT_EQ(to_string(Lsn{}), "0/0");
  EXPECT_EQ(to_string(Lsn{~std::uint64_t{0}}), "FFFFFFFF/FFFFFFFF");
}

TEST(Lsn, ReadsBothCasesAndLeadingZeros) {
  EXPECT_EQ(parse_lsn("16/b374d848"), (Lsn{0x16'B374'D848}));
  EXPECT_EQ(parse_lsn("00000016/0000000A"), (Lsn{0x16'0000'000A}));
}

TEST(Lsn, RefusesEverythingElse) {
  for (const char* text : {"", "/", "1", "1/", "/1", "1/2/3", "g/1", "1/g", " 1/2", "1/2 ", "123456789/1",
                           "1/123456789", "-1/2", "+1/2", "0x1/2", "1//2"}) {
    EXPECT_FALSE(parse_lsn(text)) << text;
  }
}

TEST(Lsn, DistanceIsNeverNegative) {
  EXPECT_EQ(bytes_between(Lsn{1}, Lsn{11}), 10U);
  EXPECT_EQ(bytes_between(Lsn{11}, Lsn{1}), 0U);
  EXPECT_FALSE(Lsn{}.valid());
  EXPECT_TRUE(Lsn{1}.valid());
}

RC_GTEST_PROP(Lsn, TextRoundTrip, (std::uint64_t value)) {
  const auto read = parse_lsn(to_string(Lsn{value}));
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->value == value);
}

RC_GTEST_PROP(Lsn, ParsingArbitraryTextNeverLies, (const std::string& text)) {
  const auto read = parse_lsn(text);
  if (read) RC_ASSERT(parse_lsn(to_string(*read)) == read);
}

}  // namespace
}  // namespace dupwatch::decoder::lsn_test
