#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/core/config.hpp"
#include "daemon/core/latency_histogram.hpp"

namespace dupwatch::core {

/// Why a row stays where it is. Closed: metric labels.
enum class QuarantineRefusal : std::uint8_t {
  kNotFatal,      ///< replay does not fail on it
  kSlotNumbered,  ///< the run has slot numbers: a hole in them is fatal itself
  kRunEnded,      ///< no replay reads the log again
  kRule,          ///< removing the row would lose something, or was not measured to heal
  kOutcome,       ///< a step both completed and failed: which is right is not for a tool to say
  kCanonical,     ///< no row of its identity sorts before it
  kChanged,       ///< the log changed between the judgement and the act
  kRestored,      ///< a person has put the row back
  kRunLimit,      ///< quarantine.max_per_run
  kCircuitOpen,   ///< acts are stopped until a person allows them again
  kUnverified,    ///< the log does not show the finding although the row is there
  kStaysFatal,    ///< the run would die of another row all the same
  // What only a person's command can meet: no series.
  kNotIndexed,       ///< the engine's unique index does not cover it
  kNotSlotNumbered,  ///< the run has no slot numbers: the row can be removed, which leaves nothing behind
  kEngine            ///< the engine, as configured, does not read noop
};
/// Of those that the daemon meets.
inline constexpr std::size_t kQuarantineRefusals = 12;
/// A slug, e.g. "slot_numbered".
[[nodiscard]] std::string_view to_string(QuarantineRefusal refusal) noexcept;

/// What became of a finding that quarantine.mode is for. Closed: metric labels.
enum class QuarantineOutcome : std::uint8_t {
  kRemoved,
  kRecorded,
  kDryRun,
  kAlready,  ///< another instance or a person was faster
  kRefused,
  kFailed,  ///< the server refused it, or did so too often
  kDropped  ///< too many waited
};
inline constexpr std::size_t kQuarantineOutcomes = 7;
[[nodiscard]] std::string_view to_string(QuarantineOutcome outcome) noexcept;

/// What the daemon's quarantine can do at present. Closed: metric labels.
enum class QuarantineState : std::uint8_t {
  kOff,          ///< quarantine.mode is observe
  kReady,        ///< nothing stands in the way, as far as is known
  kUnavailable,  ///< no connection, a right or a table is missing
  kTripped       ///< the circuit is open
};
inline constexpr std::size_t kQuarantineStates = 4;
[[nodiscard]] std::string_view to_string(QuarantineState state) noexcept;

struct QuarantineStats {
  QuarantineMode mode = QuarantineMode::kObserve;
  QuarantineState state = QuarantineState::kOff;
  /// Why not kReady; empty otherwise.
  std::string reason;
  std::array<std::uint64_t, kQuarantineOutcomes> findings{};
  std::array<std::uint64_t, kQuarantineRefusals> refused{};
  std::uint64_t failed_attempts = 0;
  std::uint64_t waiting = 0;
  /// From the commit of the row to the commit of its removal.
  LatencyHistogram commit_to_removal;
};

}  // namespace dupwatch::core
