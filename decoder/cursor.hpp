#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace dupwatch::decoder {

/// Reads big-endian fields from the front of a byte range. Every read checks the length first and leaves the
/// cursor where it was when the bytes do not suffice; so offset() after a failed read is where the missing
/// field starts. Views into the range it was made with; no state but the position. All wire reads of this
/// library go through it.
class Cursor {
 public:
  explicit constexpr Cursor(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] constexpr std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] constexpr std::size_t remaining() const noexcept { return bytes_.size() - offset_; }
  [[nodiscard]] constexpr bool empty() const noexcept { return remaining() == 0; }

  /// An unsigned or two's complement integer of sizeof(T) bytes.
  template <class T>
  [[nodiscard]] constexpr std::optional<T> read_be() noexcept {
    static_assert(std::is_integral_v<T> && !std::is_same_v<T, bool>);
    if (remaining() < sizeof(T)) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value = (value << 8U) | std::to_integer<std::uint64_t>(bytes_[offset_ + i]);
    }
    offset_ += sizeof(T);
    return static_cast<T>(value);
  }

  /// Exactly `size` bytes, whatever they are.
  [[nodiscard]] std::optional<std::string_view> read_bytes(std::size_t size) noexcept {
    if (remaining() < size) return std::nullopt;
    const auto text = view().substr(0, size);
    offset_ += size;
    return text;
  }

  /// The bytes up to the next NUL, which is consumed and not returned.
  [[nodiscard]] std::optional<std::string_view> read_cstring() noexcept {
    const auto size = view().find('\0');
    if (size == std::string_view::npos) return std::nullopt;
    const auto text = view().substr(0, size);
    offset_ += size + 1;
    return text;
  }

  /// Everything not yet read; the cursor is empty afterwards.
  [[nodiscard]] constexpr std::span<const std::byte> read_rest() noexcept {
    const auto rest = bytes_.subspan(offset_);
    offset_ = bytes_.size();
    return rest;
  }

 private:
  [[nodiscard]] std::string_view view() const noexcept {
    const auto rest = bytes_.subspan(offset_);
    return {reinterpret_cast<const char*>(rest.data()), rest.size()};
  }

  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

}  // namespace dupwatch::decoder
