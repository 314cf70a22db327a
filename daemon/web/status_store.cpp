#include "daemon/web/status_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "daemon/core/shown_text.hpp"

namespace dupwatch::web {
namespace {

[[nodiscard]] core::StatusSnapshot before_the_first() {
  core::StatusSnapshot snapshot;
  snapshot.not_ready_reason = "starting";
  return snapshot;
}

}  // namespace

std::size_t urgency_of(const core::Finding& finding) noexcept {
  const bool pressing =
      finding.severity == core::Severity::kFatal || finding.severity == core::Severity::kConflict;
  if (!pressing || !finding.stands()) return 3;
  if (finding.state == core::FindingState::kAcknowledged) return 2;
  return finding.severity == core::Severity::kFatal ? 0 : 1;
}

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
  put(std::make_shared<const core::Finding>(core::shown(std::move(finding))), counts);
  tell_listener();
}

void StatusStore::restore(core::Finding finding) {
  put(std::make_shared<const core::Finding>(core::shown(std::move(finding))), false);
  tell_listener();
}

void StatusStore::tell_listener() {
  const std::lock_guard lock{listener_mutex_};
  if (listener_) listener_();
}

StatusStore::Ring& StatusStore::ring_for(const core::Finding& finding) noexcept {
  return rings_[urgency_of(finding)];
}

void StatusStore::count(const core::Finding& finding, int by) {
  auto& counts = runs_[finding.run_id];
  counts.kept += by;
  if (finding.state == core::FindingState::kOpen) {
    counts.open[static_cast<std::size_t>(finding.severity)] += by;
  }
  if (counts.kept == 0) runs_.erase(finding.run_id);
}

void StatusStore::put(std::shared_ptr<const core::Finding> entry, bool counts) {
  std::shared_ptr<const core::Finding> dropped;
  const std::lock_guard lock{mutex_};
  ++last_number_;
  if (counts) ++findings_total_;
  count(*entry, 1);
  auto& ring = ring_for(*entry);
  if (const auto known = by_id_.find(entry->id); known != by_id_.end()) {
    ring.splice(ring.begin(), ring_for(*known->second->finding), known->second);
    ring.front().number = last_number_;
    dropped = std::exchange(ring.front().finding, std::move(entry));
    count(*dropped, -1);
    return;
  }
  if (by_id_.size() == keep_) {
    auto& shortened =
        *std::find_if_not(rings_.rbegin(), rings_.rend(), [](const Ring& r) { return r.empty(); });
    dropped = std::move(shortened.back().finding);
    dropped_number_ = std::max(dropped_number_, shortened.back().number);
    by_id_.erase(dropped->id);
    count(*dropped, -1);
    ++dropped_;
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
  return page({}, {}, limit).findings;
}

std::shared_ptr<const core::Finding> StatusStore::find(std::uint64_t id) const {
  const std::lock_guard lock{mutex_};
  const auto known = by_id_.find(id);
  return known == by_id_.end() ? nullptr : known->second->finding;
}

StatusStore::Page StatusStore::page(const core::FindingFilter& filter, const std::optional<Cursor>& cursor,
                                    std::size_t limit) const {
  Page out;
  std::vector<Entry> taken;
  {
    const std::lock_guard lock{mutex_};
    auto at = cursor.value_or(Cursor{.floor = 0, .top = last_number_, .ring = 0, .below = last_number_ + 1});
    bool more = false;
    bool later = false;
    for (std::size_t i = 0; i < kRings; ++i) {
      for (const auto& entry : rings_[i]) {
        if (!filter.admits(*entry.finding)) continue;
        ++out.matched;
        if (entry.number > at.top) later = true;
        const bool read = i < at.ring || (i == at.ring && entry.number >= at.below);
        if (read || entry.number > at.top || entry.number <= at.floor) continue;
        if (taken.size() == limit) {
          more = true;
          continue;
        }
        taken.push_back(entry);
        at.ring = i;
        at.below = entry.number;
      }
    }
    out.kept = by_id_.size();
    out.dropped = dropped_;
    std::unordered_set<std::string_view> runs;
    for (const auto& [finding, number] : taken) {
      if (runs.insert(finding->run_id).second) out.runs.emplace_back(*runs_.find(finding->run_id));
    }
    if (more) out.next = at;
    if (!more && later) {
      out.next = Cursor{.floor = at.top, .top = last_number_, .ring = 0, .below = last_number_ + 1};
    }
  }
  std::ranges::sort(taken, std::ranges::greater{}, &Entry::number);
  for (auto& entry : taken) out.findings.push_back(std::move(entry.finding));
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
  // Each ring from its first later report on, the oldest of all first.
  std::array<Ring::const_iterator, kRings> at;
  for (std::size_t i = 0; i < kRings; ++i) at[i] = std::ranges::find_if_not(rings_[i], is_later);
  while (out.findings.size() < limit) {
    auto oldest = kRings;
    for (std::size_t i = 0; i < kRings; ++i) {
      if (at[i] == rings_[i].begin()) continue;
      if (oldest == kRings || std::prev(at[i])->number < std::prev(at[oldest])->number) oldest = i;
    }
    if (oldest == kRings) break;
    const auto& entry = *--at[oldest];
    out.findings.push_back(entry.finding);
    out.last = entry.number;
  }
  return out;
}

std::uint64_t StatusStore::last_update() const {
  const std::lock_guard lock{mutex_};
  return last_number_;
}

void StatusStore::on_update(std::function<void()> listener) {
  const std::lock_guard lock{listener_mutex_};
  listener_ = std::move(listener);
}

bool StatusStore::alive(Clock::time_point now) const {
  const std::lock_guard lock{mutex_};
  return beaten_ && now - last_beat_ < kBeatAgeMax;
}

}  // namespace dupwatch::web
