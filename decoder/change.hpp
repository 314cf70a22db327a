#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "decoder/lsn.hpp"

/// What an output plugin says, in one vocabulary for all plugins. Every view points into the decoder's input
/// or scratch memory and is valid only during the call that receives it.
namespace dupwatch::decoder {

/// Microseconds since 1970-01-01 00:00 UTC.
struct Timestamp {
  std::int64_t micros = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): as of Lsn
  friend constexpr auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

/// Transaction id as the plugins print it: 32 bits, wraps around.
using Xid = std::uint32_t;

struct Begin {
  Xid xid = 0;
  Timestamp commit_time;
  /// Start of the commit record for both plugins (pgoutput's final_lsn, wal2json's lsn).
  Lsn commit_lsn;
  friend bool operator==(const Begin&, const Begin&) = default;
};

struct Commit {
  Lsn commit_lsn;
  /// First byte after the commit record: the position to confirm once the transaction is judged.
  Lsn end_lsn;
  Timestamp commit_time;
  friend bool operator==(const Commit&, const Commit&) = default;
};

struct TableName {
  std::string_view schema;
  std::string_view name;
  friend bool operator==(const TableName&, const TableName&) = default;
};

/// One column of a row. `absent` covers what the plugin did not send: an unchanged TOAST value, or a column
/// outside the publication's list.
struct Value {
  enum class Kind : std::uint8_t { kAbsent, kNull, kText };
  Kind kind = Kind::kAbsent;
  std::string_view text;  ///< Postgres' text form; for binary varchar/text the same bytes.

  [[nodiscard]] static constexpr Value absent() noexcept { return {}; }
  [[nodiscard]] static constexpr Value null() noexcept { return {Kind::kNull, {}}; }
  [[nodiscard]] static constexpr Value of(std::string_view text) noexcept { return {Kind::kText, text}; }
  friend bool operator==(const Value&, const Value&) = default;
};

/// Columns of interest of one row of a watched table, in the order of TableSpec::columns.
struct Row {
  std::size_t table = 0;  ///< Index into the specs the decoder was made with.
  std::span<const Value> values;
};

struct Message {
  bool transactional = false;
  Lsn lsn;
  std::string_view prefix;
  std::string_view content;
};

/// A watched table and the columns to extract from it. Columns that a row carries beyond these are skipped.
struct TableSpec {
  std::string_view schema;
  std::string_view name;
  std::span<const std::string_view> columns;
};

/// Receives a decoder's output. Called on the thread that calls Decoder::decode, in stream order.
class ChangeSink {
 public:
  ChangeSink() = default;
  ChangeSink(const ChangeSink&) = delete;
  ChangeSink& operator=(const ChangeSink&) = delete;
  virtual ~ChangeSink() = default;

  virtual void on_begin(const Begin& begin) = 0;
  virtual void on_commit(const Commit& commit) = 0;
  virtual void on_insert(const Row& row) = 0;
  /// The new row; columns may be absent (unchanged TOAST).
  virtual void on_update(const Row& row) = 0;
  /// The old row's key columns; the others are absent.
  virtual void on_delete(const Row& row) = 0;
  virtual void on_truncate(std::size_t table) = 0;
  virtual void on_message(const Message& message) = 0;
  /// The plugin described a watched table anew (pgoutput's Relation message): its columns may have changed.
  /// `missing` is the first watched column that the description lacks, empty when all are there.
  virtual void on_relation(std::size_t table, std::uint32_t relation_oid, std::string_view missing) = 0;
};

}  // namespace dupwatch::decoder
