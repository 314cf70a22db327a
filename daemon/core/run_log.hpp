#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/engine.hpp"
#include "daemon/core/growing_array.hpp"
#include "daemon/core/packed_text.hpp"
#include "daemon/core/profile.hpp"
#include "decoder/change.hpp"

namespace dupwatch::core {

/// What is known of the transaction that committed a row; zero = unknown (a row read back from the table).
struct CommitInfo {
  decoder::Lsn lsn;
  decoder::Timestamp time;
  decoder::Xid xid = 0;
};

/// A tracked row as decoder or read-back deliver it; views are copied by RunLog::add.
struct EventRow {
  std::string_view run_id{};
  std::string_view id{};
  /// Index into Profile::types, or RunLog::kUnlistedType with `type_text`.
  std::uint8_t type = 0;
  std::string_view type_text{};
  std::span<const decoder::Value> identity{};
  CommitInfo commit{};
  // From the type, so that the log needs no profile.
  std::uint8_t group = 0;
  bool closes = false;
  bool ends_run = false;
  /// The stream brought it, and a rule is about the order of commits.
  bool streamed = false;
};

/// The row with what its type says; `type` is Profile::find_type(type_text).
[[nodiscard]] EventRow make_event_row(const Profile& profile, std::optional<std::uint8_t> type,
                                      std::string_view type_text);

/// The tracked rows of one run, grouped by entity (identity without the type, and the group of its type).
/// Grows only; a row costs O(1) whatever its id: an entity of more than kWalkMax rows is not walked but
/// looked up. Not thread-safe.
class RunLog {
 public:
  static constexpr std::uint8_t kUnlistedType = 0xFF;
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  /// An entity of more rows is large: its extremes are kept by type and its rows are in a hash table.
  static constexpr std::uint32_t kWalkMax = 16;

  /// Members lie in the padding of those before them.
  struct Row {
    [[no_unique_address]] Token id;
    std::uint8_t type = 0;
    bool closes : 1 = false;
    bool ends_run : 1 = false;
    bool streamed : 1 = false;
    std::uint32_t entity = 0;
    [[no_unique_address]] CommitInfo commit;
    std::uint32_t next = kNone;  ///< next row of the entity
  };
  static_assert(sizeof(Row) == 48);
  struct Entity {
    [[no_unique_address]] Token key;
    std::uint8_t group = 0;
    /// All identity columns are NULL.
    bool null_identity = false;
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
    /// Rows with the largest id, and with the smallest one that closes the entity.
    std::uint32_t greatest = kNone;
    std::uint32_t closing = kNone;
    /// The largest id of what had committed before the transaction of `greatest`.
    std::uint32_t greatest_before = kNone;
    /// Listed types that a row of it has, and that two rows have, as type_bit() gives them.
    std::uint64_t seen = 0;
    std::uint64_t repeated = 0;
    std::uint32_t rows = 0;
    /// Its place among the large ones, kNone up to kWalkMax rows.
    std::uint32_t large = kNone;
  };
  static_assert(sizeof(Entity) == 64);

  struct Added {
    std::uint32_t row = kNone;
    /// The same (run, id) was there already: a redelivery; its commit data was completed.
    bool known = false;
    /// Known, and the stream says that another transaction has inserted it: it was deleted and put back.
    bool written_again = false;
    /// Known from the table alone until now.
    bool newly_streamed = false;
  };
  Added add(const EventRow& event, TokenCodec& codec);
  void clear();

  /// What another log with the same codec held, put back in its order: the spilled text first, each entity
  /// before its first row. Nothing is looked up.
  void put_spill(std::string_view text) { spill_ = text; }
  void put_own_engine(std::optional<Engine> engine) noexcept { table_.engine = engine; }
  std::uint32_t put_entity(const Token& key, std::uint8_t group, bool null_identity, const TokenCodec& codec);
  void put_row(const Row& row, const TokenCodec& codec);
  /// Room for so many.
  void expect_rows(std::size_t rows) { rows_.reserve(rows); }

