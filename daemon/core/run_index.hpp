#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/core/chunked_vector.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/core/packed_run.hpp"
#include "daemon/core/packed_text.hpp"
#include "daemon/core/recent_commits.hpp"
#include "daemon/core/run_log.hpp"
#include "daemon/core/run_table.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::core {

/// The runs in memory: a cache of per-run state whose backing store is Postgres. A run that is not here is
/// read back before anything of it is judged, so evicting never costs exactness. Not thread-safe.
///
/// The logs of the runs used last, and of pending ones, are open; those of all others are packed. Opening is
/// part of touch().
class RunIndex {
 public:
  using Handle = RunTable::Handle;
  static constexpr Handle kNone = RunTable::kNone;
  /// Complete runs whose logs are open: with logs of ordinary size they stay within a second-level cache.
  static constexpr std::size_t kOpenRunsMax = 1024;
  /// Open logs of complete runs take at most this share of the bound (and the newest one whatever it needs).
  static constexpr std::uint64_t kOpenShare = 8;
  /// The open log of the run used last may be all that is above the bound. One of more rows is packed then
  /// only when rows that came have paid for it, as the next row opens it again. (Of other runs rows wait for
  /// that together, see DeferredRows.)
  static constexpr std::size_t kPackedFreely = 1024;
  static constexpr std::uint64_t kPaidByRow = 8;
  static constexpr std::uint64_t kPaidMax = std::uint64_t{1} << 22U;
  /// Evicting such a run means reading it back with its next row, so that has to be paid for as well; until
  /// then memory may be above its bound by so many bytes.
  static constexpr std::uint64_t kUnpaidMax = std::uint64_t{32} << 20U;
  /// Runs that one call leaves where they are for that.
  static constexpr int kPassedOverMax = 8;

  RunIndex(std::uint64_t bytes_max, std::chrono::milliseconds run_grace, std::uint64_t seed);

  /// See TokenCodec::set_order.
  void set_id_order(TextOrder order) noexcept { codec_.set_order(order); }
  [[nodiscard]] Handle find(std::string_view run_id);
  /// Adds a run that waits for its read-back. `run_id` must not be in the index.
  [[nodiscard]] Handle insert_pending(std::string_view run_id);
  RunLog::Added add_row(Handle handle, const EventRow& row);
  /// Of a pending run, see RunLog::shown.
  void shown(Handle handle, std::uint32_t row, std::optional<Engine> engine) {
    open_[runs_[handle].place].log.shown(row, engine, codec_);
  }
  /// The read-back is in and the run is judged: it is evicted when its turn comes.
  void complete(Handle handle);
  /// Makes a complete run pending again, until complete() or resume(): it is to be judged again as a whole.
  void suspend(Handle handle);
  void resume(Handle handle);
  /// Notes that the run is to be suspended some time; false: it was noted already.
  [[nodiscard]] bool owe(Handle handle);
  /// Of all complete runs it leaves last, and its log is open; that of another may be packed.
  void touch(Handle handle);
  /// Of a row whose run is packed: nullopt if the log must be opened for it, as for the second row of a run
  /// in a row.
  [[nodiscard]] std::optional<PackedView> peek(Handle handle, const EventRow& row);
  /// The row that peek() was asked about just now is known: the run leaves last.
  void redelivered(Handle handle);
  /// Puts the row that peek() was asked about just now behind its log, which stays packed; the run leaves
  /// last.
  void append(Handle handle, const PackedView& view);
  /// A finding tells of the run, whose log is open: LSN and time of its commits are kept from now on even
  /// when it is packed, and what is known of them still is filled in.
  void keep_commits(Handle handle, const RecentCommits& recent);
  /// The run's terminal event was seen: it leaves after the grace period.
  void end_run(Handle handle, Instant now);
  /// Evicts ended runs past their grace, and the least recently used ones while memory is over its bound.
  void evict(Instant now);
  /// Forgets a run if it is there and complete.
  void forget(std::string_view run_id);
  /// Forgets all complete runs.
  void clear_complete();
  /// Pending runs stay, without a row.
  void clear_pending();

