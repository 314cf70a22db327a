#include "daemon/core/packed_text.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace dupwatch::core {
namespace {

/// Ascending in ASCII, so that 128-bit order is byte order.
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Has a bit that no value has, and keeps it under `or`.
constexpr std::uint8_t kNotInAlphabet = 0xFF;
constexpr std::size_t kHalf = TokenCodec::kBodyChars / 2;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNotInAlphabet);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr auto kValues = make_values();

/// 13 digits as a number of 65 bits without its topmost one.
struct Half {
  std::uint64_t bits = 0;
  std::uint8_t seen = 0;  ///< kNotInAlphabet when a character is none of the alphabet's
};

/// Terms that don't wait for each other, written out: a third of the time of shifting digit by digit.
template <std::size_t... kIndex>
Half sum_half(const char* digits, std::index_sequence<kIndex...> /*indices*/) noexcept {
  Half half;
  const auto add = [&](std::size_t i) {
    const auto value = kValues[static_cast<unsigned char>(digits[i])];
    half.bits |= std::uint64_t{value} << (5 * (kHalf - 1 - i));
    half.seen |= value;
  };
  (add(kIndex), ...);
  return half;
}

/// The finalizer of MurmurHash3: every input bit reaches every output bit.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x ^= x >> 33U;
  x *= 0xFF51AFD7ED558CCDULL;
  x ^= x >> 33U;
  x *= 0xC4CEB9FE1A85EC53ULL;
  return x ^ (x >> 33U);
}

}  // namespace

Token TokenCodec::pack(std::string_view text) {
  const Token spilled{.kind = Token::kSpilled};
  if (text.size() < kBodyChars || text.size() > kBodyChars + kPrefixBytesMax) return spilled;
  const auto body = text.substr(text.size() - kBodyChars);
  // 26 digits hold 130 bits: a first digit above 7 does not fit.
  if (body[0] > '7') return spilled;
  const auto upper = sum_half(body.data(), std::make_index_sequence<kHalf>{});
  const auto lower = sum_half(body.data() + kHalf, std::make_index_sequence<kHalf>{});
  if ((upper.seen | lower.seen) == kNotInAlphabet) return spilled;
  const std::uint64_t carried = kValues[static_cast<unsigned char>(body[kHalf])] / 16U;
  Token token{.hi = (upper.bits << 1U) | carried, .lo = lower.bits};
  const auto prefix = prefix_of(text, text.size() - kBodyChars);
  std::size_t i = 0;
  while (i < prefixes_.size() && !(prefixes_[i] == prefix)) ++i;
  if (i == prefixes_.size()) {
    if (prefixes_.size() == kPrefixesMax) return spilled;
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
  const auto keep = [](std::uint64_t& word, std::size_t bytes) {
    if (bytes < sizeof word) word &= (std::uint64_t{1} << (8 * bytes)) - 1;
  };
  keep(prefix.bytes[0], size);
  keep(prefix.bytes[1], size < sizeof(std::uint64_t) ? 0 : size - sizeof(std::uint64_t));
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

std::uint64_t hash_token(const Token& packed, std::uint64_t seed) noexcept {
  return mix(packed.lo ^ mix(packed.hi ^ seed ^ (std::uint64_t{packed.kind} << 56U)));
}

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL ^ seed;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return mix(hash);
}

}  // namespace dupwatch::core
