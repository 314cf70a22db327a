#include "daemon/core/shown_text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dupwatch::core::shown_text_test {
namespace {

TEST(ShownText, LeavesTextsOfOrdinaryLengthAlone) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{31}, kShownBytesMax}) {
    const std::string text(size, 'x');
    EXPECT_EQ(shown_text(text), text);
  }
}

TEST(ShownText, CutsLongTextsAndTellsThemApart) {
  const std::string text(300'000, 'x');
  const auto shown = shown_text(text);
  EXPECT_LT(shown.size(), kShownBytesMax);
  EXPECT_TRUE(shown.starts_with(std::string(256, 'x') + "... (300000 bytes, ")) << shown;
  EXPECT_EQ(shown, shown_text(text));
  auto other = text;
  other.back() = 'y';
  EXPECT_NE(shown, shown_text(other));
}

TEST(ShownText, CutsBetweenCharacters) {
  for (std::size_t before = 0; before < 4; ++before) {
    std::string text(before, 'x');
    while (text.size() < 1000) text += "\xF0\x9F\xA6\x86";
    const auto shown = shown_text(text);
    const auto end = shown.find("...");
    EXPECT_EQ((end - before) % 4, 0U) << before;
  }
}

TEST(ShownText, CutsEveryTextOfAFinding) {
  const std::string text(100'000, 'x');
  Finding finding;
  finding.run_id = finding.type = finding.canonical.id = finding.duplicate.id = text;
  finding.identity = {text, std::nullopt, "c"};
  finding.closing.emplace().id = text;
  EXPECT_GT(to_json(finding).size(), 6 * text.size());
  const auto cut = shown(finding);
  EXPECT_LT(to_json(cut).size(), 8 * kShownBytesMax);
  EXPECT_EQ(cut.identity[2], "c");
  EXPECT_FALSE(cut.identity[1]);
}

}  // namespace
}  // namespace dupwatch::core::shown_text_test
