#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/finding_filter.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/web/history.hpp"

namespace dupwatch::web {

/// 0 = what a person must act on first: an open fatal finding; 1 = an open conflict; 2 = one of both that is
/// acknowledged; 3 = all others.
[[nodiscard]] std::size_t urgency_of(const core::Finding& finding) noexcept;

/// Where the stream thread leaves what the web threads show. Every member may be called from any thread; no
/// lock is held while anything is formatted, so a slow scrape never holds up the stream.
class StatusStore {
 public:
  using Clock = std::chrono::steady_clock;
  /// The event loop counts as turning while its last beat is younger than this.
  static constexpr std::chrono::seconds kBeatAgeMax{10};

  /// `keep` findings are held, at least 1. Open fatal ones stay for all others, and after them open
  /// conflicts, and what of both is acknowledged: they are what a person acts on, and harmless ones come all
  /// the time on an affected engine. Otherwise the newest reported ones stay.
  explicit StatusStore(std::size_t keep);
  StatusStore(const StatusStore&) = delete;
  StatusStore& operator=(const StatusStore&) = delete;
  ~StatusStore() = default;

  /// Replaces the snapshot. Call once before the HTTP server starts, so that the slot's name is on the first
  /// scrape; then a few times a second. `now` is for the history.
  void publish(core::StatusSnapshot snapshot, Clock::time_point now = Clock::now());
  /// Adds a finding, or replaces the kept one of the same id; either way it is the newest afterwards.
  void add(core::Finding finding);
  /// Adds a finding that an earlier process told: it does not count as reported.
  void restore(core::Finding finding);
  /// The event loop turned at `now`.
  void beat(Clock::time_point now);

  /// It has streamed since the start, whether or not it does now.
  [[nodiscard]] bool has_streamed() const;
  /// Never null; before the first publish() it is a default snapshot, which is not ready.
  [[nodiscard]] std::shared_ptr<const core::StatusSnapshot> snapshot() const;
  /// At most `limit` kept findings, the newest first; those left out are chosen as those not kept.
  [[nodiscard]] std::vector<std::shared_ptr<const core::Finding>> findings(std::size_t limit) const;
  /// The kept finding, nullptr = none.
  [[nodiscard]] std::shared_ptr<const core::Finding> find(std::uint64_t id) const;

  /// Where a reader of pages is. It reads what was reported after `floor` and up to `top`: open fatal ones,
  /// open conflicts, acknowledged ones of both, the others, each with the newest first. What is reported
  /// again meanwhile leaves its place, so it reads from `top` on in the same way when it is through.
  struct Cursor {
    std::uint64_t floor = 0;
    std::uint64_t top = 0;
    std::size_t ring = 0;
    /// Of `ring` those before this number are left.
    std::uint64_t below = 0;
    friend bool operator==(const Cursor&, const Cursor&) = default;
  };
  /// What is kept of a run.
  struct RunCounts {
    std::int64_t kept = 0;
    /// By Severity, in state open.
    std::array<std::int64_t, core::kSeverities> open{};
  };
  struct Page {
    /// The newest first.
    std::vector<std::shared_ptr<const core::Finding>> findings;
    /// Of each run in `findings`, whether or not the filter admits the rest of it.
    std::vector<std::pair<std::string, RunCounts>> runs;
    /// Kept findings that the filter admits, on this page or not, and all kept ones.
    std::size_t matched = 0;
    std::size_t kept = 0;
    /// So many left for want of room since the start.
    std::uint64_t dropped = 0;
    /// nullopt: that was the last page.
    std::optional<Cursor> next;
  };
  /// At most `limit` findings behind `cursor`. Who follows `next` to its end has seen every finding that was
  /// kept all the time, and the last report of each last.
  [[nodiscard]] Page page(const core::FindingFilter& filter, const std::optional<Cursor>& cursor,
                          std::size_t limit) const;
  /// Findings reported as new since the start, kept or not.
  [[nodiscard]] std::uint64_t findings_total() const;
  /// Whether the last beat is younger than kBeatAgeMax at `now`; false before the first beat.
  [[nodiscard]] bool alive(Clock::time_point now) const;
  [[nodiscard]] std::size_t keep() const noexcept { return keep_; }
  /// What publish() was told of late, the oldest first.
  [[nodiscard]] std::deque<HistoryPoint> history() const;

  /// Reports in the order in which add() took them.
  struct Updates {
    std::vector<std::shared_ptr<const core::Finding>> findings;
    /// Number of the newest in `findings`, or what was asked for when there is none.
    std::uint64_t last = 0;
    /// false = some between are no longer kept: the reader must begin with findings() again.
    bool complete = true;
  };
  /// At most `limit` reports that came after number `after`; of a finding reported twice the later one alone.
  [[nodiscard]] Updates updates_after(std::uint64_t after, std::size_t limit) const;
  /// Number of the newest report; counts from 1 for each store.
  [[nodiscard]] std::uint64_t last_update() const;
  /// Tells boards apart: the numbers of another process' reports mean nothing here.
  [[nodiscard]] const std::string& origin() const noexcept { return origin_; }
  /// `listener` is called after each report, on the thread of add(), which it must not hold up. One for the
  /// store; empty: none, and the one before is not called any more when this returns.
  void on_update(std::function<void()> listener);

 private:
  struct Entry {
    std::shared_ptr<const core::Finding> finding;
    std::uint64_t number;
  };
  /// The newest first.
  using Ring = std::list<Entry>;
  /// Open fatal ones, open conflicts, acknowledged ones of both, all others: the first leave last.
  static constexpr std::size_t kRings = 4;

  void tell_listener();
  void put(std::shared_ptr<const core::Finding> entry, bool counts);
  /// `by` is 1 for a finding that comes and -1 for one that leaves.
  void count(const core::Finding& finding, int by);
  [[nodiscard]] Ring& ring_for(const core::Finding& finding) noexcept;

  const std::size_t keep_;
  const std::string origin_;
  std::mutex listener_mutex_;
  std::function<void()> listener_;  // guarded by listener_mutex_
  mutable std::mutex mutex_;
  // All below are guarded by mutex_.
  std::shared_ptr<const core::StatusSnapshot> snapshot_;
  std::array<Ring, kRings> rings_;
  std::unordered_map<std::uint64_t, Ring::iterator> by_id_;
  std::unordered_map<std::string, RunCounts> runs_;
  std::uint64_t findings_total_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t last_number_ = 0;
  /// The newest report that was dropped for want of room.
  std::uint64_t dropped_number_ = 0;
  History history_;
  bool streamed_ = false;
  bool beaten_ = false;
  Clock::time_point last_beat_;
};

}  // namespace dupwatch::web
