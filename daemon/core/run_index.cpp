#include "daemon/core/run_index.hpp"

#include <utility>

namespace dupwatch::core {
namespace {
constexpr std::size_t kTableMin = 1024;
}

RunIndex::RunIndex(std::uint64_t bytes_max, std::chrono::milliseconds run_grace, std::uint64_t seed)
    : bytes_max_(bytes_max), run_grace_(run_grace), seed_(seed), table_(kTableMin) {}

std::uint64_t RunIndex::hash_of(const Token& id, std::string_view text) const noexcept {
  return id.packed() ? hash_token(id, seed_) : hash_text(text, seed_);
}

bool RunIndex::is(const Run& run, const Token& id, std::string_view text) const noexcept {
  if (run.id.kind != id.kind) return false;
  return id.packed() ? run.id.hi == id.hi && run.id.lo == id.lo : run.id_text == text;
}

RunIndex::Handle RunIndex::find(std::string_view run_id) {
  const auto id = codec_.pack(run_id);
  const auto hash = static_cast<std::uint32_t>(hash_of(id, run_id));
  const auto mask = table_.size() - 1;
  for (auto i = hash & mask; table_[i].run != kNone; i = (i + 1) & mask) {
    if (table_[i].hash == hash && is(runs_[table_[i].run], id, run_id)) return table_[i].run;
  }
  return kNone;
}

RunIndex::Handle RunIndex::insert_pending(std::string_view run_id, std::uint64_t batch) {
  if ((live_ + 1) * 4 > table_.size() * 3) grow_table();
  Handle handle = kNone;
  if (free_.empty()) {
    handle = static_cast<Handle>(runs_.size());
    runs_.emplace_back();
  } else {
    handle = free_.back();
    free_.pop_back();
  }
  auto& run = runs_[handle];
  run.id = codec_.pack(run_id);
  if (!run.id.packed()) {
    run.id_text = run_id;
    heap_bytes_ += run_id.size();
  }
  run.pending_batch = batch;
  place(handle, static_cast<std::uint32_t>(hash_of(run.id, run_id)));
  ++live_;
  return handle;
}

RunLog::Added RunIndex::add_row(Handle handle, const EventRow& row) {
  auto& log = runs_[handle].log;
  const auto before = log.heap_bytes();
  const auto added = log.add(row, codec_);
  heap_bytes_ += log.heap_bytes() - before;
  if (!added.known) ++rows_;
  return added;
}

void RunIndex::complete(Handle handle) {
  runs_[handle].pending_batch = 0;
  link_newest(handle);
}

void RunIndex::touch(Handle handle) {
  if (runs_[handle].pending_batch != 0 || newest_ == handle) return;
  unlink(handle);
  link_newest(handle);
}

void RunIndex::end_run(Handle handle, Instant now) {
  auto& run = runs_[handle];
  if (run.ended) return;
  run.ended = true;
  ended_.push_back(Ended{.expires = now + run_grace_, .run = handle, .generation = run.generation});
}

Instant RunIndex::next_expiry() const noexcept {
  return ended_.empty() ? Instant::max() : ended_.front().expires;
}

void RunIndex::evict(Instant now) {
  while (!ended_.empty() && ended_.front().expires <= now) {
    const auto [expires, handle, generation] = ended_.front();
    ended_.pop_front();
    auto& run = runs_[handle];
    if (run.generation != generation) continue;  // evicted for memory since, and the place reused
    if (run.pending_batch != 0) {
      // Read back again by a late event while it waited: it gets a new grace period.
      ended_.push_back(Ended{.expires = now + run_grace_, .run = handle, .generation = generation});
      continue;
    }
    evict_run(handle, Eviction::kRunEnded);
  }
  while (over_bound() && oldest_ != kNone) evict_run(oldest_, Eviction::kMemory);
}

void RunIndex::forget(std::string_view run_id) {
  const auto handle = find(run_id);
  if (handle != kNone && runs_[handle].pending_batch == 0) evict_run(handle, Eviction::kInvalidated);
}

void RunIndex::clear_complete() {
  while (oldest_ != kNone) evict_run(oldest_, Eviction::kInvalidated);
}

std::string RunIndex::run_id(Handle handle) const {
  const auto& run = runs_[handle];
  if (!run.id.packed()) return run.id_text;
  std::string out;
  codec_.unpack(run.id, out);
  return out;
}

std::uint64_t RunIndex::bytes() const noexcept {
  // Places of runs that left are used again and never given back, so they count as well.
  return heap_bytes_ + runs_.size() * sizeof(Run) + table_.capacity() * sizeof(Slot) +
         ended_.size() * sizeof(Ended);
}

void RunIndex::grow_table() {
  const auto old = std::exchange(table_, std::vector<Slot>(table_.size() * 2));
  for (const auto& slot : old) {
    if (slot.run != kNone) place(slot.run, slot.hash);
  }
}

void RunIndex::place(Handle run, std::uint32_t hash) {
  const auto mask = table_.size() - 1;
  auto i = hash & mask;
  while (table_[i].run != kNone) i = (i + 1) & mask;
  table_[i] = Slot{.run = run, .hash = hash};
}

void RunIndex::remove_from_table(Handle handle) {
  const auto& run = runs_[handle];
  const auto mask = table_.size() - 1;
  auto hole = static_cast<std::uint32_t>(hash_of(run.id, run.id_text)) & mask;
  while (table_[hole].run != handle) hole = (hole + 1) & mask;
  // Linear probing without tombstones: move later entries back unless that would put them before their home.
  for (auto i = (hole + 1) & mask; table_[i].run != kNone; i = (i + 1) & mask) {
    const auto home = table_[i].hash & mask;
    if (((i - home) & mask) >= ((i - hole) & mask)) {
      table_[hole] = table_[i];
      hole = i;
    }
  }
  table_[hole] = Slot{};
}

void RunIndex::link_newest(Handle handle) {
  auto& run = runs_[handle];
  run.older = newest_;
  run.newer = kNone;
  (newest_ == kNone ? oldest_ : runs_[newest_].newer) = handle;
  newest_ = handle;
}

void RunIndex::unlink(Handle handle) {
  const auto& run = runs_[handle];
  (run.older == kNone ? oldest_ : runs_[run.older].newer) = run.newer;
  (run.newer == kNone ? newest_ : runs_[run.newer].older) = run.older;
}

void RunIndex::evict_run(Handle handle, Eviction reason) {
  unlink(handle);
  remove_from_table(handle);
  auto& run = runs_[handle];
  heap_bytes_ -= run.log.heap_bytes() + run.id_text.size();
  rows_ -= run.log.rows();
  const auto generation = run.generation + 1;
  run = Run{};
  run.generation = generation;
  free_.push_back(handle);
  --live_;
  ++evictions_[static_cast<std::size_t>(reason)];
}

}  // namespace dupwatch::core
