#include "daemon/core/run_index.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::core {
namespace {

/// Longer ids are looked up each time; those of the engine have 31.
constexpr std::size_t kFoundBytesMax = 64;
/// Heap of an open log that is kept for the next run: enough for some 100 rows.
constexpr std::uint64_t kKeptLogBytes = std::uint64_t{16} << 10U;
/// A hash node, its bucket and the text's own allocation.
constexpr std::uint64_t kIdTextOverhead = 96;

/// In front of each block.
constexpr std::uint64_t kBlockHeader = 8;
/// Packed logs that a row is appended to: above this, walking them costs more than opening saves. What is
/// known already needs no more than the walk.
constexpr std::uint32_t kAppendBytesMax = 1024;
constexpr std::uint32_t kWalkBytesMax = 4096;

/// What malloc takes for a block: 32 bytes at least, a multiple of 16 (glibc).
constexpr std::uint64_t heap_block(std::uint64_t bytes) noexcept {
  return std::max<std::uint64_t>(32, (bytes + kBlockHeader + 15) / 16 * 16);
}

constexpr std::size_t kCacheLine = 64;
/// A packed run of ten events.
constexpr std::size_t kPrefetchBytes = 192;

}  // namespace

RunIndex::RunIndex(std::uint64_t bytes_max, std::chrono::milliseconds run_grace, std::uint64_t seed)
    : bytes_max_(bytes_max), run_grace_(run_grace), codec_(seed) {}

std::uint32_t RunIndex::hash_of(const Token& id, std::string_view text) const noexcept {
  return static_cast<std::uint32_t>(codec_.hash(id, text));
}

bool RunIndex::is(Handle handle, const Token& id, std::string_view text) const noexcept {
  const auto& run = runs_[handle];
  if (run.id_kind != id.kind) return false;
  return id.packed() ? run.id_hi == id.hi && run.id_lo == id.lo : id_texts_.at(handle) == text;
}

RunIndex::Handle RunIndex::find(std::string_view run_id) {
  // The rows of a transaction are mostly of one run.
  if (found_.handle != kNone && run_id == found_.id) return found_.handle;
  const auto handle = look_up(run_id);
  found_.handle = run_id.size() <= kFoundBytesMax ? handle : kNone;
  if (found_.handle != kNone) found_.id = run_id;
  return handle;
}

RunIndex::Handle RunIndex::look_up(std::string_view run_id) {
  const auto id = codec_.pack(run_id);
  const auto found = table_.find(hash_of(id, run_id), [&](Handle run) { return is(run, id, run_id); });
  if (found != kNone) prefetch(runs_[found]);
  return found;
}

void RunIndex::prefetch(const Run& run) const noexcept {
  // All of what a touch needs is asked for at once; one after the other would be three waits for the memory.
  if (run.packed) {
    const auto bytes = std::min<std::size_t>(run.place, kPrefetchBytes);
    for (std::size_t line = 0; line < bytes; line += kCacheLine) {
      __builtin_prefetch(run.packed.get() + line, 1);
    }
  }
  if (run.older != kNone) __builtin_prefetch(&runs_[run.older], 1);
  if (run.newer != kNone) __builtin_prefetch(&runs_[run.newer], 1);
}

RunIndex::Handle RunIndex::insert_pending(std::string_view run_id) {
  Handle handle = kNone;
  if (free_.empty()) {
    handle = static_cast<Handle>(runs_.size());
    runs_.add();
    bytes_.places += sizeof(Run);
  } else {
    handle = free_.back();
    free_.pop_back();
  }
  auto& run = runs_[handle];
  const auto id = codec_.pack(run_id);
  run.id_hi = id.hi;
  run.id_lo = id.lo;
  run.id_kind = id.kind;
  if (!id.packed()) {
    id_texts_.emplace(handle, run_id);
    bytes_.id_texts += run_id.size() + kIdTextOverhead;
  }
  run.pending = true;
  run.place = take_open(handle);
  table_.insert(handle, hash_of(id, run_id));
  ++live_;
  return handle;
}

RunLog::Added RunIndex::add_row(Handle handle, const EventRow& row) {
  earn();
  auto& open = open_[runs_[handle].place];
  const auto added = open.log.add(row, codec_);
  if (!added.known) {
    note_open_bytes(open);
    ++rows_;
    runs_[handle].read_ahead = false;
  }
  return added;
}