  /// The table shows this row, with the spec version of an engine of this generation in it. The first one of
  /// the run by id counts: whoever began the run.
  void shown(std::uint32_t row, std::optional<Engine> engine, const TokenCodec& codec) {
    table_.shown = true;
    if (!engine) return;
    if (table_.engine && (table_.row == kNone || !less(rows_[row].id, rows_[table_.row].id, codec))) return;
    table_.engine = engine;
    table_.row = row;
  }

  /// LSN and time of commits that are not known may be filled in.
  template <typename Complete>
  void complete_commits(const Complete& complete) {
    for (auto& row : rows_) complete(row.commit);
  }

  [[nodiscard]] const Row& row(std::uint32_t index) const noexcept { return rows_[index]; }
  [[nodiscard]] const Entity& entity(std::uint32_t index) const noexcept { return entities_[index]; }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }
  [[nodiscard]] std::size_t entities() const noexcept { return entities_.size(); }
  /// The first row, by id, that ended the run.
  [[nodiscard]] std::uint32_t run_end() const noexcept { return run_end_; }
  /// The first row with a slot number for an id, and the first with any other id.
  [[nodiscard]] std::uint32_t first_slot() const noexcept { return first_slot_; }
  [[nodiscard]] std::uint32_t first_other() const noexcept { return first_other_; }
  /// Of rows whose correlation id is a ULID: the first by id, and the first whose id has another time.
  [[nodiscard]] std::uint32_t seed() const noexcept { return seed_; }
  [[nodiscard]] std::uint32_t other_seed() const noexcept { return other_seed_; }
  /// Steps, waits and hooks that no row closes.
  [[nodiscard]] std::size_t open_entities() const noexcept { return open_entities_; }
  /// As the run's own spec version says; nullopt: no row that the table showed has one.
  [[nodiscard]] std::optional<Engine> own_engine() const noexcept { return table_.engine; }
  /// The table has shown a row of it.
  [[nodiscard]] bool is_shown() const noexcept { return table_.shown; }
  [[nodiscard]] std::string_view spill() const noexcept { return spill_; }
  /// The row with the largest id.
  [[nodiscard]] std::uint32_t greatest() const noexcept { return greatest_; }

  /// The row with the smallest id among the entity's rows of these types (bits as of type_bit(); rows of an
  /// unlisted type are of any), `except` left out; kNone = there is none.
  [[nodiscard]] std::uint32_t least_of(const Entity& entity, std::uint64_t types, const TokenCodec& codec,
                                       std::uint32_t except = kNone) const;
  /// As least_of, the row with the largest id.
  [[nodiscard]] std::uint32_t greatest_of(const Entity& entity, std::uint64_t types,
                                          const TokenCodec& codec) const;
  /// How many rows of these types the entity has; more than `enough` may be told as `enough`.
  [[nodiscard]] std::uint32_t count_of(const Entity& entity, std::uint64_t types,
                                       std::uint32_t enough) const noexcept;

  /// Some row of the group has this one identity value, a text that is not packed.
  [[nodiscard]] bool has_entity(std::string_view value, std::uint8_t group,
                                const TokenCodec& codec) const noexcept {
    return find_entity(Token{.kind = Token::kSpilled}, value, group, codec) != kNone;
  }

  [[nodiscard]] std::string text(const Token& token, const TokenCodec& codec) const;
  /// Byte order of the two ids' texts, as replay reads the log.
  [[nodiscard]] bool less(const Token& a, const Token& b, const TokenCodec& codec) const {
    if (a.packed() && a.kind == b.kind) return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
    return less_text(a, b, codec);
  }
  /// Values of the identity columns, and the type's text when it is unlisted.
  [[nodiscard]] std::vector<std::optional<std::string>> identity(const Entity& entity,
                                                                 const TokenCodec& codec) const;
  /// Bytes on the heap.
  [[nodiscard]] std::size_t heap_bytes() const noexcept;

