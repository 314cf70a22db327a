#include "daemon/core/deferred_rows.hpp"

#include <utility>

#include "daemon/core/packed_bytes.hpp"

namespace dupwatch::core {
namespace {

/// Of what a row needs while it is copied; ids and identities may have megabytes.
constexpr std::size_t kScratchKept = 4096;

enum Flag : std::uint8_t { kCloses = 1, kEndsRun = 2, kStreamed = 4 };

}  // namespace

bool DeferredRows::holds(std::string_view run_id) {
  if (empty()) return false;
  looked_for_ = run_id;
  return places_.contains(looked_for_);
}

void DeferredRows::add(const EventRow& row) {
  looked_for_ = row.run_id;
  const auto [place, is_new] = places_.try_emplace(looked_for_, runs_.size());
  if (is_new) {
    runs_.push_back({.id = looked_for_, .rows = {}});
    bytes_ += sizeof(Run) + 2 * looked_for_.size();  // it is a key as well
  }
  auto& rows = runs_[place->second].rows;
  const auto before = rows.size();
  scratch_.resize(kRowBytesMax);
  {
    Writer out(scratch_);
    out.text(row.id);
    out.byte(row.type);
    out.text(row.type == RunLog::kUnlistedType ? row.type_text : std::string_view(""));
    out.byte(row.group);
    out.byte(static_cast<std::uint8_t>((row.closes ? kCloses : 0) | (row.ends_run ? kEndsRun : 0) |
                                       (row.streamed ? kStreamed : 0)));
    out.varint(row.commit.xid);
    out.varint(row.commit.lsn.value);
    out.varint(static_cast<std::uint64_t>(row.commit.time.micros));
    out.varint(row.identity.size());
    for (const auto& value : row.identity) {
      out.make_room(kRowBytesMax);
      out.byte(static_cast<std::uint8_t>(value.kind));
      if (value.kind == decoder::Value::Kind::kText) out.text(value.text);
    }
  }
  rows.insert(rows.end(), scratch_.begin(), scratch_.end());
  bytes_ += rows.size() - before;
  if (scratch_.capacity() > kScratchKept) std::vector<std::byte>().swap(scratch_);
  if (looked_for_.capacity() > kScratchKept) std::string().swap(looked_for_);
}

std::optional<EventRow> DeferredRows::take(Instant now) {
  in_round_ = true;
  for (; run_ < runs_.size(); ++run_, offset_ = 0) {
    auto& run = runs_[run_];
    if (offset_ == run.rows.size()) {
      run.rows = {};
      continue;
    }
    EventRow row{.run_id = run.id};
    read(row);
    return row;
  }
  clear();
  next_round_ = now + std::min<Instant::duration>(std::exchange(pause_, {}), kPauseMax);
  return std::nullopt;
}

void DeferredRows::read(EventRow& row) {
  const auto& rows = runs_[run_].rows;
  Reader in(std::span<const std::byte>(rows).subspan(offset_));
  row.id = in.text();
  row.type = in.byte();
  row.type_text = in.text();
  row.group = in.byte();
  const auto flags = in.byte();
  row.closes = (flags & kCloses) != 0;
  row.ends_run = (flags & kEndsRun) != 0;
  row.streamed = (flags & kStreamed) != 0;
  row.commit.xid = static_cast<decoder::Xid>(in.varint());
  row.commit.lsn = decoder::Lsn{in.varint()};
  row.commit.time.micros = static_cast<std::int64_t>(in.varint());
  identity_.clear();
  for (auto values = in.varint(); values != 0; --values) {
    const auto kind = static_cast<decoder::Value::Kind>(in.byte());
    identity_.push_back({kind, kind == decoder::Value::Kind::kText ? in.text() : std::string_view{}});
  }
  row.identity = identity_;
  offset_ = rows.size() - in.rest().size();
}

void DeferredRows::clear() {
  runs_.clear();
  places_.clear();
  bytes_ = 0;
  in_round_ = false;
  run_ = offset_ = 0;
}

}  // namespace dupwatch::core