void RunIndex::note_open_bytes(OpenLog& open) noexcept {
  const auto bytes = open.log.heap_bytes();
  open_bytes_ += bytes - open.bytes;
  open.bytes = bytes;
}

void RunIndex::complete(Handle handle) {
  runs_[handle].read_ahead = true;
  resume(handle);
}

void RunIndex::suspend(Handle handle) {
  touch(handle);
  auto& run = runs_[handle];
  run.owed = false;
  run.pending = true;
  unlink(handle);
  unlink_open(run.place);
}

void RunIndex::resume(Handle handle) {
  runs_[handle].pending = false;
  link_newest(handle);
  link_newest_open(runs_[handle].place);
  limit_open();
}

bool RunIndex::owe(Handle handle) {
  if (runs_[handle].owed) return false;
  runs_[handle].owed = true;
  return true;
}

void RunIndex::touch(Handle handle) {
  const auto& run = runs_[handle];
  if (run.pending) return;
  if (by_use_.newest != handle) {
    unlink(handle);
    link_newest(handle);
  }
  if (run.packed) {
    open_log(handle);
  } else if (open_by_use_.newest == run.place) {
    return;
  } else {
    unlink_open(run.place);
  }
  link_newest_open(run.place);
  limit_open();
}

bool RunIndex::is_costly(Handle handle) const noexcept {
  return runs_[handle].packed && runs_[handle].place > kAppendBytesMax;
}

std::uint64_t RunIndex::rows_of(Handle handle) const noexcept {
  const auto& run = runs_[handle];
  return run.packed ? packed_rows({run.packed.get(), run.place}) : open_[run.place].log.rows();
}

std::optional<PackedView> RunIndex::peek(Handle handle, const EventRow& row) {
  const auto& run = runs_[handle];
  // What comes in a row is cheaper in an open log, and so is a long log.
  const bool is_long = run.place > kAppendBytesMax;
  if (!run.packed || handle == by_use_.newest || (is_long && !run.read_ahead)) return std::nullopt;
  if (run.place > kWalkBytesMax) return std::nullopt;
  if (row.type == RunLog::kUnlistedType || row.ends_run || row.identity.size() != 1) return std::nullopt;
  auto& wanted = looked_for_;
  wanted.id = codec_.pack(row.id);
  const auto& identity = row.identity[0];
  const bool null_identity = identity.kind != decoder::Value::Kind::kText;
  wanted.key = null_identity ? Token{} : codec_.pack(identity.text);
  if (!wanted.id.packed() || wanted.key.spilled()) return std::nullopt;
  wanted.kind = {.type = row.type,
                 .group = row.group,
                 .id_kind = wanted.id.kind,
                 .key_kind = wanted.key.kind,
                 .closes = row.closes,
                 .ends_run = false,
                 .null_identity = null_identity};
  wanted.xid = row.commit.xid;
  auto view = core::peek({run.packed.get(), run.place}, id_of(run), kinds_, wanted);
  if (view && !view->known && is_long) view.reset();
  return view;
}

void RunIndex::redelivered(Handle handle) {
  unlink(handle);
  link_newest(handle);
}

void RunIndex::append(Handle handle, const PackedView& view) {
  auto& run = runs_[handle];
  core::append({run.packed.get(), run.place}, view, looked_for_, kinds_, scratch_);
  bytes_.packed -= heap_block(run.place);
  store_packed(run);
  ++rows_;
  run.read_ahead = false;
  unlink(handle);
  link_newest(handle);
}

std::uint32_t RunIndex::take_open(Handle run) {
  auto place = static_cast<std::uint32_t>(open_.size());
  if (free_open_.empty()) {
    open_.emplace_back();
    bytes_.places += sizeof(OpenLog);
  } else {
    place = free_open_.back();
    free_open_.pop_back();
  }
  open_[place].run = run;
  return place;
}

void RunIndex::leave_open(std::uint32_t place) {
  auto& open = open_[place];
  // Its memory serves the next run, unless there is too much of it.
  if (open.bytes > kKeptLogBytes || free_open_.size() >= kOpenRunsMax || over_bound()) {
    open.log = RunLog{};
  } else {
    open.log.clear();
  }
  note_open_bytes(open);
  free_open_.push_back(place);
}

