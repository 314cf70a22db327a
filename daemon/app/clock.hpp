#pragma once

#include <chrono>

#include "decoder/change.hpp"

/// The only place of the daemon that reads a clock; everything below takes `now` as an argument.
namespace dupwatch::app {

using Instant = std::chrono::steady_clock::time_point;

/// For deadlines and intervals.
[[nodiscard]] Instant steady_now() noexcept;
/// For what people and other machines read: flag times, log lines, status messages to the server.
[[nodiscard]] decoder::Timestamp wall_now() noexcept;
/// Differs between processes and starts; for backoff jitter and hash tables.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace dupwatch::app
