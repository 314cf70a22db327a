#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/core/durability.hpp"
#include "daemon/core/planted.hpp"
#include "decoder/change.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// Why commits may have gone unseen. Closed: metric labels.
enum class GapReason : std::uint8_t {
  kFirstStart,     ///< what was committed before the slot existed
  kSlotCreated,    ///< the slot was lost or dropped, and made anew
  kOtherHistory,   ///< another server or timeline answers
  kPositionAhead,  ///< the slot begins behind what was confirmed
  kDecodeError,    ///< a message of the stream could not be read
  kTableChanged,   ///< the watched table was renamed, made anew or taken out of the publication
  kSlotLost,       ///< the server gave the slot up
  kFuse,           ///< dupwatch gave its slot up, because it held back too much WAL
  kPoisonRow,      ///< a row that the output plugin cannot deliver was stepped over
  kRowSecurity,    ///< row-level security hides rows from our own queries
  kUnknownPast,    ///< a start that does not know what was seen before
  kRestored,       ///< the server was put back to an earlier point
  kDeaf,           ///< the table has rows that the stream never brought
  kBlind           ///< the stream brought rows that our own queries do not show
};
inline constexpr std::size_t kGapReasons = 14;
[[nodiscard]] std::string_view to_string(GapReason reason) noexcept;

/// An interval of commits for which "no finding" does not mean "nothing wrong". It closes when a scan of the
/// table that began after it was opened has ended.
struct CoverageGap {
  GapReason reason = GapReason::kFirstStart;
  /// Not valid = from the beginning, or to a position that is not known.
  decoder::Lsn from;
  decoder::Lsn to;
  decoder::Timestamp opened;
  std::optional<decoder::Timestamp> closed;
};

/// The gaps in what was seen, and which of them a scan has yet to close (promise I6). Not thread-safe.
class Coverage {
 public:
  /// Gaps remembered; the oldest closed one is forgotten first. Open ones of a reason are one, so they stay
  /// few.
  static constexpr std::size_t kGapsMax = 64;

  /// Opens a gap, or widens the open one of that reason, which a scan under way then no longer closes.
  void open(GapReason reason, decoder::Lsn from, decoder::Lsn to, decoder::Timestamp now);
  /// An open gap waits for a scan.
  [[nodiscard]] bool needs_scan() const noexcept;
  /// A scan begins: its snapshot is taken after this call.
  void scan_begins() noexcept;
  /// The scan has judged everything: the gaps that were open when it began are closed, and returned.
  std::vector<CoverageGap> scan_ended(decoder::Timestamp now);
  void scan_failed() noexcept;
  /// As often as may be: a gap that was closed leaves the record once the findings of its scan are durable.
  /// `reported`: all findings so far were given to `durability`.
  template <class Durability>
  void settle(bool reported, const Durability& durability);

  [[nodiscard]] bool complete() const noexcept;
  /// Since when there has been no open gap; nullopt while there is one.
  [[nodiscard]] std::optional<decoder::Timestamp> complete_since() const noexcept { return complete_since_; }
  void started(decoder::Timestamp now) noexcept;
  /// The oldest first.
  [[nodiscard]] std::vector<CoverageGap> gaps() const;
  [[nodiscard]] std::vector<CoverageGap> open_gaps() const;
  /// Those that a start after a crash must know: the open ones, and those whose scan's findings may be lost.
  [[nodiscard]] std::vector<CoverageGap> recorded_gaps() const;
  /// Grows whenever open_gaps() or recorded_gaps() may have changed.
  [[nodiscard]] std::uint64_t revision() const noexcept { return revision_; }
  [[nodiscard]] const std::array<std::uint64_t, kGapReasons>& opened_total() const noexcept { return total_; }
  [[nodiscard]] std::array<std::uint64_t, kGapReasons> open_now() const noexcept;
  /// The reason of an open gap, to name one.
  [[nodiscard]] std::optional<GapReason> open_reason() const noexcept;

 private:
  struct Entry {
    CoverageGap gap;
    bool scanned = false;
    bool recorded = true;
  };
  void forget_closed() noexcept;
  std::deque<Entry> entries_;
  std::array<std::uint64_t, kGapReasons> total_{};
  std::optional<decoder::Timestamp> complete_since_;
  std::uint64_t revision_ = 0;
  /// Gaps were closed, and once they are known, the findings that they wait for.
  bool closing_ = false;
  std::optional<AddedFindings> awaited_;
};

template <class Durability>
void Coverage::settle(bool reported, const Durability& durability) {
  if (!closing_) return;
  if (!is_planted(Planted::kCloseUndurable)) {
    if (!awaited_ && reported) awaited_ = durability.added();
    if (!awaited_ || !durability.is_durable(*awaited_)) return;
  }
  forget_closed();
}

}  // namespace dupwatch::core
