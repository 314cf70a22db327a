#include "daemon/core/packed_run.hpp"

#include <algorithm>

#include "daemon/core/packed_bytes.hpp"
#include "daemon/core/planted.hpp"

namespace dupwatch::core {
namespace {

// The log: varint (rows * 4 + has spilled text * 2 + has commits), the spilled text behind its length, rows.
constexpr std::uint64_t kHasCommits = 1;
constexpr std::uint64_t kHasSpill = 2;
constexpr unsigned kFlagBits = 2;
// A row: number of its kind, one byte of shape, the id, the key if its entity is new, the transaction id,
// the commit. Shape: how many bytes the distance from the id before has, whether it is negative, and which
// entity the row belongs to.
constexpr std::uint8_t kLengthMask = 0x1F;
constexpr std::uint8_t kNegative = 0x20;
constexpr unsigned kEntityShift = 6;
enum EntityOf : std::uint8_t { kSameEntity = 0, kNewEntity = 1, kOtherEntity = 2 };
// A key: its distance in one byte if it is 1 to 127, as of draws that follow each other; else the length of
// the distance with this bit, kNegative, and the distance.
constexpr std::uint8_t kLongDistance = 0x80;

std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63U);
}
std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
}
/// The distance of any two values, as a signed number that wraps.
std::int64_t distance(std::uint64_t to, std::uint64_t from) noexcept {
  return static_cast<std::int64_t>(to - from);
}

void write_key(Writer& out, const Token& key, PackedEnd& previous) {
  if (key.spilled()) {
    out.varint(key.hi);
    out.varint(key.lo);
  } else if (key.packed()) {
    const auto number = wide(key);
    const bool negative = less(number, previous.key);
    const auto step = negative ? minus(previous.key, number) : minus(number, previous.key);
    if (!negative && step.hi == 0 && step.lo != 0 && step.lo < kLongDistance) {
      out.byte(static_cast<std::uint8_t>(step.lo));
    } else {
      const auto length = length_of(step);
      out.byte(static_cast<std::uint8_t>(kLongDistance | length | (negative ? kNegative : 0U)));
      out.wide(step, length);
    }
    previous.key = number;
  }
}

Token read_key(Reader& in, std::uint8_t kind, PackedEnd& previous) {
  Token key{.hi = 0, .lo = 0, .kind = kind};
  if (key.spilled()) {
    key.hi = in.varint();
    key.lo = in.varint();
  } else if (key.packed()) {
    const auto shape = in.byte();
    auto step = Wide{.hi = 0, .lo = shape};
    if ((shape & kLongDistance) != 0) step = in.wide(shape & kLengthMask);
    const bool negative = (shape & kLongDistance) != 0 && (shape & kNegative) != 0;
    previous.key = negative ? minus(previous.key, step) : plus(previous.key, step);
    key.hi = previous.key.hi;
    key.lo = previous.key.lo;
  }
  return key;
}

void write_commit(Writer& out, const CommitInfo& commit, bool all, PackedEnd& previous) {
  out.varint(zigzag(distance(commit.xid, previous.commit.xid)));
  if (all) {
    out.varint(zigzag(distance(commit.lsn.value, previous.commit.lsn.value)));
    out.varint(zigzag(commit.time.micros - previous.commit.time.micros));
  }
  previous.commit = commit;
}

CommitInfo read_commit(Reader& in, bool all, PackedEnd& previous) {
  auto& commit = previous.commit;
  commit.xid += static_cast<decoder::Xid>(unzigzag(in.varint()));
  if (all) {
    commit.lsn.value += static_cast<std::uint64_t>(unzigzag(in.varint()));
    commit.time.micros += unzigzag(in.varint());
  }
  return commit;
}

void write_kind(Writer& out, const RowKinds::Kind& kind, RowKinds& kinds) {
  const auto number = kinds.number(kind);
  out.byte(number);
  if (number != RowKinds::kWrittenOut) return;
  for (const auto byte : {kind.type, kind.group, kind.id_kind, kind.key_kind}) out.byte(byte);
  out.byte(static_cast<std::uint8_t>((kind.closes ? 1U : 0U) | (kind.ends_run ? 2U : 0U) |
                                     (kind.null_identity ? 4U : 0U) | (kind.streamed ? 8U : 0U)));
}

