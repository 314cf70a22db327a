#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "daemon/core/stats.hpp"

namespace dupwatch::web {

/// What the page plots. Of the snapshots of one interval the worst values stay, so that no peak is lost.
struct HistoryPoint {
  /// Start of the interval, by a steady clock.
  std::chrono::seconds at{};
  double lag_seconds = 0;
  /// Negative = not known.
  std::int64_t slot_retained_bytes = -1;
};

/// The last kPointsMax intervals; the oldest is forgotten first. Not thread-safe.
class History {
 public:
  static constexpr std::size_t kPointsMax = 240;
  static constexpr std::chrono::seconds kInterval{5};

  /// `now` never goes back.
  void note(const core::StatusSnapshot& status, std::chrono::steady_clock::time_point now);
  /// The oldest first.
  [[nodiscard]] const std::deque<HistoryPoint>& points() const noexcept { return points_; }

 private:
  std::deque<HistoryPoint> points_;
};

/// Body of /api/history; times as ages at `now`, unknown values as null.
[[nodiscard]] std::string history_json(const std::deque<HistoryPoint>& points,
                                       std::chrono::steady_clock::time_point now);

}  // namespace dupwatch::web
