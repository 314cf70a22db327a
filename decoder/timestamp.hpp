#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "decoder/change.hpp"

namespace dupwatch::decoder {

/// Microseconds between 1970-01-01, where Timestamp starts, and 2000-01-01, where Postgres' wire format does.
inline constexpr std::int64_t kPostgresEpochMicros = 946'684'800'000'000;

/// From the wire format: microseconds since 2000-01-01 UTC. nullopt where the result does not fit 64 bits.
[[nodiscard]] std::optional<Timestamp> timestamp_from_wire(std::int64_t micros_since_2000) noexcept;

/// To the wire format; times too early for it give the earliest one.
[[nodiscard]] std::int64_t timestamp_to_wire(Timestamp time) noexcept;

/// Reads what timestamptz_out prints under DateStyle ISO: "2026-11-24 05:21:38.123456+00", offsets as
/// +HH[:MM[:SS]]. Other styles, "infinity" and years BC are nullopt.
[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text) noexcept;

}  // namespace dupwatch::decoder
