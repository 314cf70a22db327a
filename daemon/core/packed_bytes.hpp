#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/core/packed_run.hpp"

/// The bytes of a packed log.
namespace dupwatch::core {

inline constexpr std::size_t kTokenBytes = 16;
/// A kind written out, a shape, two tokens with lengths, three varints and what Writer::wide writes beyond.
inline constexpr std::size_t kRowBytesMax = 128;

inline Wide wide(const Token& token) noexcept {
  return {.hi = token.hi, .lo = token.lo};
}
inline Wide minus(const Wide& a, const Wide& b) noexcept {
  return {.hi = a.hi - b.hi - (a.lo < b.lo ? 1U : 0U), .lo = a.lo - b.lo};
}
inline Wide plus(const Wide& a, const Wide& b) noexcept {
  const auto lo = a.lo + b.lo;
  return {.hi = a.hi + b.hi + (lo < a.lo ? 1U : 0U), .lo = lo};
}
inline bool less(const Wide& a, const Wide& b) noexcept {
  return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
}
inline bool equal(const Wide& a, const Wide& b) noexcept {
  return a.hi == b.hi && a.lo == b.lo;
}
[[nodiscard]] inline std::uint8_t length_of(const Wide& number) noexcept {
  const auto bits = number.hi != 0 ? 128 - std::countl_zero(number.hi) : 64 - std::countl_zero(number.lo);
  return static_cast<std::uint8_t>((bits + 7) / 8);
}

/// Writes into a buffer that has room for a row at least.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out), at_(out.data()), end_(out.data() + out.size()) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { out_.resize(size()); }

  void make_room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) >= bytes) return;
    const auto written = size();
    out_.resize(2 * out_.size() + bytes);
    at_ = out_.data() + written;
    end_ = out_.data() + out_.size();
  }
  void byte(std::uint8_t value) noexcept { *at_++ = std::byte{value}; }
  void varint(std::uint64_t value) noexcept {
    for (; value >= 0x80; value >>= 7U) byte(static_cast<std::uint8_t>(value | 0x80U));
    byte(static_cast<std::uint8_t>(value));
  }
  void wide(const Wide& number, std::size_t length) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(at_, &number.lo, sizeof number.lo);
    std::memcpy(at_ + sizeof number.lo, &number.hi, sizeof number.hi);
    at_ += length;
  }
  void bytes(std::span<const std::byte> bytes) noexcept {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void text(std::string_view text) {
    make_room(text.size() + kRowBytesMax);
    varint(text.size());
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  /// Bytes written so far.
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - out_.data()); }

 private:
  std::vector<std::byte>& out_;
  std::byte* at_;
  std::byte* end_;
};

/// Reads what Writer wrote; it is our own memory, so nothing is checked.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : at_(in.data()), end_(in.data() + in.size()) {}
  std::uint8_t byte() noexcept { return std::to_integer<std::uint8_t>(*at_++); }
  std::uint64_t varint() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto next = byte();
      value |= std::uint64_t{next & 0x7FU} << shift;
      if (next < 0x80) return value;
    }
  }
  Wide wide(std::size_t length) noexcept {
    std::array<std::uint64_t, 2> words{};
    // A copy of known length is one load: most numbers are followed by so much.
    if (static_cast<std::size_t>(end_ - at_) >= kTokenBytes) {
      std::memcpy(words.data(), at_, kTokenBytes);
      if (length < 8) {
        words = {words[0] & ((std::uint64_t{1} << (8 * length)) - 1), 0};
      } else if (length < kTokenBytes) {
        words[1] &= (std::uint64_t{1} << (8 * (length - 8))) - 1;
      }
    } else {
      std::memcpy(words.data(), at_, length);
    }
    at_ += length;
    return {.hi = words[1], .lo = words[0]};
  }
  std::string_view text() noexcept {
    const auto size = varint();
    const auto bytes = std::span(at_, size);
    at_ += size;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT(*-reinterpret-cast)
  }

  [[nodiscard]] std::span<const std::byte> rest() const noexcept { return {at_, end_}; }

 private:
  const std::byte* at_;
  const std::byte* end_;
};

}  // namespace dupwatch::core