  /// Of a run that is pending, or complete and touched since any other was touched or completed.
  [[nodiscard]] const RunLog& log(Handle run) const noexcept { return open_[runs_[run].place].log; }
  /// Its read-back is not in. Pending runs are never evicted.
  [[nodiscard]] bool pending(Handle run) const noexcept { return runs_[run].pending; }
  [[nodiscard]] bool ended(Handle run) const noexcept { return runs_[run].ended; }
  /// See RunLog::own_engine; of a log that is open or packed.
  [[nodiscard]] std::optional<Engine> own_engine(Handle run) const noexcept {
    return runs_[run].packed ? engine_of(runs_[run]) : log(run).own_engine();
  }
  /// Its log is packed, and long enough that it is not to be opened for a row or two.
  [[nodiscard]] bool is_costly(Handle run) const noexcept;
  /// Of its log, open or packed.
  [[nodiscard]] std::uint64_t rows_of(Handle run) const noexcept;
  [[nodiscard]] std::string run_id(Handle handle) const;
  [[nodiscard]] const TokenCodec& codec() const noexcept { return codec_; }
  /// The complete run that was not used for longest; kNone = there is none.
  [[nodiscard]] Handle oldest() const noexcept { return by_use_.oldest; }
  [[nodiscard]] std::size_t size() const noexcept { return live_; }
  /// Runs whose logs are open, pending ones included.
  [[nodiscard]] std::size_t open_runs() const noexcept { return open_.size() - free_open_.size(); }
  /// Of their logs, and of places that are kept for the next ones.
  [[nodiscard]] std::uint64_t open_bytes() const noexcept { return open_bytes_; }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    // Places of runs that left are used again and never given back, so they count as well.
    return bytes_.packed + open_bytes_ + bytes_.id_texts + bytes_.places + table_.bytes();
  }
  [[nodiscard]] std::uint64_t bytes_max() const noexcept { return bytes_max_; }
  [[nodiscard]] bool over_bound() const noexcept { return bytes() > bytes_max_; }
  [[nodiscard]] const std::array<std::uint64_t, kEvictions>& evictions() const noexcept { return evictions_; }
  /// When evict() has an ended run to remove; max() = none waits.
  [[nodiscard]] Instant next_expiry() const noexcept;

 private:
  /// 40 bytes.
  struct Run {
    std::uint64_t id_hi = 0;
    std::uint64_t id_lo = 0;
    std::unique_ptr<std::byte[]> packed;  ///< null while the log is open
    /// Bytes of `packed`, or the place among the open logs.
    std::uint32_t place = 0;
    Handle older = kNone;  ///< list of complete runs by last use
    Handle newer = kNone;
    std::uint16_t generation = 0;
    std::uint8_t id_kind = 0;
    bool pending : 1 = false;
    bool ended : 1 = false;
    bool keeps_commits : 1 = false;
    /// Every row since its read-back was a redelivery, so the next one may be.
    bool read_ahead : 1 = false;
    bool owed : 1 = false;
    /// Of a packed log: RunLog::own_engine, the generation plus 1; 0 = none.
    std::uint8_t own_engine : 3 = 0;
  };
  static_assert(kEngines < 8);
  struct OpenLog {
    RunLog log;
    std::uint64_t bytes = 0;  ///< on the heap
    Handle run = kNone;
    std::uint32_t older = kNone;  ///< list of complete runs' open logs by last use
    std::uint32_t newer = kNone;
  };
  /// Of a list by last use.
  struct Ends {
    Handle oldest = kNone;
    Handle newest = kNone;
  };
  struct Found {
    std::string id;
    Handle handle = kNone;
  };
  struct Bytes {
    std::uint64_t packed = 0;
    std::uint64_t id_texts = 0;
    /// Of `runs_`, `open_` and `ended_`.
    std::uint64_t places = 0;
  };
  struct Ended {
    Instant expires;
    Handle run = kNone;
    std::uint16_t generation = 0;
  };
  [[nodiscard]] std::uint32_t hash_of(const Token& id, std::string_view text) const noexcept;
  [[nodiscard]] Handle look_up(std::string_view run_id);
  [[nodiscard]] bool is(Handle handle, const Token& id, std::string_view text) const noexcept;
  [[nodiscard]] static Token id_of(const Run& run) noexcept {
    return {.hi = run.id_hi, .lo = run.id_lo, .kind = run.id_kind};
  }
  [[nodiscard]] static std::optional<Engine> engine_of(const Run& run) noexcept {
    return run.own_engine == 0 ? std::nullopt : std::optional(static_cast<Engine>(run.own_engine - 1));
  }
  void await_expiry(const Ended& ended);
  void prefetch(const Run& run) const noexcept;
  void link_newest(Handle handle);
  void unlink(Handle handle);
  void link_newest_open(std::uint32_t place);
  void unlink_open(std::uint32_t place);
  void evict_run(Handle handle, Eviction reason);
  /// A free place among the open logs.
  [[nodiscard]] std::uint32_t take_open(Handle run);
  void leave_open(std::uint32_t place);
  void note_open_bytes(OpenLog& open) noexcept;
  void open_log(Handle handle);
  void pack_log(Handle handle);
  /// `scratch_` is the run's log.
  void store_packed(Run& run);
  /// Packs the oldest open logs while there are more than may be.
  void limit_open();
  /// Whether the open log may be packed now; takes what it costs.
  [[nodiscard]] bool pay_for_packing(Handle handle) noexcept { return pay_for(log(handle).rows()); }
  [[nodiscard]] bool pay_for_eviction(Handle handle) noexcept {
    return bytes() > bytes_max_ + kUnpaidMax || pay_for(rows_of(handle));
  }
  [[nodiscard]] bool pay_for(std::uint64_t rows) noexcept;
  void earn() noexcept { paid_ = std::min(kPaidMax, paid_ + kPaidByRow); }

  std::uint64_t bytes_max_;
  std::chrono::milliseconds run_grace_;
  TokenCodec codec_;
  ChunkedVector<Run> runs_;
  std::vector<Handle> free_;
  /// What find() gave last.
  Found found_;
  /// Of runs whose id can't be packed.
  std::unordered_map<Handle, std::string> id_texts_;
  std::deque<OpenLog> open_;
  std::vector<std::uint32_t> free_open_;
  Ends open_by_use_;
  std::size_t open_complete_ = 0;
  std::uint64_t open_bytes_ = 0;
  std::uint64_t paid_ = kPaidMax / 16;
  RowKinds kinds_;
  PackedRow looked_for_;
  std::vector<std::byte> scratch_;
  RunTable table_;
  std::deque<Ended> ended_;
  Ends by_use_;
  std::size_t live_ = 0;
  std::uint64_t rows_ = 0;
  Bytes bytes_;
  std::array<std::uint64_t, kEvictions> evictions_{};
};

}  // namespace dupwatch::core
