#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "daemon/core/instant.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// How far the server's WAL may reach by now. A position beyond that cannot be true; confirmed, it would have
/// the server skip what is committed before it. Not thread-safe.
class PositionBound {
 public:
  /// More WAL than any server writes in a second.
  static constexpr std::uint64_t kGrowthPerSecond = std::uint64_t{16} << 30U;

  /// The server said where its WAL ended.
  void told(decoder::Lsn wal_end, Instant now) noexcept {
    if (known_ && limit(now) <= wal_end.value) return;
    known_ = true;
    wal_end_ = wal_end;
    told_at_ = now;
  }
  /// Another server may answer: nothing is known.
  void reset() noexcept { known_ = false; }
  [[nodiscard]] bool allows(decoder::Lsn position, Instant now) const noexcept {
    return !known_ || position.value <= limit(now);
  }

 private:
  [[nodiscard]] std::uint64_t limit(Instant now) const noexcept {
    const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(now - told_at_).count();
    const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(elapsed, 0)) + 1;
    // 2^64 bytes are 34 years of it.
    return wal_end_.value + std::min<std::uint64_t>(seconds, std::uint64_t{1} << 26U) * kGrowthPerSecond;
  }

  bool known_ = false;
  decoder::Lsn wal_end_;
  Instant told_at_{};
};

}  // namespace dupwatch::core
