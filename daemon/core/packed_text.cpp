#include "daemon/core/packed_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <compare>
#include <cstring>
#include <limits>
#include <optional>

namespace dupwatch::core {
namespace {

/// Ascending in ASCII, so that 128-bit order is byte order.
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kLanes = 16;

// Registers that every 64-bit machine has; GCC and Clang both know them.
using Bytes = std::uint8_t __attribute__((vector_size(kLanes)));
using SignedBytes = std::int8_t __attribute__((vector_size(kLanes)));
using Words16 = std::uint16_t __attribute__((vector_size(kLanes)));
using Words32 = std::uint32_t __attribute__((vector_size(kLanes)));
using Words64 = std::uint64_t __attribute__((vector_size(kLanes)));

template <typename To, typename From>
To same_bits(const From& from) noexcept {
  return std::bit_cast<To>(from);
}

/// 16 digits as two numbers of 40 bits.
struct Digits {
  std::uint64_t upper = 0;
  std::uint64_t lower = 0;
  bool valid = false;
};

/// All digits at once: half the instructions of looking up one after the other.
[[gnu::always_inline]] inline Digits read_digits(const char* text) noexcept {
  Bytes chars;
  std::memcpy(&chars, text, sizeof chars);
  // Signed, as SSE2 compares: what is not ASCII is below '0'.
  const auto c = same_bits<SignedBytes>(chars);
  const auto letter = c > '9';
  const auto bad =
      (c < '0') | (c > 'Z') | (letter & (c < 'A')) | (c == 'I') | (c == 'L') | (c == 'O') | (c == 'U');
  // A comparison that holds is -1 in its lane: one less for each letter that was left out.
  const auto left_out = (c > 'I') + (c > 'L') + (c > 'O') + (c > 'U');
  const auto values = chars - '0' - (same_bits<Bytes>(letter) & ('A' - '9' - 1)) + same_bits<Bytes>(left_out);
  const auto w16 = same_bits<Words16>(values);
  const auto w32 = same_bits<Words32>((w16 & 0xFFU) << 5U | w16 >> 8U);
  const auto w64 = same_bits<Words64>((w32 & 0xFFFFU) << 10U | w32 >> 16U);
  const auto numbers = (w64 & 0xFFFFFFFFU) << 20U | w64 >> 32U;
  const auto wrong = same_bits<Words64>(bad);
  return {.upper = numbers[0], .lower = numbers[1], .valid = (wrong[0] | wrong[1]) == 0};
}

}  // namespace

TokenCodec::TokenCodec(std::uint64_t seed) : seed_(seed) {
  Prefix slots{.bytes = {}, .size = kSlotPrefix.size()};
  std::memcpy(slots.bytes.data(), kSlotPrefix.data(), kSlotPrefix.size());
  prefixes_.push_back(slots);
}

Token TokenCodec::pack(std::string_view text) {
  const Token spilled{.kind = Token::kSpilled};
  // Of two numbers below zero the one with the greater digits is the smaller one.
  if (order_ == TextOrder::kNumbers && text.starts_with('-')) return spilled;
  if (text.size() < kBodyChars || text.size() > kBodyChars + kPrefixBytesMax) return spilled;
  const auto body = text.substr(text.size() - kBodyChars);
  // 26 digits hold 130 bits: a first digit above 7 does not fit.
  if (body[0] > '7') return spilled;
  // Ten digits of the first sixteen, then the last sixteen.
  const auto first = read_digits(body.data());
  const auto last = read_digits(body.data() + kBodyChars - kLanes);
  if (!first.valid || !last.valid) return spilled;
  Token token{.hi = first.upper << 26U | first.lower >> 30U << 16U | last.upper >> 24U,
              .lo = last.upper << 40U | last.lower};
  const auto prefix = prefix_of(text, text.size() - kBodyChars);
  std::size_t i = 0;
  while (i < prefixes_.size() && !(prefixes_[i] == prefix)) ++i;
  if (i == prefixes_.size()) {
    if (prefixes_.size() == kPrefixesMax + 1) return spilled;
    prefixes_.push_back(prefix);
  }
  token.kind = static_cast<std::uint8_t>(Token::kFirstPrefix + i);
  return token;
}

TokenCodec::Prefix TokenCodec::prefix_of(std::string_view text, std::size_t size) noexcept {
  static_assert(kPrefixBytesMax == sizeof(Prefix::bytes) && kBodyChars >= kPrefixBytesMax);
  static_assert(std::endian::native == std::endian::little);
  Prefix prefix{.bytes = {}, .size = size};
  std::memcpy(prefix.bytes.data(), text.data(), sizeof prefix.bytes);
  constexpr auto kWord = sizeof(std::uint64_t);
  const auto low = [](std::size_t bytes) { return (std::uint64_t{1} << (8 * bytes)) - 1; };
  if (size < kWord) {
    prefix.bytes = {prefix.bytes[0] & low(size), 0};
  } else if (size < 2 * kWord) {
    prefix.bytes[1] &= low(size - kWord);
  }
  return prefix;
}

void TokenCodec::unpack(const Token& token, std::string& out) const {
  const auto& prefix = prefixes_[static_cast<std::size_t>(token.kind - Token::kFirstPrefix)];
  std::array<char, kPrefixBytesMax> text{};
  std::memcpy(text.data(), prefix.bytes.data(), text.size());
  out.append(text.data(), prefix.size);
  std::array<char, kBodyChars> body{};
  auto hi = token.hi;
  auto lo = token.lo;
  for (std::size_t i = kBodyChars; i-- > 0;) {
    body[i] = kAlphabet[lo & 31U];
    lo = (lo >> 5U) | (hi << 59U);
    hi >>= 5U;
  }
  out.append(body.data(), body.size());
}

namespace {

constexpr int kBeyondAll = std::numeric_limits<int>::max();

/// A number as Postgres prints it, 120.5 or 1.205e+02: what its digits are behind the point, times a power of
/// ten. Zero has no digits.
struct Decimal {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  /// Where the point is, counted from the first digit.
  int point = 0;

