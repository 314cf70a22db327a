#include "daemon/core/text.hpp"

#include <gtest/gtest.h>

#include <simdjson.h>

#include <string>
#include <string_view>

namespace dupwatch::core {
namespace {

TEST(Utf8Length, FollowsTheStandard) {
  EXPECT_EQ(utf8_length("a"), 1U);
  EXPECT_EQ(utf8_length("\xc3\xa4"), 2U);
  EXPECT_EQ(utf8_length("\xe2\x82\xac"), 3U);
  EXPECT_EQ(utf8_length("\xf0\x9f\x98\x80"), 4U);
  for (const auto* text : {"", "\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98"}) {
    EXPECT_EQ(utf8_length(text), 0U) << text;
  }
}

// Each kind once, and what is next to it.
constexpr std::string_view kHiddenTexts[] = {"\x01",         "\x1b",         "\x7f",
                                             "\xc2\x80",     "\xc2\x9b",     "\xc2\x9f",
                                             "\xc2\xad",     "\xd8\x9c",     "\xe2\x80\x8b",
                                             "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8",
                                             "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xae",
                                             "\xe2\x81\xa6", "\xe2\x81\xa9", "\xef\xbb\xbf",
                                             "\xef\xbf\xb9", "\xe1\xa0\x8e", "\xf3\xa0\x80\xa0",
                                             "\xff",         "\xc2"};
constexpr std::string_view kShownTexts[] = {" ",
                                            "~",
                                            "\xc2\xa0",
                                            "\xc3\xa4",
                                            "\xe2\x80\x8c",
                                            "\xe2\x80\x8d",
                                            "\xe2\x80\x90",
                                            "\xd8\xa7",
                                            "\xe2\x82\xac",
                                            "\xef\xbf\xbd",
                                            "\xe4\xbd\xa0",
                                            "\xf0\x9f\x98\x80"};

TEST(Hidden, IsWhatNobodySeesOrWhatChangesHowTheRestShows) {
  for (const auto text : kHiddenTexts)
    EXPECT_TRUE(has_hidden("ab" + std::string(text) + "c")) << visible(text);
  for (const auto text : kShownTexts) EXPECT_FALSE(has_hidden("ab" + std::string(text) + "c")) << text;
  EXPECT_FALSE(has_hidden(""));
}

TEST(Visible, SpellsOutWhatIsHiddenAndNothingElse) {
  EXPECT_EQ(visible("a\x1b[31m\n\xc2\x9b\xe2\x80\xae"
                    "b\xff\xf3\xa0\x80\xa0"),
            "a\\x1b[31m\\x0a\\u009b\\u202eb\\xff\\ue0020");
  for (const auto text : kHiddenTexts) EXPECT_FALSE(has_hidden(visible(text)));
  for (const auto text : kShownTexts) EXPECT_EQ(visible(text), text);
}

TEST(JsonString, HidesNothingAndKeepsTheValue) {
  simdjson::dom::parser parser;
  for (const auto text : kHiddenTexts) {
    const auto json = json_string(text);
    EXPECT_FALSE(has_hidden(json)) << visible(text);
    const std::string_view back = parser.parse(json).get_string();
    EXPECT_EQ(back, utf8_length(text) == 0 ? std::string_view("\xef\xbf\xbd") : text) << json;
  }
  for (const auto text : kShownTexts) EXPECT_EQ(json_string(text), '"' + std::string(text) + '"');
  EXPECT_EQ(json_string("\"\\\n\t\r"), R"("\"\\\n\t\r")");
  // What stands as it is, up to what does not, each time.
  EXPECT_EQ(json_string("a\"b~\x7F c\xFFz\xC3\xA9!"), "\"a\\\"b~\\u007f c\\ufffdz\xC3\xA9!\"");
}

}  // namespace
}  // namespace dupwatch::core
