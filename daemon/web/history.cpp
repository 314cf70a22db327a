#include "daemon/web/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dupwatch::web {

void History::note(const core::StatusSnapshot& status, std::chrono::steady_clock::time_point now) {
  const auto at = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) / kInterval * kInterval;
  if (points_.empty() || points_.back().at != at) {
    if (points_.size() == kPointsMax) points_.pop_front();
    points_.push_back({.at = at});
  }
  auto& point = points_.back();
  if (std::isfinite(status.stream.lag_seconds))
    point.lag_seconds = std::max(point.lag_seconds, status.stream.lag_seconds);
  point.slot_retained_bytes = std::max(point.slot_retained_bytes, status.slot.retained_bytes);
}

std::string history_json(const std::deque<HistoryPoint>& points, std::chrono::steady_clock::time_point now) {
  std::string out = fmt::format(R"({{"interval_seconds":{},"points":[)", History::kInterval.count());
  bool first = true;
  for (const auto& point : points) {
    const auto age = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) - point.at;
    out += fmt::format(R"({}{{"age_seconds":{},"lag_seconds":{:.3f},"slot_retained_bytes":{}}})",
                       first ? "" : ",", age.count(), point.lag_seconds,
                       point.slot_retained_bytes < 0 ? "null" : std::to_string(point.slot_retained_bytes));
    first = false;
  }
  return out + "]}";
}

}  // namespace dupwatch::web
