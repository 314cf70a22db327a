#include "decoder/json_reader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <optional>
#include <random>
#include <string>

namespace dupwatch::decoder::json_reader_test {
namespace {

using Step = JsonReader::Step;
using std::string;
using std::string_view;

/// The one string that is a text, or nothing when the reader refuses it.
std::optional<string> read_string(string_view json) {
  // On the heap and without a byte to spare, so that the sanitizer sees a read past the end.
  const std::vector<char> exact(json.begin(), json.end());
  JsonReader reader;
  reader.start({exact.data(), exact.size()});
  string_view text;
  if (!reader.read_string(text) || !reader.at_end()) return std::nullopt;
  return string(text);
}

bool skips(string_view json) {
  const std::vector<char> exact(json.begin(), json.end());
  JsonReader reader;
  reader.start({exact.data(), exact.size()});
  return reader.skip_value() && reader.at_end();
}

/// What a complete parser of JSON makes of it.
std::optional<string> dom_string(string_view json) {
  simdjson::dom::parser parser;
  string_view text;
  if (parser.parse(json.data(), json.size()).get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  return string(text);
}

TEST(JsonReader, AStringEndsAtItsQuoteWhereverThatIs) {
  for (std::size_t before = 0; before < 70; ++before) {
    const string plain(before, 'x');
    EXPECT_EQ(read_string("\"" + plain + "\""), plain);
    EXPECT_TRUE(skips("\"" + plain + "\""));
    EXPECT_EQ(read_string("\"" + plain), std::nullopt);
    EXPECT_FALSE(skips("\"" + plain));
    for (std::size_t after = 0; after < 40; after += 3) {
      const string tail(after, 'y');
      EXPECT_EQ(read_string("\"" + plain + "\\\"" + tail + "\""), plain + "\"" + tail);
      EXPECT_TRUE(skips("\"" + plain + "\\\"" + tail + "\""));
      EXPECT_FALSE(skips("\"" + plain + "\\\"" + tail));
      EXPECT_FALSE(skips("\"" + plain + tail + "\\"));
      EXPECT_EQ(read_string("\"" + plain + "\\\\" + "\""), plain + "\\");
      EXPECT_EQ(read_string("\"" + plain + "\n" + tail + "\""), std::nullopt);
      EXPECT_EQ(read_string("\"" + plain + "\xff" + tail + "\""), std::nullopt);
      EXPECT_EQ(read_string("\"" + plain + "\xc3\xa9" + tail + "\""), plain + "\xc3\xa9" + tail);
    }
  }
}

TEST(JsonReader, ReadsAStringAsACompleteParserDoes) {
  const std::vector<string> pieces{"a",
                                   "0",
                                   " ",
                                   "\\n",
                                   "\\\"",
                                   "\\\\",
                                   "\\/",
                                   "\\u",
                                   "\\u00",
                                   "\\u0041",
                                   "\\u00e9",
                                   "\\u20AC",
                                   "\\ud83d",
                                   "\\ude00",
                                   "\\uFFFF",
                                   "\\uzzzz",
                                   "\\x",
                                   "\"",
                                   "\\",
                                   "\x01",
                                   "\x7f",
                                   "\xc3\xa9",
                                   "\xc3",
                                   "\xe2\x82\xac",
                                   "\xed\xa0\x80",
                                   "\xf0\x9f\x98\x80",
                                   "\xf5",
                                   "\x80",
                                   "0123456789abcdef0123456789"};
  std::mt19937 random(20261125);
  int accepted = 0;
  for (int i = 0; i < 40'000; ++i) {
    string json = "\"";
    for (auto count = random() % 6; count != 0; --count) json += pieces[random() % pieces.size()];
    json += '"';
    const auto expected = dom_string(json);
    EXPECT_EQ(read_string(json), expected) << json;
    accepted += expected ? 1 : 0;
  }
  EXPECT_GT(accepted, 4'000);
}

TEST(JsonReader, StepsThroughObjectsAndArrays) {
  const string json = R"( { "a" : 1 , "b":[ "x", {"y":[1,2]}, null ],"c":{"in":{}} , "d":true,"e":"z"} )";
  JsonReader reader;
  reader.start(json);
  string_view key;
  string_view text;
  ASSERT_TRUE(reader.enter_object());
  ASSERT_EQ(reader.next_member(key), Step::kItem);
  EXPECT_EQ(key, "a");
  ASSERT_TRUE(reader.read_token(text));
  EXPECT_EQ(text, "1");
  ASSERT_EQ(reader.next_member(key), Step::kItem);
  ASSERT_TRUE(reader.enter_array());
  ASSERT_EQ(reader.next_element(), Step::kItem);
  ASSERT_TRUE(reader.read_string(text));
  EXPECT_EQ(text, "x");
  ASSERT_EQ(reader.next_element(), Step::kItem);
  ASSERT_TRUE(reader.enter_object());
  ASSERT_EQ(reader.next_member(key), Step::kItem);
  EXPECT_EQ(key, "y");
  ASSERT_TRUE(reader.leave_object());
  ASSERT_EQ(reader.next_element(), Step::kItem);
  ASSERT_TRUE(reader.skip_value());
  ASSERT_EQ(reader.next_element(), Step::kEnd);
  for (const auto* const name : {"c", "d", "e"}) {
    ASSERT_EQ(reader.next_member(key), Step::kItem);
    EXPECT_EQ(key, name);
    ASSERT_TRUE(reader.skip_value());
  }
  EXPECT_EQ(reader.next_member(key), Step::kEnd);
  EXPECT_TRUE(reader.at_end());
}

TEST(JsonReader, RefusesCommasAndColonsOutOfPlace) {
  for (const auto* const json :
       {"{,}", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "{\"a\",1}", "{a:1}", "{\"a\":}", "{\"a\":1",
        "{\"a\":1]", "{\"a\":[1}", "{\"a\":\"x\"\"y\"}", "{\"a\":1:2}"}) {
    JsonReader reader;
    reader.start(json);
    string_view key;
    ASSERT_TRUE(reader.enter_object());
    auto step = Step::kItem;
    bool good = true;
    while (good && (step = reader.next_member(key)) == Step::kItem) good = reader.skip_value();
    EXPECT_TRUE(!good || step == Step::kError) << json;
  }
}

TEST(JsonReader, UnescapedTextsOfOneTextStayApart) {
  JsonReader reader;
  reader.start(R"(["\n","","a\tb","\u00e9"])");
  std::vector<string_view> texts;
  ASSERT_TRUE(reader.enter_array());
  while (reader.next_element() == Step::kItem) {
    string_view text;
    ASSERT_TRUE(reader.read_string(text));
    texts.push_back(text);
  }
  EXPECT_EQ(texts, (std::vector<string_view>{"\n", "", "a\tb", "\xc3\xa9"}));
}

}  // namespace
}  // namespace dupwatch::decoder::json_reader_test
