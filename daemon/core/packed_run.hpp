#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/core/run_log.hpp"

/// A RunLog in few bytes, for the many runs that nothing happens to. Of an event with ULIDs some 16 bytes are
/// left of the 120 of its row and its share of the entity: neighbours of a log differ by little but for the
/// 80 random bits of an event id, and the correlation ids of a run are consecutive draws of one sequence.
/// Exact for any log: what does not fit the pattern takes more bytes.
namespace dupwatch::core {

/// What repeats from row to row, numbered, so that a packed row names it in one byte. Grows only and is
/// shared by all packed runs of an index.
class RowKinds {
 public:
  struct Kind {
    std::uint8_t type = 0;
    std::uint8_t group = 0;
    std::uint8_t id_kind = 0;   ///< Token::kind of the row's id
    std::uint8_t key_kind = 0;  ///< and of its entity's key
    bool closes = false;
    bool ends_run = false;
    bool null_identity = false;
    bool streamed = false;
    friend bool operator==(const Kind&, const Kind&) = default;
  };
  /// Kinds above this many are written out in each row: some dozens exist in practice.
  static constexpr std::uint8_t kWrittenOut = 0xFF;

  /// The kind's number, or kWrittenOut.
  [[nodiscard]] std::uint8_t number(const Kind& kind);
  [[nodiscard]] const Kind& operator[](std::uint8_t number) const noexcept { return kinds_[number]; }
  [[nodiscard]] std::size_t size() const noexcept { return kinds_.size(); }

 private:
  std::vector<Kind> kinds_;
  /// By type, the number found last.
  std::array<std::uint8_t, Profile::kTypesMax> latest_{};
};

/// The 128 bits of a token as one number.
struct Wide {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
};

/// What the next row of a packed log is measured from.
struct PackedEnd {
  Wide id;
  Wide key;
  CommitInfo commit;
  std::uint32_t entity = RunLog::kNone;  ///< of the row before
  std::uint32_t entities = 0;
};

/// A row to be put behind a packed log: of a listed type, with tokens that need no text.
struct PackedRow {
  Token id;
  Token key;
  RowKinds::Kind kind;
  decoder::Xid xid = 0;
};

/// A packed log seen from such a row.
struct PackedView {
  /// The log has the row, of the same transaction: a redelivery that changes nothing. The rest is of no use
  /// then.
  bool known = false;
  PackedEnd end;
  std::uint32_t entity = RunLog::kNone;  ///< the row's own; kNone = it is new
  /// As RunLog::Entity has them.
  std::uint64_t seen = 0;
  std::uint64_t repeated = 0;
};

/// `commits`: also LSN and time of the commits; without it transaction ids alone are kept, and the commit of
/// a row that comes back is as unknown as that of a row read from the table.
/// `out` is overwritten; what it has allocated is used again.
void pack(const RunLog& log, const Token& run_id, bool commits, RowKinds& kinds, std::vector<std::byte>& out);
/// `log` must be empty, `run_id` and `kinds` those that `packed` was made with.
void unpack(std::span<const std::byte> packed, const Token& run_id, const RowKinds& kinds,
            const TokenCodec& codec, RunLog& log);
/// nullopt: the log must be opened for the row. Else it is known, or it sorts behind all others, which are of
/// its scheme and its kind of id, none of them ends the run, and their commits aren't kept.
[[nodiscard]] std::optional<PackedView> peek(std::span<const std::byte> packed, const Token& run_id,
                                             const RowKinds& kinds, const PackedRow& row);
/// The log with the row behind it, as pack() would write it; `view` is peek()'s of a row that is not known.
void append(std::span<const std::byte> packed, const PackedView& view, const PackedRow& row, RowKinds& kinds,
            std::vector<std::byte>& out);
[[nodiscard]] std::uint64_t packed_rows(std::span<const std::byte> packed) noexcept;

}  // namespace dupwatch::core
