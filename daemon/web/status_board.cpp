#include "daemon/web/status_board.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::web {
namespace {

[[nodiscard]] core::StatusSnapshot before_the_first() {
  core::StatusSnapshot snapshot;
  snapshot.not_ready_reason = "starting";
  return snapshot;
}

}  // namespace

StatusBoard::StatusBoard(std::size_t keep)
    : keep_(std::max<std::size_t>(keep, 1)),
      snapshot_(std::make_shared<const core::StatusSnapshot>(before_the_first())) {}

void StatusBoard::publish(core::StatusSnapshot snapshot) {
  auto next = std::make_shared<const core::StatusSnapshot>(std::move(snapshot));
  const std::lock_guard lock{mutex_};
  // The old one is freed by `next`, after the lock.
  snapshot_.swap(next);
}

void StatusBoard::add(core::Finding finding) {
  auto entry = std::make_shared<const core::Finding>(std::move(finding));
  std::shared_ptr<const core::Finding> dropped;
  const std::lock_guard lock{mutex_};
  if (entry->change == core::FindingChange::kNew) ++findings_total_;
  if (const auto known = by_id_.find(entry->id); known != by_id_.end()) {
    newest_first_.splice(newest_first_.begin(), newest_first_, known->second);
    dropped = std::exchange(newest_first_.front(), std::move(entry));
    return;
  }
  if (newest_first_.size() == keep_) {
    dropped = std::move(newest_first_.back());
    by_id_.erase(dropped->id);
    newest_first_.pop_back();
  }
  newest_first_.push_front(std::move(entry));
  by_id_.emplace(newest_first_.front()->id, newest_first_.begin());
}

void StatusBoard::beat(Clock::time_point now) {
  const std::lock_guard lock{mutex_};
  beaten_ = true;
  last_beat_ = now;
}

std::shared_ptr<const core::StatusSnapshot> StatusBoard::snapshot() const {
  const std::lock_guard lock{mutex_};
  return snapshot_;
}

std::vector<std::shared_ptr<const core::Finding>> StatusBoard::findings(std::size_t limit) const {
  std::vector<std::shared_ptr<const core::Finding>> out;
  const std::lock_guard lock{mutex_};
  out.reserve(std::min(limit, newest_first_.size()));
  for (const auto& finding : newest_first_) {
    if (out.size() == limit) break;
    out.push_back(finding);
  }
  return out;
}

std::uint64_t StatusBoard::findings_total() const {
  const std::lock_guard lock{mutex_};
  return findings_total_;
}

bool StatusBoard::alive(Clock::time_point now) const {
  const std::lock_guard lock{mutex_};
  return beaten_ && now - last_beat_ < kBeatAgeMax;
}

}  // namespace dupwatch::web
