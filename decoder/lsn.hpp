#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dupwatch::decoder {

/// A position in the write-ahead log, in bytes from its start. Zero is Postgres' InvalidXLogRecPtr: "none".
/// A type of its own so that it can't be mixed up with a transaction id or a byte count.
struct Lsn {
  std::uint64_t value = 0;

  [[nodiscard]] constexpr bool valid() const noexcept { return value != 0; }
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the 0 of a default <=> for a pointer
  friend constexpr auto operator<=>(const Lsn&, const Lsn&) = default;
};

/// Bytes from `from` to `to`; 0 when `to` is not ahead.
[[nodiscard]] constexpr std::uint64_t bytes_between(Lsn from, Lsn to) noexcept {
  return to.value > from.value ? to.value - from.value : 0;
}

/// Postgres' text form, e.g. "16/B374D848".
[[nodiscard]] std::string to_string(Lsn lsn);

/// Reads the text form: two groups of 1 to 8 hexadecimal digits, a slash between them; anything else is
/// nullopt.
[[nodiscard]] std::optional<Lsn> parse_lsn(std::string_view text) noexcept;

}  // namespace dupwatch::decoder
