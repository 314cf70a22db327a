#include "daemon/web/status_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace dupwatch::web {
namespace {

[[nodiscard]] core::StatusSnapshot before_the_first() {
  core::StatusSnapshot snapshot;
  snapshot.not_ready_reason = "starting";
  return snapshot;
}

[[nodiscard]] bool is_pressing(const core::Finding& finding) noexcept {
  return finding.severity == core::Severity::kFatal && finding.state == core::FindingState::kOpen;
}

}  // namespace

StatusStore::StatusStore(std::size_t keep)
    : keep_(std::max<std::size_t>(keep, 1)),
      origin_(fmt::format("{:x}", std::chrono::system_clock::now().time_since_epoch().count())),
      snapshot_(std::make_shared<const core::StatusSnapshot>(before_the_first())) {}

void StatusStore::publish(core::StatusSnapshot snapshot, Clock::time_point now) {
  auto next = std::make_shared<const core::StatusSnapshot>(std::move(snapshot));
  const std::lock_guard lock{mutex_};
  history_.note(*next, now);
  if (next->state == core::StreamState::kStreaming) streamed_ = true;
  // The old one is freed by `next`, after the lock.
  snapshot_.swap(next);
}

void StatusStore::add(core::Finding finding) {
  const bool counts = finding.change == core::FindingChange::kNew;
  put(std::make_shared<const core::Finding>(std::move(finding)), counts);
}

void StatusStore::restore(core::Finding finding) {
  put(std::make_shared<const core::Finding>(std::move(finding)), false);
}

StatusStore::Ring& StatusStore::ring_for(const core::Finding& finding) noexcept {
  return is_pressing(finding) ? pressing_ : others_;
}

void StatusStore::put(std::shared_ptr<const core::Finding> entry, bool counts) {
  std::shared_ptr<const core::Finding> dropped;
  const std::lock_guard lock{mutex_};
  changed_.notify_all();
  ++last_number_;
  if (counts) ++findings_total_;
  auto& ring = ring_for(*entry);
  if (const auto known = by_id_.find(entry->id); known != by_id_.end()) {
    ring.splice(ring.begin(), ring_for(*known->second->finding), known->second);
    ring.front().number = last_number_;
    dropped = std::exchange(ring.front().finding, std::move(entry));
    return;
  }
  if (by_id_.size() == keep_) {
    auto& shortened = others_.empty() ? pressing_ : others_;
    dropped = std::move(shortened.back().finding);
    dropped_number_ = std::max(dropped_number_, shortened.back().number);
    by_id_.erase(dropped->id);
    shortened.pop_back();
  }
  ring.push_front({std::move(entry), last_number_});
  by_id_.emplace(ring.front().finding->id, ring.begin());
}

void StatusStore::beat(Clock::time_point now) {
  const std::lock_guard lock{mutex_};
  beaten_ = true;
  last_beat_ = now;
}

std::shared_ptr<const core::StatusSnapshot> StatusStore::snapshot() const {
  const std::lock_guard lock{mutex_};
  return snapshot_;
}

std::vector<std::shared_ptr<const core::Finding>> StatusStore::findings(std::size_t limit) const {
  std::vector<std::shared_ptr<const core::Finding>> out;
  const std::lock_guard lock{mutex_};
  const auto pressing_count = std::min(limit, pressing_.size());
  const auto others_count = std::min(limit - pressing_count, others_.size());
  const auto pressing_end = std::next(pressing_.begin(), static_cast<std::ptrdiff_t>(pressing_count));
  const auto others_end = std::next(others_.begin(), static_cast<std::ptrdiff_t>(others_count));
  out.reserve(pressing_count + others_count);
  auto pressing = pressing_.begin();
  auto other = others_.begin();
  while (pressing != pressing_end || other != others_end) {
    const bool take_pressing =
        other == others_end || (pressing != pressing_end && pressing->number > other->number);
    out.push_back((take_pressing ? pressing : other)->finding);
    ++(take_pressing ? pressing : other);
  }
  return out;
}

std::uint64_t StatusStore::findings_total() const {
  const std::lock_guard lock{mutex_};
  return findings_total_;
}

bool StatusStore::has_streamed() const {
  const std::lock_guard lock{mutex_};
  return streamed_;
}

std::deque<HistoryPoint> StatusStore::history() const {
  const std::lock_guard lock{mutex_};
  return history_.points();
}

StatusStore::Updates StatusStore::updates_after(std::uint64_t after, std::size_t limit) const {
  Updates out{.findings = {}, .last = after, .complete = true};
  const auto is_later = [after](const Entry& entry) { return entry.number > after; };
  const std::lock_guard lock{mutex_};
  out.complete = after >= dropped_number_;
  // Each ring from its first later report on, the oldest of both first.
  auto pressing = std::ranges::find_if_not(pressing_, is_later);
  auto other = std::ranges::find_if_not(others_, is_later);
  while (out.findings.size() < limit && (pressing != pressing_.begin() || other != others_.begin())) {
    const bool take_pressing =
        other == others_.begin() ||
        (pressing != pressing_.begin() && std::prev(pressing)->number < std::prev(other)->number);
    const auto& entry = *--(take_pressing ? pressing : other);
    out.findings.push_back(entry.finding);
    out.last = entry.number;
  }
  return out;
}

std::uint64_t StatusStore::last_update() const {
  const std::lock_guard lock{mutex_};
  return last_number_;
}

void StatusStore::wait_for_update(std::uint64_t after, Clock::time_point until) const {
  std::unique_lock lock{mutex_};
  changed_.wait_until(lock, until, [&] { return released_ || last_number_ > after; });
}

void StatusStore::release() {
  const std::lock_guard lock{mutex_};
  released_ = true;
  changed_.notify_all();
}

bool StatusStore::alive(Clock::time_point now) const {
  const std::lock_guard lock{mutex_};
  return beaten_ && now - last_beat_ < kBeatAgeMax;
}

}  // namespace dupwatch::web
