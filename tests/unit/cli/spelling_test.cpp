#include "daemon/cli/spelling.hpp"

#include <gtest/gtest.h>

namespace dupwatch::cli::spelling_test {
namespace {

const std::vector<std::string> kNames{"audit", "check", "drop", "explain", "--json", "--slot", "--dsn"};

TEST(Spelling, OneLetterMoreLessOtherOrSwappedIsFound) {
  for (const auto* word : {"audti", "audt", "auditt", "aubit"})
    EXPECT_EQ(nearest_name(word, kNames), "audit") << word;
  EXPECT_EQ(nearest_name("--jsno", kNames), "--json");
  EXPECT_EQ(nearest_name("explian", kNames), "explain");
}

TEST(Spelling, AnotherWordIsNoMisspelling) {
  for (const auto* word : {"restore", "x", "", "--x", "quarantine"})
    EXPECT_EQ(nearest_name(word, kNames), std::nullopt) << word;
  // Half of a short word is another word.
  EXPECT_EQ(nearest_name("dr", kNames), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(1000, 'a'), kNames), std::nullopt);
}

TEST(Spelling, TheNearestOfTwoIsNamed) {
  EXPECT_EQ(nearest_name("checks", {"checker", "check"}), "check");
}

TEST(Spelling, AWordStaysOnItsLine) {
  EXPECT_EQ(printable("a\nb\x1b[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f");
  EXPECT_EQ(printable(std::string(61, 'x')), std::string(60, 'x') + "...");
  EXPECT_EQ(printable(std::string(60, 'x')), std::string(60, 'x'));
}

}  // namespace
}  // namespace dupwatch::cli::spelling_test
