#pragma once

#include <algorithm>
#include <cstdint>

#include "daemon/core/config.hpp"

namespace dupwatch::core {

/// What an attempt to stream failed of, as far as it matters for whether there is another one.
enum class Obstacle : std::uint8_t {
  kPassing,      ///< heals by itself: the network, a server that starts
  kAccess,       ///< somebody changes it while dupwatch waits: a password, a right, pg_hba.conf, the table
  kSlotInUse,    ///< another session reads the slot, and it is no dupwatch
  kStandby,      ///< another dupwatch has the slot: this one may wait for ever
  kSlotGivenUp,  ///< the slot is lost and slot.lost_policy is stop
};

struct Attempts {
  /// A stream of this process has begun once.
  bool ever_streamed = false;
  Milliseconds since_start{0};
  /// How long the slot has been in use.
  Milliseconds in_use{0};
  /// connection.startup_timeout; 0 = no end.
  Milliseconds patience{0};
};

enum class Verdict : std::uint8_t { kTryAgain, kNeedsOperator, kTemporary };

/// Before the first stream, what only a person can change ends the process at once, for it is mostly a wrong
/// configuration; afterwards it is waited for, since a monitor that has ended leaves its slot to hold WAL
/// back. Only a slot that is given up by configuration ends it then. Pure.
[[nodiscard]] constexpr Verdict after_failure(Obstacle obstacle, const Attempts& attempts) noexcept {
  // A predecessor that was killed leaves its walsender until the server notices; a slot that stays in use
  // longer belongs to somebody.
  constexpr Milliseconds kInUseDefault{60'000};
  const bool patient = attempts.patience.count() == 0;
  switch (obstacle) {
    case Obstacle::kSlotGivenUp:
      return Verdict::kNeedsOperator;
    case Obstacle::kStandby:
      return Verdict::kTryAgain;
    case Obstacle::kSlotInUse:
      if (attempts.ever_streamed || attempts.in_use < (patient ? kInUseDefault : attempts.patience)) {
        return Verdict::kTryAgain;
      }
      return Verdict::kNeedsOperator;
    case Obstacle::kAccess:
      return attempts.ever_streamed ? Verdict::kTryAgain : Verdict::kNeedsOperator;
    case Obstacle::kPassing:
      break;
  }
  const bool over = !patient && attempts.since_start >= attempts.patience;
  return over && !attempts.ever_streamed ? Verdict::kTemporary : Verdict::kTryAgain;
}

/// How long the next attempt is waited for: as the backoff says, but the last one before the first stream
/// begins when patience ends. Pure.
[[nodiscard]] constexpr Milliseconds delay_before_next(Milliseconds backoff,
                                                       const Attempts& attempts) noexcept {
  if (attempts.ever_streamed || attempts.patience.count() == 0) return backoff;
  return std::clamp(attempts.patience - attempts.since_start, Milliseconds{1},
                    std::max(backoff, Milliseconds{1}));
}

}  // namespace dupwatch::core