RowKinds::Kind read_kind(Reader& in, const RowKinds& kinds) {
  const auto number = in.byte();
  if (number != RowKinds::kWrittenOut) return kinds[number];
  RowKinds::Kind kind;
  for (auto* byte : {&kind.type, &kind.group, &kind.id_kind, &kind.key_kind}) *byte = in.byte();
  const auto flags = in.byte();
  kind.closes = (flags & 1U) != 0;
  kind.ends_run = (flags & 2U) != 0;
  kind.null_identity = (flags & 4U) != 0;
  kind.streamed = (flags & 8U) != 0;
  return kind;
}

void write_row(Writer& out, const PackedRow& row, std::uint32_t entity, RowKinds& kinds,
               PackedEnd& previous) {
  write_kind(out, row.kind, kinds);
  const auto id = wide(row.id);
  const bool negative = row.id.packed() && less(id, previous.id);
  const auto step = negative ? minus(previous.id, id) : minus(id, previous.id);
  const auto length = row.id.packed() ? length_of(step) : std::uint8_t{0};
  const auto belongs = entity == previous.entities ? kNewEntity
                       : entity == previous.entity ? kSameEntity
                                                   : kOtherEntity;
  out.byte(static_cast<std::uint8_t>(length | (negative ? kNegative : 0U) |
                                     (static_cast<unsigned>(belongs) << kEntityShift)));
  if (row.id.packed()) {
    out.wide(step, length);
    previous.id = id;
  } else {
    out.varint(row.id.hi);
    out.varint(row.id.lo);
  }
  if (belongs == kNewEntity) {
    write_key(out, row.key, previous);
    ++previous.entities;
  } else if (belongs == kOtherEntity) {
    out.varint(previous.entities - entity);
  }
  previous.entity = entity;
}

void read_row(Reader& in, const RowKinds& kinds, const TokenCodec& codec, bool commits, RunLog& log,
              PackedEnd& previous) {
  const auto kind = read_kind(in, kinds);
  const auto shape = in.byte();
  Token id{.hi = 0, .lo = 0, .kind = kind.id_kind};
  if (id.packed()) {
    const auto step = in.wide(shape & kLengthMask);
    previous.id = (shape & kNegative) != 0 ? minus(previous.id, step) : plus(previous.id, step);
    id.hi = previous.id.hi;
    id.lo = previous.id.lo;
  } else {
    id.hi = in.varint();
    id.lo = in.varint();
  }
  const auto belongs = shape >> kEntityShift;
  if (belongs == kNewEntity) {
    const auto key = read_key(in, kind.key_kind, previous);
    previous.entity = log.put_entity(key, kind.group, kind.null_identity, codec);
    ++previous.entities;
  } else if (belongs == kOtherEntity) {
    previous.entity = previous.entities - static_cast<std::uint32_t>(in.varint());
  }
  const auto commit = read_commit(in, commits, previous);
  log.put_row({.id = id,
               .type = kind.type,
               .closes = kind.closes,
               .ends_run = kind.ends_run,
               .streamed = kind.streamed,
               .entity = previous.entity,
               .commit = commit},
              codec);
}

}  // namespace

std::uint8_t RowKinds::number(const Kind& kind) {
  auto& latest = latest_[kind.type % latest_.size()];
  if (latest < kinds_.size() && kinds_[latest] == kind) return latest;
  const auto found = std::find(kinds_.begin(), kinds_.end(), kind);
  if (found == kinds_.end()) {
    if (kinds_.size() == kWrittenOut) return kWrittenOut;
    kinds_.push_back(kind);
    latest = static_cast<std::uint8_t>(kinds_.size() - 1);
  } else {
    latest = static_cast<std::uint8_t>(found - kinds_.begin());
  }
  return latest;
}

void pack(const RunLog& log, const Token& run_id, bool commits, RowKinds& kinds,
          std::vector<std::byte>& out) {
  out.resize(std::max(out.size(), kRowBytesMax));
  Writer writer(out);
  writer.make_room(kRowBytesMax);
  const auto flags = (commits ? kHasCommits : 0U) | (log.spill().empty() ? 0U : kHasSpill);
  writer.varint((std::uint64_t{log.rows()} << kFlagBits) | flags);
  if (!log.spill().empty()) writer.text(log.spill());
  // Of a ULID's time the run's own is near, of its run id and of its correlation ids.
  PackedEnd previous{.id = wide(run_id), .key = wide(run_id), .commit = {}};
  for (std::uint32_t i = 0; i < log.rows(); ++i) {
    writer.make_room(kRowBytesMax);
    ++rows_looked_at();
    const auto& row = log.row(i);
    const auto& entity = log.entity(row.entity);
    const PackedRow packed{.id = row.id,
                           .key = entity.key,
                           .kind = {.type = row.type,
                                    .group = entity.group,
                                    .id_kind = row.id.kind,
                                    .key_kind = entity.key.kind,
                                    .closes = row.closes,
                                    .ends_run = row.ends_run,
                                    .null_identity = entity.null_identity,
                                    .streamed = row.streamed}};
    write_row(writer, packed, row.entity, kinds, previous);
    write_commit(writer, row.commit, commits, previous);
  }
  count_work(Work::kPackedBytes, writer.size());
}

