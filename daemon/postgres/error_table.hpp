#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "daemon/postgres/error.hpp"

namespace dupwatch::postgres {

/// A set of stages, one bit each.
using Stages = std::uint8_t;
[[nodiscard]] constexpr Stages stage_bit(Stage stage) noexcept {
  return static_cast<Stages>(1U << static_cast<unsigned>(stage));
}

/// One kind of error. `state`: five characters, a class of two, or empty for any. `text`: part of the
/// message, or empty for any. In a remedy %1 stands for the first quoted name of the message; <role> and
/// <database> are filled in by Connection.
struct ErrorRow {
  Stages stages;
  std::string_view state;
  std::string_view text;
  Fault fault;
  Cause cause;
  std::string_view remedy;
};

/// All rows. The first that fits an error counts.
[[nodiscard]] std::span<const ErrorRow> error_table() noexcept;

}  // namespace dupwatch::postgres
