#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/instant.hpp"
#include "decoder/change.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// How stream and table disagree. Closed: metric labels.
enum class Disagreement : std::uint8_t {
  kDeaf,  ///< the table has a row, committed inside coverage, that the stream never brought
  kBlind  ///< the stream brought a row that our own query does not show although it must be visible
};
inline constexpr std::size_t kDisagreements = 2;
[[nodiscard]] std::string_view to_string(Disagreement kind) noexcept;

struct WitnessStats {
  std::uint64_t comparisons = 0;
  std::uint64_t rows = 0;
  std::array<std::uint64_t, kDisagreements> disagreements{};
};

/// Compares what the stream brought with what the table shows (promise I10). It remembers the rows streamed
/// last; SQL shows it rows now and then, and it judges a row once the stream is past the moment at which SQL
/// showed it. No I/O and no clock. Not thread-safe.
class Witness {
 public:
  /// Rows of the stream that are remembered, 16 bytes each.
  static constexpr std::size_t kStreamedMax = 8192;
  /// Rows that wait for the stream; more at once are not judged.
  static constexpr std::size_t kSuspectsMax = 64;
  /// Rows of SQL that are looked at between two moments; each costs some microseconds.
  static constexpr std::size_t kSeenMax = 512;
  /// Streamed rows that SQL is asked for at once, of different moments.
  static constexpr std::size_t kAskedMax = 8;
  /// Between two rows that are kept to be asked for.
  static constexpr std::chrono::seconds kAskedSpacing{1};
  /// A session counts its updates and deletes where others see them at most so much later (it is idle for 10
  /// s then).
  static constexpr std::chrono::seconds kEditsLate{12};
  /// Lag of the stream beyond this is reported elsewhere; what waits for it is dropped.
  static constexpr std::chrono::seconds kPatience{60};
  /// Rows that must be missing all at once where the server counts no edits.
  static constexpr std::size_t kWithoutCounts = 3;
  static constexpr std::size_t kFloorsMax = 64;

  explicit Witness(std::uint64_t seed) : seed_(seed) {}

  /// A stream begins at `from`. What an earlier one brought stays known.
  void stream_started(decoder::Lsn from);
  /// Another history: rows of before may not exist.
  void reset();
  /// A gap is open, and its scan covers what may have been missed: rows of before are not judged again.
  void excuse() noexcept;
  /// The same, and the cause is known and reported: there is no disagreement.
  void explain() noexcept;
  /// A row that dupwatch tracks came through the stream.
  void streamed(std::string_view run_id, std::string_view id, decoder::Xid xid, decoder::Lsn commit_lsn,
                Instant now);

  /// The server's own count of what has become of the table's rows so far.
  struct Edits {
    std::uint64_t updates = 0;
    std::uint64_t deletes = 0;
    /// Another one after TRUNCATE.
    std::uint64_t file = 0;
    friend bool operator==(const Edits&, const Edits&) = default;
  };
  /// What the server said of itself, asked after the rows of seen().
  struct Moment {
    /// pg_current_snapshot(): ids below `xmin` have ended, those from `xmax` on had not begun.
    std::uint64_t xmin = 0;
    std::uint64_t xmax = 0;
    /// The end of WAL: everything that was visible before lies before it.
    decoder::Lsn lsn;
    /// nullopt: the server does not count (a standby, a partitioned table).
    std::optional<Edits> edits;
  };
  /// SQL shows a row, written by transaction `xid` (0 = not known).
  void seen(std::string_view run_id, std::string_view id, decoder::Xid xid, Instant now);
  /// `asked`: what had been received when the questions were sent.
  void at(const Moment& moment, decoder::Lsn asked, Instant now);

  struct Row {
    std::string run_id;
    std::string id;
  };
  /// Rows of the stream that must be visible to a question that is sent now. After at().
  [[nodiscard]] std::vector<Row> to_ask();
  /// The answer: those of to_ask() that SQL shows.
  void answered(const std::vector<Row>& shown, Instant now);

  struct Verdict {
    Disagreement kind = Disagreement::kDeaf;
    Row row;
    /// Since when rows may have been missed.
    decoder::Lsn since;
  };
  /// What is certain by now. `judged`: the stream is past it.
  [[nodiscard]] std::vector<Verdict> judge(decoder::Lsn judged, Instant now);
  /// The last disagreement that no agreement about a later row has followed.
  [[nodiscard]] const std::optional<Disagreement>& standing() const noexcept { return standing_; }
  struct Recovery {
    Disagreement kind = Disagreement::kDeaf;
    /// Since when rows may have been missed.
    decoder::Lsn since;
  };
  /// A disagreement that stood is over, once: what was committed after its last scan may have gone unseen.
  [[nodiscard]] std::optional<Recovery> take_recovery() noexcept {
    return std::exchange(recovery_, std::nullopt);
  }
  /// SQL does not show a row that it should, or did so last: nothing is gone because it can't be seen.
  [[nodiscard]] bool may_be_blind() const noexcept;
  [[nodiscard]] const WitnessStats& stats() const noexcept { return stats_; }

 private:
  struct Streamed {
    std::uint64_t hash = 0;
    decoder::Lsn lsn;
  };
  /// A moment before which nothing is judged: rows of later transactions are in the stream behind `asked`.
  struct Floor {
    std::uint64_t xmax = 0;
    decoder::Lsn asked;
    std::optional<Edits> edits;
  };
  struct Suspect {
    Row row;
    decoder::Xid xid = 0;
    std::uint64_t hash = 0;
    Floor floor;
    /// The stream has to pass it; not valid = the next moment's.
    decoder::Lsn bound;
    Instant since{};
    /// The stream passed it, and the row was not there.
    std::optional<Instant> passed;
  };
  struct Kept {
    Row row;
    decoder::Xid xid = 0;
    decoder::Lsn lsn;
    std::optional<Edits> edits;
    bool asked = false;
    /// SQL did not show it.
    std::optional<Instant> missed;
  };

  [[nodiscard]] std::uint64_t hash_of(std::string_view run_id, std::string_view id) const noexcept;
  [[nodiscard]] bool was_streamed(std::uint64_t hash) const noexcept;
  [[nodiscard]] bool anything_after(decoder::Lsn lsn) const noexcept;
  /// The newest moment before transaction `xid` began, of those behind which every row is remembered; null:
  /// none.
  [[nodiscard]] const Floor* floor_of(decoder::Xid xid);
  void disagree(Disagreement kind, Row row, decoder::Lsn since);
  void agree(Disagreement kind, decoder::Xid xid) noexcept;
  void end_standing() noexcept;

  std::uint64_t seed_;
  std::vector<Streamed> streamed_;
  std::size_t next_ = 0;
  /// Every row committed behind it is among streamed_.
  decoder::Lsn complete_from_;
  std::deque<Floor> floors_;
  std::optional<Moment> moment_;
  Instant moment_at_{};
  std::vector<Suspect> suspects_;
  std::size_t seen_ = 0;  ///< since the last moment
  std::deque<Kept> kept_;
  Instant kept_at_{};
  std::vector<Verdict> verdicts_;
  std::optional<Disagreement> standing_;
  /// An agreement about a later transaction ends the standing disagreement.
  std::uint64_t standing_xmax_ = 0;
  decoder::Lsn standing_since_;
  std::optional<Recovery> recovery_;
  WitnessStats stats_;
};

}  // namespace dupwatch::core
