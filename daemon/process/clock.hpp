#pragma once

#include "daemon/core/instant.hpp"
#include "decoder/change.hpp"

/// The clocks of the daemon; the core takes `now` as an argument.
namespace dupwatch::process {

/// For deadlines and intervals.
[[nodiscard]] core::Instant steady_now() noexcept;
/// For what people and other machines read: flag times, log lines, status messages to the server.
[[nodiscard]] decoder::Timestamp wall_now() noexcept;
/// Differs between processes and starts; for backoff jitter and hash tables.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace dupwatch::process