 private:
  [[nodiscard]] std::string_view spilled_text(const Token& token) const noexcept;
  [[nodiscard]] bool less_text(const Token& a, const Token& b, const TokenCodec& codec) const;
  [[nodiscard]] Token store(const Token& token, std::string_view text);
  [[nodiscard]] bool same(const Token& stored, const Token& wanted,
                          std::string_view wanted_text) const noexcept {
    if (stored.kind != wanted.kind) return false;
    if (stored.spilled()) return spilled_text(stored) == wanted_text;
    return stored.hi == wanted.hi && stored.lo == wanted.lo;
  }
  /// kNone = there is none.
  [[nodiscard]] std::uint32_t find_entity(const Token& key, std::string_view text, std::uint8_t group,
                                          const TokenCodec& codec) const noexcept;
  [[nodiscard]] std::uint32_t find_or_add_entity(const EventRow& event, TokenCodec& codec);
  void rehash_entities(const TokenCodec& codec);
  void place_entity(std::uint32_t index, const TokenCodec& codec);
  [[nodiscard]] std::uint32_t find_row(const Entity& entity, const Token& id, const EventRow& event,
                                       const TokenCodec& codec) const;
  [[nodiscard]] bool is_behind_all(const Entity& entity, const Token& id) const noexcept;
  void note_extremes(std::uint32_t index, const TokenCodec& codec);
  void make_large(std::uint32_t entity, const TokenCodec& codec);
  void note_in_large(std::uint32_t index, const TokenCodec& codec);
  void place_row(std::uint32_t index, const TokenCodec& codec);
  [[nodiscard]] std::uint64_t row_hash(const Token& id, std::string_view text, std::uint32_t entity,
                                       const TokenCodec& codec) const noexcept;
  void note_seed(std::uint32_t index, const TokenCodec& codec);
  [[nodiscard]] std::uint64_t seed_of(std::uint32_t row) const noexcept {
    return ulid_millis(entities_[rows_[row].entity].key);
  }

  /// Of the rows of one type in a large entity.
  struct Series {
    std::uint8_t type = 0;
    std::uint32_t rows = 0;
    std::uint32_t least = kNone;
    std::uint32_t second = kNone;  ///< the least but one
    std::uint32_t greatest = kNone;
  };
  /// Of a large entity without its series: the vector, with room for growth, and the heap's own.
  static constexpr std::size_t kLargeBytes = 64;

  /// What the table showed, beside the rows themselves.
  struct Table {
    bool shown = false;
    std::optional<Engine> engine;
    std::uint32_t row = kNone;  ///< that says so; kNone: it was put
  };

  /// Below this, a linear search beats the hash table.
  static constexpr std::size_t kLinearMax = 8;

  GrowingArray<Row> rows_;
  GrowingArray<Entity> entities_;
  std::vector<std::uint32_t>
      entity_table_;  ///< open addressing, kNone = free; empty up to kLinearMax entities
  std::vector<std::vector<Series>> large_;
  /// Rows of large entities by id; open addressing, kNone = free.
  std::vector<std::uint32_t> row_table_;
  std::size_t placed_rows_ = 0;
  std::size_t large_bytes_ = 0;  ///< of large_, at most
  std::string spill_;
  std::uint32_t run_end_ = kNone;
  std::uint32_t first_slot_ = kNone;
  std::uint32_t first_other_ = kNone;
  std::uint32_t greatest_ = kNone;
  std::uint32_t seed_ = kNone;
  std::uint32_t other_seed_ = kNone;
  std::size_t open_entities_ = 0;
  Table table_;
};

/// Rows that this thread has looked at beyond those that arrived, in all logs: what a test holds against the
/// number of rows that came.
[[nodiscard]] std::uint64_t& rows_looked_at() noexcept;

/// One bit for each listed type; none for an unlisted one.
[[nodiscard]] constexpr std::uint64_t type_bit(std::uint8_t type) noexcept {
  return type < Profile::kTypesMax ? std::uint64_t{1} << type : 0;
}
/// Encodes several nullable values as one string, injectively: 'n' or 't' + 8 hex digits of length + bytes.
void append_tuple_value(std::string& out, const decoder::Value& value);

}  // namespace dupwatch::core
