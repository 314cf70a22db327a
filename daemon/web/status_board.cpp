#include "daemon/web/status_board.hpp"

#include <fmt/format.h>

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
      origin_(fmt::format("{:x}", std::chrono::system_clock::now().time_since_epoch().count())),
      snapshot_(std::make_shared<const core::StatusSnapshot>(before_the_first())) {}

void StatusBoard::publish(core::StatusSnapshot snapshot, Clock::time_point now) {
  auto next = std::make_shared<const core::StatusSnapshot>(std::move(snapshot));
  const std::lock_guard lock{mutex_};
  history_.note(*next, now);
  if (next->state == core::StreamState::kStreaming) streamed_ = true;
  // The old one is freed by `next`, after the lock.
  snapshot_.swap(next);
}

void StatusBoard::add(core::Finding finding) {
  const bool counts = finding.change == core::FindingChange::kNew;
  put(std::make_shared<const core::Finding>(std::move(finding)), counts);
}

void StatusBoard::restore(core::Finding finding) {
  put(std::make_shared<const core::Finding>(std::move(finding)), false);
}

void StatusBoard::put(std::shared_ptr<const core::Finding> entry, bool counts) {
  std::shared_ptr<const core::Finding> dropped;
  const std::lock_guard lock{mutex_};
  changed_.notify_all();
  ++last_number_;
  if (counts) ++findings_total_;
  if (const auto known = by_id_.find(entry->id); known != by_id_.end()) {
    newest_first_.splice(newest_first_.begin(), newest_first_, known->second);
    newest_first_.front().number = last_number_;
    dropped = std::exchange(newest_first_.front().finding, std::move(entry));
    return;
  }
  if (newest_first_.size() == keep_) {
    dropped = std::move(newest_first_.back().finding);
    dropped_number_ = newest_first_.back().number;
    by_id_.erase(dropped->id);
    newest_first_.pop_back();
  }
  newest_first_.push_front({std::move(entry), last_number_});
  by_id_.emplace(newest_first_.front().finding->id, newest_first_.begin());
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
  for (const auto& entry : newest_first_) {
    if (out.size() == limit) break;
    out.push_back(entry.finding);
  }
  return out;
}

std::uint64_t StatusBoard::findings_total() const {
  const std::lock_guard lock{mutex_};
  return findings_total_;
}

bool StatusBoard::has_streamed() const {
  const std::lock_guard lock{mutex_};
  return streamed_;
}

std::deque<HistoryPoint> StatusBoard::history() const {
  const std::lock_guard lock{mutex_};
  return history_.points();
}

StatusBoard::Updates StatusBoard::updates_after(std::uint64_t after, std::size_t limit) const {
  Updates out{.findings = {}, .last = after, .complete = true};
  const std::lock_guard lock{mutex_};
  out.complete = after >= dropped_number_;
  auto entry = newest_first_.begin();
  while (entry != newest_first_.end() && entry->number > after) ++entry;
  while (entry != newest_first_.begin() && out.findings.size() < limit) {
    --entry;
    out.findings.push_back(entry->finding);
    out.last = entry->number;
  }
  return out;
}

std::uint64_t StatusBoard::last_update() const {
  const std::lock_guard lock{mutex_};
  return last_number_;
}

void StatusBoard::wait_for_update(std::uint64_t after, Clock::time_point until) const {
  std::unique_lock lock{mutex_};
  changed_.wait_until(lock, until, [&] { return released_ || last_number_ > after; });
}

void StatusBoard::release() {
  const std::lock_guard lock{mutex_};
  released_ = true;
  changed_.notify_all();
}

bool StatusBoard::alive(Clock::time_point now) const {
  const std::lock_guard lock{mutex_};
  return beaten_ && now - last_beat_ < kBeatAgeMax;
}

}  // namespace dupwatch::web