std::uint64_t packed_rows(std::span<const std::byte> packed) noexcept {
  return Reader(packed).varint() >> kFlagBits;
}

void unpack(std::span<const std::byte> packed, const Token& run_id, const RowKinds& kinds,
            const TokenCodec& codec, RunLog& log) {
  count_work(Work::kPackedBytes, packed.size());
  Reader reader(packed);
  const auto head = reader.varint();
  if ((head & kHasSpill) != 0) log.put_spill(reader.text());
  // And some that come.
  log.expect_rows((head >> kFlagBits) / 16 * 17);
  PackedEnd previous{.id = wide(run_id), .key = wide(run_id), .commit = {}};
  for (auto rows = head >> kFlagBits; rows != 0; --rows) {
    ++rows_looked_at();
    read_row(reader, kinds, codec, (head & kHasCommits) != 0, log, previous);
  }
}

std::optional<PackedView> peek(std::span<const std::byte> packed, const Token& run_id, const RowKinds& kinds,
                               const PackedRow& row) {
  Reader reader(packed);
  const auto head = reader.varint();
  const auto rows = head >> kFlagBits;
  if ((head & (kHasCommits | kHasSpill)) != 0 || rows == 0) return std::nullopt;
  const bool slot = is_slot_number(row.id);
  const auto wanted = wide(row.id);
  bool behind = true;
  PackedView view{.end = {.id = wide(run_id), .key = wide(run_id), .commit = {}}};
  auto& end = view.end;
  rows_looked_at() += rows;
  count_work(Work::kPackedBytes, packed.size());
  for (auto left = rows; left != 0; --left) {
    const auto kind = read_kind(reader, kinds);
    if (kind.id_kind != row.id.kind) return std::nullopt;
    const auto shape = reader.byte();
    const auto step = reader.wide(shape & kLengthMask);
    end.id = (shape & kNegative) != 0 ? minus(end.id, step) : plus(end.id, step);
    const Token id{.hi = end.id.hi, .lo = end.id.lo, .kind = kind.id_kind};
    behind = behind && !kind.ends_run && less(end.id, wanted) && is_slot_number(id) == slot;
    const auto belongs = shape >> kEntityShift;
    if (belongs == kNewEntity) {
      const auto key = read_key(reader, kind.key_kind, end);
      end.entity = end.entities++;
      const bool own = kind.group == row.kind.group && key.kind == row.key.kind && key.hi == row.key.hi &&
                       key.lo == row.key.lo;
      if (own) view.entity = end.entity;
      // Correlation ids of two times are a matter of the whole run.
      const auto seed = ulid_millis(row.key);
      if (seed != 0 && ulid_millis(key) != 0 && ulid_millis(key) != seed) return std::nullopt;
    } else if (belongs == kOtherEntity) {
      end.entity = end.entities - static_cast<std::uint32_t>(reader.varint());
    }
    (void)read_commit(reader, false, end);
    if (end.entity != view.entity) continue;
    if (!behind && kind.type == row.kind.type && equal(end.id, wanted)) {
      if (end.commit.xid != row.xid || kind.streamed != row.kind.streamed) return std::nullopt;
      view.known = true;
      return view;
    }
    view.repeated |= view.seen & type_bit(kind.type);
    view.seen |= type_bit(kind.type);
  }
  if (!behind) return std::nullopt;
  return view;
}

void append(std::span<const std::byte> packed, const PackedView& view, const PackedRow& row, RowKinds& kinds,
            std::vector<std::byte>& out) {
  Reader reader(packed);
  const auto head = reader.varint();
  const auto body = reader.rest();
  out.resize(std::max(out.size(), body.size() + 2 * kRowBytesMax));
  Writer writer(out);
  writer.make_room(body.size() + 2 * kRowBytesMax);
  writer.varint(head + (std::uint64_t{1} << kFlagBits));
  writer.bytes(body);
  auto end = view.end;
  write_row(writer, row, view.entity == RunLog::kNone ? end.entities : view.entity, kinds, end);
  write_commit(writer, {.lsn = {}, .time = {}, .xid = row.xid}, false, end);
}

}  // namespace dupwatch::core