void RunIndex::open_log(Handle handle) {
  auto& run = runs_[handle];
  const auto bytes = run.place;
  run.place = take_open(handle);
  unpack({run.packed.get(), bytes}, id_of(run), kinds_, codec_, open_[run.place].log);
  open_[run.place].log.put_own_engine(engine_of(run));
  note_open_bytes(open_[run.place]);
  bytes_.packed -= heap_block(bytes);
  run.packed.reset();
}

void RunIndex::pack_log(Handle handle) {
  auto& run = runs_[handle];
  const auto place = run.place;
  const auto own = open_[place].log.own_engine();
  run.own_engine = own ? (static_cast<unsigned>(*own) + 1U) & 7U : 0U;
  pack(open_[place].log, id_of(run), run.keeps_commits, kinds_, scratch_);
  store_packed(run);
  unlink_open(place);
  leave_open(place);
  if (scratch_.capacity() > kKeptLogBytes) scratch_ = std::vector<std::byte>{};
}

void RunIndex::store_packed(Run& run) {
  const auto block = heap_block(scratch_.size());
  // All of the block is asked for: what is appended often fits into the one that is there.
  if (!run.packed || heap_block(run.place) != block) {
    run.packed = std::make_unique_for_overwrite<std::byte[]>(block - kBlockHeader);
  }
  std::ranges::copy(scratch_, run.packed.get());
  run.place = static_cast<std::uint32_t>(scratch_.size());
  bytes_.packed += block;
}

void RunIndex::keep_commits(Handle handle, const RecentCommits& recent) {
  auto& run = runs_[handle];
  if (run.keeps_commits) return;
  run.keeps_commits = true;
  open_[run.place].log.complete_commits([&](CommitInfo& commit) { recent.complete(commit); });
}

std::string RunIndex::run_id(Handle handle) const {
  const auto id = id_of(runs_[handle]);
  if (!id.packed()) return id_texts_.at(handle);
  std::string out;
  codec_.unpack(id, out);
  return out;
}

void RunIndex::link_newest(Handle handle) {
  auto& run = runs_[handle];
  run.older = by_use_.newest;
  run.newer = kNone;
  (by_use_.newest == kNone ? by_use_.oldest : runs_[by_use_.newest].newer) = handle;
  by_use_.newest = handle;
}

void RunIndex::unlink(Handle handle) {
  const auto& run = runs_[handle];
  (run.older == kNone ? by_use_.oldest : runs_[run.older].newer) = run.newer;
  (run.newer == kNone ? by_use_.newest : runs_[run.newer].older) = run.older;
}

void RunIndex::link_newest_open(std::uint32_t place) {
  auto& open = open_[place];
  open.older = open_by_use_.newest;
  open.newer = kNone;
  (open_by_use_.newest == kNone ? open_by_use_.oldest : open_[open_by_use_.newest].newer) = place;
  open_by_use_.newest = place;
  ++open_complete_;
}

void RunIndex::unlink_open(std::uint32_t place) {
  const auto& open = open_[place];
  (open.older == kNone ? open_by_use_.oldest : open_[open.older].newer) = open.newer;
  (open.newer == kNone ? open_by_use_.newest : open_[open.newer].older) = open.older;
  --open_complete_;
}

void RunIndex::evict_run(Handle handle, Eviction reason) {
  if (found_.handle == handle) found_.handle = kNone;
  unlink(handle);
  auto& run = runs_[handle];
  const auto id = id_of(run);
  table_.erase(handle, hash_of(id, id.packed() ? std::string_view{} : id_texts_.at(handle)));
  if (run.packed) {
    rows_ -= packed_rows({run.packed.get(), run.place});
    bytes_.packed -= heap_block(run.place);
  } else {
    rows_ -= log(handle).rows();
    unlink_open(run.place);
    leave_open(run.place);
  }
  if (const auto text = id_texts_.find(handle); text != id_texts_.end()) {
    bytes_.id_texts -= text->second.size() + kIdTextOverhead;
    id_texts_.erase(text);
  }
  const auto generation = static_cast<std::uint16_t>(run.generation + 1);
  run = Run{};
  run.generation = generation;
  free_.push_back(handle);
  --live_;
  ++evictions_[static_cast<std::size_t>(reason)];
}

}  // namespace dupwatch::core
