#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::web {

/// Where the stream thread leaves what the web threads show. Every member may be called from any thread; no
/// lock is held while anything is formatted, so a slow scrape never holds up the stream.
class StatusBoard {
 public:
  using Clock = std::chrono::steady_clock;
  /// The event loop counts as turning while its last beat is younger than this.
  static constexpr std::chrono::seconds kBeatAgeMax{10};

  /// `keep` findings are held, the newest reported ones; at least 1.
  explicit StatusBoard(std::size_t keep);
  StatusBoard(const StatusBoard&) = delete;
  StatusBoard& operator=(const StatusBoard&) = delete;
  ~StatusBoard() = default;

  /// Replaces the snapshot. Call once before the HTTP server starts, so that the slot's name is on the first
  /// scrape; then a few times a second.
  void publish(core::StatusSnapshot snapshot);
  /// Adds a finding, or replaces the kept one of the same id; either way it is the newest afterwards.
  void add(core::Finding finding);
  /// The event loop turned at `now`.
  void beat(Clock::time_point now);

  /// Never null; before the first publish() it is a default snapshot, which is not ready.
  [[nodiscard]] std::shared_ptr<const core::StatusSnapshot> snapshot() const;
  /// At most `limit` kept findings, the newest first.
  [[nodiscard]] std::vector<std::shared_ptr<const core::Finding>> findings(std::size_t limit) const;
  /// Findings reported as new since the start, kept or not.
  [[nodiscard]] std::uint64_t findings_total() const;
  /// Whether the last beat is younger than kBeatAgeMax at `now`; false before the first beat.
  [[nodiscard]] bool alive(Clock::time_point now) const;
  [[nodiscard]] std::size_t keep() const noexcept { return keep_; }

 private:
  using Ring = std::list<std::shared_ptr<const core::Finding>>;

  const std::size_t keep_;
  mutable std::mutex mutex_;
  // All below are guarded by mutex_.
  std::shared_ptr<const core::StatusSnapshot> snapshot_;
  Ring newest_first_;
  std::unordered_map<std::uint64_t, Ring::iterator> by_id_;
  std::uint64_t findings_total_ = 0;
  bool beaten_ = false;
  Clock::time_point last_beat_;
};

}  // namespace dupwatch::web
