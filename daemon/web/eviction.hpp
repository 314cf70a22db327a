#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

/// Who has to go when there are too many connections. Pure.
namespace dupwatch::web {

/// What a connection does.
enum class Phase : std::uint8_t {
  kReading,    ///< has not sent its whole request
  kWorking,    ///< its answer is being made
  kWriting,    ///< takes its answer
  kClosing,    ///< has its answer, or is not worth one
  kStreaming,  ///< reads /api/events
};

/// An IPv4 address, or the /64 of an IPv6 one.
using Peer = std::uint64_t;

struct Held {
  Peer peer = 0;
  Phase phase = Phase::kReading;
  std::chrono::steady_clock::time_point since{};
};

struct ConnectionLimits {
  std::size_t total;
  std::size_t per_peer;
  /// Of `total`; more readers of /api/events are refused.
  std::size_t streams;
};

/// For a process that may open `descriptors` files, of which the database and others need some.
[[nodiscard]] ConnectionLimits limits_for(std::size_t descriptors) noexcept;

/// How many connections each has.
using PeerCounts = std::unordered_map<Peer, std::size_t>;

/// Whether a connection of `peer` needs one of the `total` others to go.
[[nodiscard]] bool is_full_for(Peer peer, std::size_t total, const PeerCounts& counts,
                               const ConnectionLimits& limits);

/// The index of the one that makes room for a connection of `peer`; nullopt when nobody may be sent away. It
/// is the one that has been longest without a whole request, or else has taken longest over its answer: of
/// `peer` when that has its share, and else of whoever holds the most.
[[nodiscard]] std::optional<std::size_t> victim_for(Peer peer, std::span<const Held* const> held,
                                                    const PeerCounts& counts, const ConnectionLimits& limits);

}  // namespace dupwatch::web
