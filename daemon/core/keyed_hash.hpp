#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace dupwatch::core {

/// SipHash-1-3: a keyed hash of text that others choose. Who does not know the seed can't choose texts that
/// meet in a table, which a seeded FNV or a mixer of known constants does not promise. Thread-safe.
class SipHash {
 public:
  explicit SipHash(std::uint64_t seed) noexcept
      : v_{seed ^ 0x736F6D6570736575ULL, ~seed ^ 0x646F72616E646F6DULL, seed ^ 0x6C7967656E657261ULL,
           ~seed ^ 0x7465646279746573ULL} {}

  void add(std::uint64_t word) noexcept {
    v_[3] ^= word;
    round();
    v_[0] ^= word;
  }
  [[nodiscard]] std::uint64_t finish() noexcept {
    v_[2] ^= 0xFF;
    round();
    round();
    round();
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void round() noexcept {
    v_[0] += v_[1];
    v_[2] += v_[3];
    v_[1] = std::rotl(v_[1], 13) ^ v_[0];
    v_[3] = std::rotl(v_[3], 16) ^ v_[2];
    v_[0] = std::rotl(v_[0], 32);
    v_[2] += v_[1];
    v_[0] += v_[3];
    v_[1] = std::rotl(v_[1], 17) ^ v_[2];
    v_[3] = std::rotl(v_[3], 21) ^ v_[0];
    v_[2] = std::rotl(v_[2], 32);
  }

  std::array<std::uint64_t, 4> v_;
};

[[nodiscard]] inline std::uint64_t hash_words(std::uint64_t a, std::uint64_t b, std::uint8_t c,
                                              std::uint64_t seed) noexcept {
  SipHash hash(seed);
  hash.add(a);
  hash.add(b);
  hash.add(c);
  return hash.finish();
}

[[nodiscard]] inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept {
  static_assert(std::endian::native == std::endian::little);
  SipHash hash(seed);
  const auto size = text.size();
  std::uint64_t word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    hash.add(word);
  }
  word = 0;
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());
  hash.add(word | static_cast<std::uint64_t>(size) << 56U);
  return hash.finish();
}

/// For std::unordered_map and its like.
struct KeyedHash {
  std::uint64_t seed = 0;
  std::size_t operator()(std::string_view text) const noexcept { return hash_text(text, seed); }
  std::size_t operator()(std::uint64_t number) const noexcept { return hash_words(number, 0, 0, seed); }
};

}  // namespace dupwatch::core
