#include "daemon/core/packed_text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::packed_text_test {
namespace {

std::string text_of(const TokenCodec& codec, const Token& token) {
  std::string out;
  codec.unpack(token, out);
  return out;
}

/// 26 characters of the alphabet, the first of them at most 7.
rc::Gen<std::string> packable_body() {
  const std::string digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  return rc::gen::map(rc::gen::pair(rc::gen::elementOf(std::string("01234567")),
                                    rc::gen::container<std::string>(25, rc::gen::elementOf(digits))),
                      [](const auto& parts) { return parts.first + parts.second; });
}

TEST(TokenCodec, PacksUlidsAndSlotNumbersOfEveryPrefixAndGivesThemBack) {
  TokenCodec codec;
  for (const std::string text :
       {"wrun_01K9ZC3F4E5G6H7J8K9MNPQRST", "wevt_01K9ZC3F4E5G6H7J8K9MNPQRST",
        "step_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "evnt_00000000000000000000000042", "00000000000000000000000000",
        "sixteen_bytes___01K9ZC3F4E5G6H7J8K9MNPQRST"}) {
    const auto token = codec.pack(text);
    ASSERT_TRUE(token.packed()) << text;
    EXPECT_EQ(text_of(codec, token), text);
  }
}

RC_GTEST_PROP(TokenCodec, GivesBackWhatItPacked, ()) {
  TokenCodec codec;
  const auto prefix = *rc::gen::resize(16, rc::gen::arbitrary<std::string>());
  const auto text = prefix + *packable_body();
  const auto token = codec.pack(text);
  RC_ASSERT(token.packed() == (prefix.size() <= TokenCodec::kPrefixBytesMax));
  if (token.packed()) RC_ASSERT(text_of(codec, token) == text);
}

RC_GTEST_PROP(TokenCodec, EveryTextIsEitherGivenBackOrSpilled, (const std::string& text)) {
  TokenCodec codec;
  const auto token = codec.pack(text);
  if (token.packed()) {
    RC_ASSERT(text_of(codec, token) == text);
  } else {
    RC_ASSERT(token.kind == Token::kSpilled);
    RC_ASSERT(token.hi == 0U);
    RC_ASSERT(token.lo == 0U);
  }
}

TEST(TokenCodec, SpillsWhatThe128BitsCannotHold) {
  TokenCodec codec;
  const std::string good = "01K9ZC3F4E5G6H7J8K9MNPQRST";
  EXPECT_FALSE(codec.pack("").packed());
  EXPECT_FALSE(codec.pack(good.substr(1)).packed()) << "25 characters";
  EXPECT_TRUE(codec.pack("x" + good).packed()) << "27 characters are one of prefix";
  EXPECT_FALSE(codec.pack(good + "_").packed());
  EXPECT_FALSE(codec.pack("prefix_of_17_byte" + good).packed());
  for (const char first : std::string("89ABCDEFGHJKMNPQRSTVWXYZ")) {
    auto text = good;
    text[0] = first;
    EXPECT_FALSE(codec.pack("wevt_" + text).packed()) << first;
  }
}

TEST(TokenCodec, SpillsEveryCharacterOutsideTheAlphabetInEveryPlace) {
  const std::string good = "01K9ZC3F4E5G6H7J8K9MNPQRST";
  const std::string alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  for (std::size_t place = 0; place < good.size(); ++place) {
    for (int c = 0; c < 256; ++c) {
      auto text = good;
      text[place] = static_cast<char>(c);
      const bool digit = alphabet.find(text[place]) != std::string::npos;
      TokenCodec codec;
      const auto token = codec.pack("wevt_" + text);
      EXPECT_EQ(token.packed(), digit && (place != 0 || text[0] <= '7'))
          << "place " << place << " byte " << c;
      if (token.packed()) {
        EXPECT_EQ(text_of(codec, token), "wevt_" + text);
      }
    }
  }
}

TEST(TokenCodec, SpillsFurtherPrefixesOnceItKnowsThirtyTwo) {
  TokenCodec codec;
  const std::string body = "01K9ZC3F4E5G6H7J8K9MNPQRST";
  const auto prefix = [](std::size_t n) { return std::to_string(n).append("_"); };
  for (std::size_t n = 0; n < TokenCodec::kPrefixesMax; ++n)
    EXPECT_TRUE(codec.pack(prefix(n) + body).packed());
  EXPECT_FALSE(codec.pack(prefix(TokenCodec::kPrefixesMax) + body).packed());
  EXPECT_FALSE(codec.pack(prefix(TokenCodec::kPrefixesMax) + body).packed()) << "the same answer each time";
  for (std::size_t n = 0; n < TokenCodec::kPrefixesMax; ++n) {
    EXPECT_EQ(text_of(codec, codec.pack(prefix(n) + body)), prefix(n) + body);
  }
}

TEST(TokenCodec, ATextThatCannotBePackedTeachesNoPrefix) {
  TokenCodec codec;
  for (std::size_t n = 0; n < 100; ++n) {
    EXPECT_FALSE(codec.pack(std::to_string(n) + "_01k9zc3f4e5g6h7j8k9mnpqrst").packed());
  }
  EXPECT_TRUE(codec.pack("wevt_01K9ZC3F4E5G6H7J8K9MNPQRST").packed());
}

RC_GTEST_PROP(TokenCodec, OrderOfPackedTokensIsByteOrder, ()) {
  TokenCodec codec;
  const auto a = "wevt_" + *packable_body();
  // Half of the pairs differ in one character alone.
  auto b = a;
  if (*rc::gen::arbitrary<bool>()) {
    b = "wevt_" + *packable_body();
  } else {
    const auto place = *rc::gen::inRange<std::size_t>(6, a.size());
    b[place] = *rc::gen::elementOf(std::string("0123456789ABCDEFGHJKMNPQRSTVWXYZ"));
  }
  const auto token_a = codec.pack(a);
  const auto token_b = codec.pack(b);
  RC_ASSERT((std::pair(token_a.hi, token_a.lo) < std::pair(token_b.hi, token_b.lo)) == (a < b));
  RC_ASSERT((token_a.hi == token_b.hi && token_a.lo == token_b.lo) == (a == b));
}

TEST(HashToken, DependsOnEveryPartAndOnTheSeed) {
  const Token token{.hi = 1, .lo = 2, .kind = Token::kFirstPrefix};
  auto other = token;
  EXPECT_EQ(TokenCodec(7).hash(token, {}), TokenCodec(7).hash(other, {}));
  EXPECT_NE(TokenCodec(7).hash(token, {}), TokenCodec(8).hash(other, {}));
  other.hi ^= 1U;
  EXPECT_NE(TokenCodec(7).hash(token, {}), TokenCodec(7).hash(other, {}));
  other = token;
  other.lo ^= 1U;
  EXPECT_NE(TokenCodec(7).hash(token, {}), TokenCodec(7).hash(other, {}));
  other = token;
  ++other.kind;
  EXPECT_NE(TokenCodec(7).hash(token, {}), TokenCodec(7).hash(other, {}));
  EXPECT_NE(hash_text("a", 1), hash_text("a", 2));
  EXPECT_NE(hash_text("ab", 1), hash_text("ba", 1));
}

RC_GTEST_PROP(TextOrder, NumbersCompareAsNumbers, (std::int64_t a, std::int64_t b)) {
  const auto [left, right] = std::pair(std::to_string(a), std::to_string(b));
  RC_ASSERT(less_text(left, right, TextOrder::kNumbers) == (a < b));
  RC_ASSERT(less_text(left, right, TextOrder::kBytes) == (left < right));
  if (a < b) RC_ASSERT(place_of_number(left) <= place_of_number(right));
}

TEST(TextOrder, OfDecimalsOfAnyLengthAndOfWhatIsNoNumber) {
  const std::vector<std::string> ordered = {"-Infinity",
                                            "-1e+300",
                                            "-100000000000000000000000",
                                            "-99.5",
                                            "-99.25",
                                            "-9",
                                            "-0.5",
                                            "-1.5e-07",
                                            "0",
                                            "1e-300",
                                            "1.27e-118",
                                            "2.9e-118",
                                            "0.0009",
                                            "0.05",
                                            "0.5",
                                            "9",
                                            "9.125",
                                            "9.5",
                                            "10",
                                            "99999999999999999999",
                                            "100000000000000000000",
                                            "100000000000000000001.5",
                                            "1.2e+21",
                                            "1200000000000000000001",
                                            "1.25e+21",
                                            "Infinity",
                                            "1e",
                                            "NaN",
                                            "x"};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < ordered.size(); ++j) {
      EXPECT_EQ(less_text(ordered[i], ordered[j], TextOrder::kNumbers), i < j)
          << ordered[i] << ' ' << ordered[j];
      if (i < j) {
        EXPECT_LE(place_of_number(ordered[i]), place_of_number(ordered[j])) << ordered[i] << ordered[j];
      }
    }
  }
  // Forms of one number are in some order, and only in one.
  for (const auto& [a, b] : {std::pair("1.0", "1"), std::pair("007", "7"), std::pair("-0", "0"),
                             std::pair("1e+20", "100000000000000000000")}) {
    EXPECT_NE(less_text(a, b, TextOrder::kNumbers), less_text(b, a, TextOrder::kNumbers)) << a;
  }
}

TEST(TextOrder, NumbersBelowZeroAreNotPacked) {
  TokenCodec codec(1);
  const auto digits = std::string(26, '5');
  EXPECT_TRUE(codec.pack("-" + digits).packed());
  codec.set_order(TextOrder::kNumbers);
  EXPECT_TRUE(codec.pack(digits).packed());
  EXPECT_FALSE(codec.pack("-" + digits).packed());
}

}  // namespace
}  // namespace dupwatch::core::packed_text_test