  [[nodiscard]] std::size_t size() const noexcept { return whole.size() + fraction.size(); }
  [[nodiscard]] char digit(std::size_t i) const noexcept {
    if (i < whole.size()) return whole[i];
    return i < size() ? fraction[i - whole.size()] : '0';
  }
};

/// Takes the exponent from the end of `text`; nullopt: what stands there is none.
std::optional<int> take_exponent(std::string_view& text) noexcept {
  const auto at = text.find('e');
  if (at == std::string_view::npos) return 0;
  auto written = text.substr(at + 1);
  if (written.starts_with('+')) written.remove_prefix(1);
  text = text.substr(0, at);
  int exponent = 0;
  const auto* end = written.data() + written.size();
  const auto read = std::from_chars(written.data(), end, exponent);
  return read.ec == std::errc{} && read.ptr == end ? std::optional{exponent} : std::nullopt;
}

std::size_t leading_zeros(std::string_view digits) noexcept {
  return std::min(digits.find_first_not_of('0'), digits.size());
}

std::optional<Decimal> decimal_of(std::string_view text) noexcept {
  Decimal out;
  if (text.starts_with('-')) {
    out.negative = true;
    text.remove_prefix(1);
  }
  if (text == "Infinity") {
    out.point = kBeyondAll;
    return out;
  }
  const auto exponent = take_exponent(text);
  if (!exponent) return std::nullopt;
  const auto point = std::min(text.find('.'), text.size());
  out.whole = text.substr(0, point);
  out.fraction = text.substr(std::min(point + 1, text.size()));
  constexpr std::string_view kDigits = "0123456789";
  const bool digits = out.whole.find_first_not_of(kDigits) == std::string_view::npos &&
                      out.fraction.find_first_not_of(kDigits) == std::string_view::npos;
  if (out.whole.empty() || !digits) return std::nullopt;
  out.whole.remove_prefix(leading_zeros(out.whole));
  out.point = *exponent + static_cast<int>(out.whole.size());
  if (out.whole.empty()) {
    const auto zeros = leading_zeros(out.fraction);
    out.fraction.remove_prefix(zeros);
    out.point -= static_cast<int>(zeros);
  }
  while (!out.fraction.empty() && out.fraction.back() == '0') out.fraction.remove_suffix(1);
  if (out.size() == 0) {
    out.negative = false;
    out.point = -kBeyondAll;
  }
  return out;
}

std::strong_ordering magnitude(const Decimal& a, const Decimal& b) noexcept {
  if (a.point != b.point) return a.point <=> b.point;
  if (a.whole.size() == b.whole.size()) {
    return a.whole != b.whole ? a.whole <=> b.whole : a.fraction <=> b.fraction;
  }
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (a.digit(i) != b.digit(i)) return a.digit(i) <=> b.digit(i);
  }
  return std::strong_ordering::equal;
}

}  // namespace

bool less_text(std::string_view a, std::string_view b, TextOrder order) noexcept {
  if (order == TextOrder::kBytes) return a < b;
  const auto left = decimal_of(a);
  const auto right = decimal_of(b);
  if (!left || !right) return left.has_value() != right.has_value() ? left.has_value() : a < b;
  if (left->negative != right->negative) return left->negative;
  const auto size = left->negative ? magnitude(*right, *left) : magnitude(*left, *right);
  // Two forms of one number: some order, the same at any time.
  return size == 0 ? a < b : size < 0;
}

std::array<std::uint64_t, 2> place_of_number(std::string_view text) noexcept {
  constexpr std::uint64_t kZero = std::uint64_t{1} << 62U;
  constexpr std::int64_t kAboveZero = std::int64_t{1} << 40U;  // more than any point is below it
  constexpr std::size_t kDigits = 19;                          // fit a word
  const auto decimal = decimal_of(text);
  if (!decimal) return {2 * kZero, 0};
  if (decimal->point == -kBeyondAll) return {kZero, 0};
  std::uint64_t leading = 0;
  for (std::size_t i = 0; i < kDigits; ++i)
    leading = leading * 10 + static_cast<std::uint64_t>(decimal->digit(i) - '0');
  const auto distance = static_cast<std::uint64_t>(kAboveZero + decimal->point);
  if (decimal->negative) return {kZero - distance, ~leading};
  return {kZero + distance, leading};
}

}  // namespace dupwatch::core
