#include "daemon/web/eviction.hpp"

#include <algorithm>

namespace dupwatch::web {
namespace {

constexpr std::size_t kTotalMax = 768;
constexpr std::size_t kTotalMin = 16;

[[nodiscard]] bool may_go(Phase phase) noexcept {
  return phase == Phase::kReading || phase == Phase::kClosing || phase == Phase::kWriting;
}

/// One that takes its answer is sent away after all that have not asked.
[[nodiscard]] bool goes_before(const Held& a, const Held& b) noexcept {
  const bool a_writes = a.phase == Phase::kWriting;
  const bool b_writes = b.phase == Phase::kWriting;
  return a_writes != b_writes ? b_writes : a.since < b.since;
}

[[nodiscard]] std::size_t count_of(Peer peer, const PeerCounts& counts) {
  const auto found = counts.find(peer);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

ConnectionLimits limits_for(std::size_t descriptors) noexcept {
  const auto total = std::clamp(descriptors / 2, kTotalMin, kTotalMax);
  return {.total = total, .per_peer = total * 3 / 4, .streams = total / 3};
}

bool is_full_for(Peer peer, std::size_t total, const PeerCounts& counts, const ConnectionLimits& limits) {
  return total >= limits.total || count_of(peer, counts) >= limits.per_peer;
}

std::optional<std::size_t> victim_for(Peer peer, std::span<const Held* const> held, const PeerCounts& counts,
                                      const ConnectionLimits& limits) {
  const bool of_peer = count_of(peer, counts) >= limits.per_peer;
  std::optional<std::size_t> victim;
  std::size_t most = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto& one = *held[i];
    if (!may_go(one.phase) || (of_peer && one.peer != peer)) continue;
    const auto count = count_of(one.peer, counts);
    if (!victim || (count != most ? count > most : goes_before(one, *held[*victim]))) {
      victim = i;
      most = count;
    }
  }
  return victim;
}

}  // namespace dupwatch::web
