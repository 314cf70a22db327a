#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dupwatch::core {

/// Mistakes that the simulator plants in the core, to prove that it would see them.
enum class Planted : std::uint8_t {
  kNone,
  kConfirmUnwritten,   ///< a position is confirmed before the coverage file has it
  kForgetOpenGaps,     ///< the coverage file lacks the open gaps
  kIgnoreAhead,        ///< a slot that another hand moved is no gap
  kIgnoreRestored,     ///< a server that was put back to an earlier point is no gap
  kIgnoreHistory,      ///< another timeline is no gap
  kIgnoreReplaced,     ///< a publication that was made again is no gap
  kIgnoreUnknownPast,  ///< a start without a coverage file is no gap
  kIgnoreNewSlot,      ///< a slot that had to be made again is no gap
  kTrustRuns,          ///< runs in memory outlive a gap
  kTrustRestarted,     ///< runs in memory outlive a restart of the server
  kCloseUnscanned,     ///< a scan closes what has opened since it began
  kCloseUndurable,     ///< a gap is closed for good before its scan's findings are durable
  kDeaf,               ///< the witness takes every row for streamed
  kBlind,              ///< the witness takes every row for shown
  kHasty,              ///< the witness does not wait until the stream has passed a row
  kForgetRecovery,     ///< a disagreement that ends asks for no further scan
  kCloseUnseen,        ///< a finding is gone when nothing can be seen
};

/// What a row costs besides the rows that are looked at (rows_looked_at()), in steps that may not grow with
/// the rows before it.
enum class Work : std::uint8_t {
  kProbes,       ///< places of hash tables
  kPackedBytes,  ///< bytes of packed logs that were read or written
};
inline constexpr std::size_t kWorks = 2;

#ifdef DUPWATCH_SIMULATION
// The simulator builds the core once more with this. It is single-threaded.
inline Planted planted_bug = Planted::kNone;
inline std::array<std::uint64_t, kWorks> work_done{};

[[nodiscard]] inline bool is_planted(Planted bug) noexcept {
  return planted_bug == bug;
}
inline void count_work(Work work, std::uint64_t steps = 1) noexcept {
  work_done[static_cast<std::size_t>(work)] += steps;
}
#else
/// What ships has none of them, and the compiler leaves the questions out.
[[nodiscard]] constexpr bool is_planted(Planted) noexcept {
  return false;
}
constexpr void count_work(Work, std::uint64_t = 1) noexcept {}
#endif

}  // namespace dupwatch::core
