#include "daemon/core/packed_run.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

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
constexpr std::size_t kTokenBytes = 16;
/// A kind written out, a shape, two tokens with lengths, three varints and what Writer::wide writes beyond.
constexpr std::size_t kRowBytesMax = 128;

/// The 128 bits of a token as one number.
struct Wide {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
};

Wide wide(const Token& token) noexcept {
  return {.hi = token.hi, .lo = token.lo};
}
Wide minus(const Wide& a, const Wide& b) noexcept {
  return {.hi = a.hi - b.hi - (a.lo < b.lo ? 1U : 0U), .lo = a.lo - b.lo};
}
Wide plus(const Wide& a, const Wide& b) noexcept {
  const auto lo = a.lo + b.lo;
  return {.hi = a.hi + b.hi + (lo < a.lo ? 1U : 0U), .lo = lo};
}
bool less(const Wide& a, const Wide& b) noexcept {
  return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
}
std::uint8_t length_of(const Wide& number) noexcept {
  const auto bits = number.hi != 0 ? 128 - std::countl_zero(number.hi) : 64 - std::countl_zero(number.lo);
  return static_cast<std::uint8_t>((bits + 7) / 8);
}

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

/// Writes into a buffer that has room for a row at least.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out), at_(out.data()), end_(out.data() + out.size()) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { out_.resize(size()); }

  void make_room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) >= bytes) return;
    const auto written = size();
    out_.resize(2 * out_.size() + bytes);
    at_ = out_.data() + written;
    end_ = out_.data() + out_.size();
  }
  void byte(std::uint8_t value) noexcept { *at_++ = std::byte{value}; }
  void varint(std::uint64_t value) noexcept {
    for (; value >= 0x80; value >>= 7U) byte(static_cast<std::uint8_t>(value | 0x80U));
    byte(static_cast<std::uint8_t>(value));
  }
  void wide(const Wide& number, std::size_t length) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(at_, &number.lo, sizeof number.lo);
    std::memcpy(at_ + sizeof number.lo, &number.hi, sizeof number.hi);
    at_ += length;
  }
  void text(std::string_view text) {
    make_room(text.size() + kRowBytesMax);
    varint(text.size());
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

 private:
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - out_.data()); }

  std::vector<std::byte>& out_;
  std::byte* at_;
  std::byte* end_;
};

/// Reads what Writer wrote; it is our own memory, so nothing is checked.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : at_(in.data()), end_(in.data() + in.size()) {}
  std::uint8_t byte() noexcept { return std::to_integer<std::uint8_t>(*at_++); }
  std::uint64_t varint() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto next = byte();
      value |= std::uint64_t{next & 0x7FU} << shift;
      if (next < 0x80) return value;
    }
  }
  Wide wide(std::size_t length) noexcept {
    std::array<std::uint64_t, 2> words{};
    // A copy of known length is one load: most numbers are followed by so much.
    if (static_cast<std::size_t>(end_ - at_) >= kTokenBytes) {
      std::memcpy(words.data(), at_, kTokenBytes);
      if (length < 8) {
        words = {words[0] & ((std::uint64_t{1} << (8 * length)) - 1), 0};
      } else if (length < kTokenBytes) {
        words[1] &= (std::uint64_t{1} << (8 * (length - 8))) - 1;
      }
    } else {
      std::memcpy(words.data(), at_, length);
    }
    at_ += length;
    return {.hi = words[1], .lo = words[0]};
  }
  std::string_view text() noexcept {
    const auto size = varint();
    const auto bytes = std::span(at_, size);
    at_ += size;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT(*-reinterpret-cast)
  }

 private:
  const std::byte* at_;
  const std::byte* end_;
};

/// What rows are measured from, on both sides.
struct Previous {
  Wide id;
  Wide key;
  CommitInfo commit;
  std::uint32_t entity = RunLog::kNone;
  std::uint32_t entities = 0;
};

void write_key(Writer& out, const Token& key, Previous& previous) {
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

Token read_key(Reader& in, std::uint8_t kind, Previous& previous) {
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

void write_commit(Writer& out, const CommitInfo& commit, bool all, Previous& previous) {
  out.varint(zigzag(distance(commit.xid, previous.commit.xid)));
  if (all) {
    out.varint(zigzag(distance(commit.lsn.value, previous.commit.lsn.value)));
    out.varint(zigzag(commit.time.micros - previous.commit.time.micros));
  }
  previous.commit = commit;
}

CommitInfo read_commit(Reader& in, bool all, Previous& previous) {
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
                                     (kind.null_identity ? 4U : 0U)));
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
  return kind;
}

void write_row(Writer& out, const RunLog& log, const RunLog::Row& row, RowKinds& kinds, Previous& previous) {
  const auto& entity = log.entity(row.entity);
  write_kind(out,
             {.type = row.type,
              .group = entity.group,
              .id_kind = row.id.kind,
              .key_kind = entity.key.kind,
              .closes = row.closes,
              .ends_run = row.ends_run,
              .null_identity = entity.null_identity},
             kinds);
  const auto id = wide(row.id);
  const bool negative = row.id.packed() && less(id, previous.id);
  const auto step = negative ? minus(previous.id, id) : minus(id, previous.id);
  const auto length = row.id.packed() ? length_of(step) : std::uint8_t{0};
  const auto belongs = row.entity == previous.entities ? kNewEntity
                       : row.entity == previous.entity ? kSameEntity
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
    write_key(out, entity.key, previous);
    ++previous.entities;
  } else if (belongs == kOtherEntity) {
    out.varint(previous.entities - row.entity);
  }
  previous.entity = row.entity;
}

void read_row(Reader& in, const RowKinds& kinds, const TokenCodec& codec, bool commits, RunLog& log,
              Previous& previous) {
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
    previous.entity = log.put_entity(key, kind.group, kind.null_identity);
    ++previous.entities;
  } else if (belongs == kOtherEntity) {
    previous.entity = previous.entities - static_cast<std::uint32_t>(in.varint());
  }
  const auto commit = read_commit(in, commits, previous);
  log.put_row({.id = id,
               .type = kind.type,
               .closes = kind.closes,
               .ends_run = kind.ends_run,
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
  Previous previous{.id = wide(run_id), .key = wide(run_id), .commit = {}};
  for (std::uint32_t i = 0; i < log.rows(); ++i) {
    writer.make_room(kRowBytesMax);
    write_row(writer, log, log.row(i), kinds, previous);
    write_commit(writer, log.row(i).commit, commits, previous);
  }
}

std::uint64_t packed_rows(std::span<const std::byte> packed) noexcept {
  return Reader(packed).varint() >> kFlagBits;
}

void unpack(std::span<const std::byte> packed, const Token& run_id, const RowKinds& kinds,
            const TokenCodec& codec, RunLog& log) {
  Reader reader(packed);
  const auto head = reader.varint();
  if ((head & kHasSpill) != 0) log.put_spill(reader.text());
  Previous previous{.id = wide(run_id), .key = wide(run_id), .commit = {}};
  for (auto rows = head >> kFlagBits; rows != 0; --rows) {
    read_row(reader, kinds, codec, (head & kHasCommits) != 0, log, previous);
  }
}

}  // namespace dupwatch::core
