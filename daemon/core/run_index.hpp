#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/packed_text.hpp"
#include "daemon/core/run_log.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::core {

using Instant = std::chrono::steady_clock::time_point;

/// The runs in memory: a cache of per-run state whose backing store is Postgres. A run that is not here is
/// read back before anything of it is judged, so evicting never costs exactness. Not thread-safe.
class RunIndex {
 public:
  using Handle = std::uint32_t;
  static constexpr Handle kNone = 0xFFFFFFFF;

  struct Run {
    Token id;
    std::string id_text;  ///< only when the id can't be packed
    RunLog log;
    /// Number of the read-back that completes this run; 0 = complete. Pending runs are never evicted.
    std::uint64_t pending_batch = 0;
    bool ended = false;
    std::uint32_t generation = 0;
    Handle older = kNone;  ///< list of complete runs by last use
    Handle newer = kNone;
  };

  RunIndex(std::uint64_t bytes_max, std::chrono::milliseconds run_grace, std::uint64_t seed);

  [[nodiscard]] Handle find(std::string_view run_id);
  /// Adds a run that is pending on `batch`. `run_id` must not be in the index.
  [[nodiscard]] Handle insert_pending(std::string_view run_id, std::uint64_t batch);
  RunLog::Added add_row(Handle run, const EventRow& row);
  /// The read-back is in: the run may be judged, and evicted when its turn comes.
  void complete(Handle run);
  void touch(Handle run);
  /// The run's terminal event was seen: it leaves after the grace period.
  void end_run(Handle run, Instant now);
  /// Evicts ended runs past their grace, and the least recently used ones while memory is over its bound.
  void evict(Instant now);
  /// Forgets a run if it is there and complete.
  void forget(std::string_view run_id);
  /// Forgets all complete runs (the table was truncated).
  void clear_complete();

  [[nodiscard]] const Run& run(Handle handle) const noexcept { return runs_[handle]; }
  [[nodiscard]] std::string run_id(Handle handle) const;
  [[nodiscard]] const TokenCodec& codec() const noexcept { return codec_; }
  [[nodiscard]] std::size_t size() const noexcept { return live_; }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept;
  [[nodiscard]] std::uint64_t bytes_max() const noexcept { return bytes_max_; }
  [[nodiscard]] bool over_bound() const noexcept { return bytes() > bytes_max_; }
  [[nodiscard]] const std::array<std::uint64_t, kEvictions>& evictions() const noexcept { return evictions_; }
  /// When evict() has an ended run to remove; max() = none waits.
  [[nodiscard]] Instant next_expiry() const noexcept;

 private:
  struct Slot {
    Handle run = kNone;
    std::uint32_t hash = 0;
  };
  struct Ended {
    Instant expires;
    Handle run;
    std::uint32_t generation;
  };
  [[nodiscard]] std::uint64_t hash_of(const Token& id, std::string_view text) const noexcept;
  [[nodiscard]] bool is(const Run& run, const Token& id, std::string_view text) const noexcept;
  void grow_table();
  void place(Handle run, std::uint32_t hash);
  void remove_from_table(Handle run);
  void link_newest(Handle run);
  void unlink(Handle run);
  void evict_run(Handle run, Eviction reason);

  std::uint64_t bytes_max_;
  std::chrono::milliseconds run_grace_;
  std::uint64_t seed_;
  TokenCodec codec_;
  std::deque<Run> runs_;
  std::vector<Handle> free_;
  std::vector<Slot> table_;
  std::deque<Ended> ended_;
  Handle oldest_ = kNone;
  Handle newest_ = kNone;
  std::size_t live_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t heap_bytes_ = 0;
  std::array<std::uint64_t, kEvictions> evictions_{};
};

}  // namespace dupwatch::core
