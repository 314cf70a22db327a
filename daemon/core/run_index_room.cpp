#include <algorithm>
#include <utility>

#include "daemon/core/run_index.hpp"

/// Which logs stay open and which runs stay at all: the bounds on memory, and the end of runs.
namespace dupwatch::core {

void RunIndex::limit_open() {
  earn();
  while (open_complete_ > 1 && (open_complete_ > kOpenRunsMax || open_bytes_ > bytes_max_ / kOpenShare)) {
    const auto run = open_[open_by_use_.oldest].run;
    // The run that was touched just now stays open.
    if (run == by_use_.newest) return;
    pack_log(run);
  }
}

bool RunIndex::pay_for(std::uint64_t rows) noexcept {
  if (rows <= kPackedFreely) return true;
  // Opening it again, or reading it back, costs as much.
  const auto cost = std::min<std::uint64_t>(kPaidMax, 2 * rows);
  if (paid_ < cost) return false;
  paid_ -= cost;
  return true;
}

void RunIndex::end_run(Handle handle, Instant now) {
  auto& run = runs_[handle];
  if (run.ended) return;
  run.ended = true;
  await_expiry(Ended{.expires = now + run_grace_, .run = handle, .generation = run.generation});
}

void RunIndex::await_expiry(const Ended& ended) {
  ended_.push_back(ended);
  bytes_.places += sizeof(Ended);
}

Instant RunIndex::next_expiry() const noexcept {
  return ended_.empty() ? Instant::max() : ended_.front().expires;
}

void RunIndex::evict(Instant now) {
  while (!ended_.empty() && ended_.front().expires <= now) {
    const auto [expires, handle, generation] = ended_.front();
    ended_.pop_front();
    bytes_.places -= sizeof(Ended);
    auto& run = runs_[handle];
    if (run.generation != generation || !run.ended)
      continue;  // evicted for memory since, and the place reused
    if (run.pending) {
      // Read back again by a late event while it waited: it gets a new grace period.
      await_expiry(Ended{.expires = now + run_grace_, .run = handle, .generation = generation});
      continue;
    }
    evict_run(handle, Eviction::kRunEnded);
  }
  if (!over_bound() || by_use_.oldest == kNone) return;
  // A long log that is open takes most of the room, and packed it takes a tenth of it.
  const bool is_long = !runs_[by_use_.newest].packed && log(by_use_.newest).rows() > kPackedFreely;
  bool stays_open = is_long;
  if (is_long && pay_for_packing(by_use_.newest)) {
    pack_log(by_use_.newest);
    stays_open = false;
  }
  int passed_over = 0;
  for (auto handle = by_use_.oldest;
       over_bound() && handle != kNone && !(stays_open && handle == by_use_.newest);) {
    const auto next = runs_[handle].newer;
    if (pay_for_eviction(handle)) {
      evict_run(handle, Eviction::kMemory);
    } else if (++passed_over == kPassedOverMax) {
      return;
    }
    handle = next;
  }
}

void RunIndex::forget(std::string_view run_id) {
  const auto handle = find(run_id);
  if (handle != kNone && !runs_[handle].pending) evict_run(handle, Eviction::kInvalidated);
}

void RunIndex::clear_pending() {
  for (std::uint32_t place = 0; place < open_.size(); ++place) {
    auto& open = open_[place];
    // The run of a place that is free may be elsewhere, or another one.
    if (open.run == kNone || !runs_[open.run].pending || runs_[open.run].place != place) continue;
    rows_ -= open.log.rows();
    open.log = RunLog{};
    note_open_bytes(open);
  }
}

void RunIndex::clear_complete() {
  while (by_use_.oldest != kNone) evict_run(by_use_.oldest, Eviction::kInvalidated);
}

}  // namespace dupwatch::core
