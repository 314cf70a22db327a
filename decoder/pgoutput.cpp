#include "decoder/pgoutput.hpp"

#include <fmt/format.h>

#include <tuple>
#include <unordered_map>

#include "decoder/cursor.hpp"
#include "decoder/timestamp.hpp"
#include "decoder/watched.hpp"

namespace dupwatch::decoder {
namespace {

using std::string_view;

DecodeError truncated(const Cursor& in, string_view what) {
  return {DecodeErrorKind::kTruncated, in.offset(), fmt::format("the payload ends inside {}", what)};
}

DecodeError malformed(const Cursor& in, string_view what) {
  return {DecodeErrorKind::kMalformed, in.offset(), std::string(what)};
}

DecodeError sequence(const Cursor& in, string_view what) {
  return {DecodeErrorKind::kSequence, in.offset(), std::string(what)};
}

DecodeResult expect_end(const Cursor& in, string_view what) {
  if (in.empty()) return {};
  return DecodeError{DecodeErrorKind::kTrailing, in.offset(), fmt::format("bytes after {}", what)};
}

/// What a Relation message said about a watched table. Its oid is followed whatever the table is called
/// later, because the publication follows the oid as well.
struct Relation {
  struct Column {
    std::optional<std::size_t> watched;  ///< position among the watched table's columns
    bool key = false;                    ///< part of the replica identity
  };
  std::size_t table = 0;
  std::vector<Column> columns;  ///< in the order in which tuples carry them
};

enum class Tuple : std::uint8_t {
  kNew,     ///< every column counts
  kOldKey,  ///< only key columns count, the plugin sends null for the others
  kOldRow,  ///< every column counts
  kIgnored  ///< checked for its lengths alone
};

class PgoutputDecoder final : public Decoder {
 public:
  explicit PgoutputDecoder(std::vector<WatchedTable> tables) : watched_(std::move(tables)) {}

  DecodeResult decode(std::span<const std::byte> payload, Lsn /*header_lsn*/, ChangeSink& sink) override {
    Cursor in(payload);
    const auto type = in.read_be<std::uint8_t>();
    if (!type) return truncated(in, "its type");
    switch (*type) {
      case 'B':
        return begin(in, sink);
      case 'C':
        return commit(in, sink);
      case 'R':
        return relation(in, sink);
      case 'I':
        return insert(in, sink);
      case 'U':
        return update(in, sink);
      case 'D':
        return remove(in, sink);
      case 'T':
        return truncate(in, sink);
      case 'M':
        return message(in, sink);
      case 'Y':
        return type_name(in);
      case 'O':
        return origin(in);
      default:
        return DecodeError{DecodeErrorKind::kUnknown, 0, fmt::format("unknown message type 0x{:02x}", *type)};
    }
  }

 private:
  DecodeResult begin(Cursor& in, ChangeSink& sink);
  DecodeResult commit(Cursor& in, ChangeSink& sink);
  DecodeResult relation(Cursor& in, ChangeSink& sink);
  DecodeResult insert(Cursor& in, ChangeSink& sink);
  DecodeResult update(Cursor& in, ChangeSink& sink);
  DecodeResult remove(Cursor& in, ChangeSink& sink);
  DecodeResult truncate(Cursor& in, ChangeSink& sink);
  DecodeResult message(Cursor& in, ChangeSink& sink) const;
  static DecodeResult type_name(Cursor& in);
  static DecodeResult origin(Cursor& in);

  /// Reads the oid that starts every row message. `found` stays null for a relation that is not watched.
  DecodeResult read_relation_of_row(Cursor& in, const Relation*& found) const;
  DecodeResult read_columns(Cursor& in, Relation& relation) const;
  DecodeResult read_tuple(Cursor& in, const Relation& relation, Tuple use);

  Watched watched_;
  /// Every relation described so far, watched or not; one entry per table of the publication. A row of a
  /// relation that is not here can't be told from a row of a watched one, so it is an error.
  std::unordered_map<std::uint32_t, std::optional<Relation>> relations_;
  bool in_transaction_ = false;
};

DecodeResult PgoutputDecoder::begin(Cursor& in, ChangeSink& sink) {
  const auto final_lsn = in.read_be<std::uint64_t>();
  const auto commit_time = in.read_be<std::int64_t>();
  const auto xid = in.read_be<std::uint32_t>();
  if (!final_lsn || !commit_time || !xid) return truncated(in, "Begin");
  if (auto error = expect_end(in, "Begin")) return error;
  const auto time = timestamp_from_wire(*commit_time);
  if (!time) return malformed(in, "commit time out of range");
  if (in_transaction_) return sequence(in, "Begin within a transaction");
  in_transaction_ = true;
  sink.on_begin(Begin{*xid, *time, Lsn{*final_lsn}});
  return {};
}

DecodeResult PgoutputDecoder::commit(Cursor& in, ChangeSink& sink) {
  const auto flags = in.read_be<std::uint8_t>();  // unused so far, the server sends 0
  const auto commit_lsn = in.read_be<std::uint64_t>();
  const auto end_lsn = in.read_be<std::uint64_t>();
  const auto commit_time = in.read_be<std::int64_t>();
  if (!flags || !commit_lsn || !end_lsn || !commit_time) return truncated(in, "Commit");
  if (auto error = expect_end(in, "Commit")) return error;
  const auto time = timestamp_from_wire(*commit_time);
  if (!time) return malformed(in, "commit time out of range");
  if (!in_transaction_) return sequence(in, "Commit without Begin");
  in_transaction_ = false;
  sink.on_commit(Commit{Lsn{*commit_lsn}, Lsn{*end_lsn}, *time});
  return {};
}

DecodeResult PgoutputDecoder::read_columns(Cursor& in, Relation& relation) const {
  const auto count = in.read_be<std::uint16_t>();
  if (!count) return truncated(in, "Relation");
  for (unsigned i = 0; i < *count; ++i) {
    const auto flags = in.read_be<std::uint8_t>();
    const auto name = in.read_cstring();
    const auto type_oid = in.read_be<std::uint32_t>();
    const auto type_modifier = in.read_be<std::int32_t>();
    if (!flags || !name || !type_oid || !type_modifier) return truncated(in, "a column of Relation");
    relation.columns.push_back({watched_.find_column(relation.table, *name), (*flags & 1U) != 0});
  }
  return expect_end(in, "Relation");
}

DecodeResult PgoutputDecoder::relation(Cursor& in, ChangeSink& sink) {
  const auto oid = in.read_be<std::uint32_t>();
  const auto schema = in.read_cstring();
  const auto name = in.read_cstring();
  const auto replica_identity = in.read_be<std::uint8_t>();
  if (!oid || !schema || !name || !replica_identity) return truncated(in, "Relation");

  // pgoutput writes pg_catalog as the empty string.
  auto table = watched_.find(schema->empty() ? "pg_catalog" : *schema, *name);
  const auto known = relations_.find(*oid);
  if (known != relations_.end() && known->second) table = known->second->table;
  if (!table) {
    relations_[*oid] = std::nullopt;
    return {};
  }

  Relation described{*table, {}};
  if (auto error = read_columns(in, described)) {
    // Reading rows by the old description could put one column's value into another: better to refuse them.
    relations_.erase(*oid);
    return error;
  }
  watched_.start_row(*table);
  for (const auto& column : described.columns) {
    if (column.watched && !watched_.set(*column.watched, Value::null())) {
      relations_.erase(*oid);
      return malformed(in, "Relation names a column twice");
    }
  }
  std::ignore = watched_.finish_row();
  const auto missing = watched_.first_absent();
  relations_[*oid] = std::move(described);
  sink.on_relation(*table, *oid, missing.value_or(string_view{}));
  return {};
}

DecodeResult PgoutputDecoder::read_relation_of_row(Cursor& in, const Relation*& found) const {
  const auto oid = in.read_be<std::uint32_t>();
  if (!oid) return truncated(in, "a relation's oid");
  if (!in_transaction_) return sequence(in, "a row outside a transaction");
  const auto known = relations_.find(*oid);
  if (known == relations_.end()) return sequence(in, "a row of a relation that was not described");
  found = known->second ? &*known->second : nullptr;
  return {};
}

DecodeResult PgoutputDecoder::read_tuple(Cursor& in, const Relation& relation, Tuple use) {
  const auto count = in.read_be<std::uint16_t>();
  if (!count) return truncated(in, "a tuple");
  if (*count != relation.columns.size()) {
    return malformed(
        in, fmt::format("a tuple of {} columns, its relation has {}", *count, relation.columns.size()));
  }
  if (use != Tuple::kIgnored) watched_.start_row(relation.table);
  for (const auto& column : relation.columns) {
    const auto kind = in.read_be<std::uint8_t>();
    if (!kind) return truncated(in, "a tuple");
    Value value;
    switch (*kind) {
      case 'n':
        value = Value::null();
        break;
      case 'u':
        continue;
      case 't':
      case 'b': {
        const auto size = in.read_be<std::uint32_t>();
        if (!size) return truncated(in, "a tuple");
        const auto text = in.read_bytes(*size);
        if (!text) return truncated(in, "a column's value");
        value = Value::of(*text);
        break;
      }
      default:
        return malformed(in, fmt::format("unknown column kind 0x{:02x}", *kind));
    }
    const bool counts = use == Tuple::kNew || use == Tuple::kOldRow || (use == Tuple::kOldKey && column.key);
    if (counts && column.watched) std::ignore = watched_.set(*column.watched, value);
  }
  return {};
}

DecodeResult PgoutputDecoder::insert(Cursor& in, ChangeSink& sink) {
  const Relation* relation = nullptr;
  if (auto error = read_relation_of_row(in, relation)) return error;
  if (relation == nullptr) return {};
  const auto part = in.read_be<std::uint8_t>();
  if (!part) return truncated(in, "Insert");
  if (*part != 'N') return malformed(in, "Insert without a new tuple");
  if (auto error = read_tuple(in, *relation, Tuple::kNew)) return error;
  if (auto error = expect_end(in, "Insert")) return error;
  const Row row = watched_.finish_row();
  if (const auto absent = watched_.first_absent()) {
    return DecodeError{
        DecodeErrorKind::kMissingColumn, in.offset(),
        fmt::format("an inserted row of {}.{} lacks column {}", watched_.table(relation->table).schema,
                    watched_.table(relation->table).name, *absent)};
  }
  sink.on_insert(row);
  return {};
}

DecodeResult PgoutputDecoder::update(Cursor& in, ChangeSink& sink) {
  const Relation* relation = nullptr;
  if (auto error = read_relation_of_row(in, relation)) return error;
  if (relation == nullptr) return {};
  auto part = in.read_be<std::uint8_t>();
  if (!part) return truncated(in, "Update");
  if (*part == 'K' || *part == 'O') {
    if (auto error = read_tuple(in, *relation, Tuple::kIgnored)) return error;
    part = in.read_be<std::uint8_t>();
    if (!part) return truncated(in, "Update");
  }
  if (*part != 'N') return malformed(in, "Update without a new tuple");
  if (auto error = read_tuple(in, *relation, Tuple::kNew)) return error;
  if (auto error = expect_end(in, "Update")) return error;
  sink.on_update(watched_.finish_row());
  return {};
}

DecodeResult PgoutputDecoder::remove(Cursor& in, ChangeSink& sink) {
  const Relation* relation = nullptr;
  if (auto error = read_relation_of_row(in, relation)) return error;
  if (relation == nullptr) return {};
  const auto part = in.read_be<std::uint8_t>();
  if (!part) return truncated(in, "Delete");
  if (*part != 'K' && *part != 'O') return malformed(in, "Delete without an old tuple");
  const auto use = *part == 'K' ? Tuple::kOldKey : Tuple::kOldRow;
  if (auto error = read_tuple(in, *relation, use)) return error;
  if (auto error = expect_end(in, "Delete")) return error;
  sink.on_delete(watched_.finish_row());
  return {};
}

DecodeResult PgoutputDecoder::truncate(Cursor& in, ChangeSink& sink) {
  const auto count = in.read_be<std::uint32_t>();
  const auto options = in.read_be<std::uint8_t>();  // CASCADE, RESTART IDENTITY
  if (!count || !options) return truncated(in, "Truncate");
  if (!in_transaction_) return sequence(in, "Truncate outside a transaction");
  // Two passes: nothing may reach the sink before the whole message is known to be good.
  Cursor check = in;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto oid = check.read_be<std::uint32_t>();
    if (!oid) return truncated(check, "Truncate");
    if (!relations_.contains(*oid)) return sequence(check, "Truncate of a relation that was not described");
  }
  if (auto error = expect_end(check, "Truncate")) return error;
  while (const auto oid = in.read_be<std::uint32_t>()) {
    const auto& relation = relations_.find(*oid)->second;
    if (relation) sink.on_truncate(relation->table);
  }
  return {};
}

DecodeResult PgoutputDecoder::message(Cursor& in, ChangeSink& sink) const {
  const auto flags = in.read_be<std::uint8_t>();
  const auto lsn = in.read_be<std::uint64_t>();
  const auto prefix = in.read_cstring();
  const auto size = in.read_be<std::uint32_t>();
  if (!flags || !lsn || !prefix || !size) return truncated(in, "Message");
  const auto content = in.read_bytes(*size);
  if (!content) return truncated(in, "Message");
  if (auto error = expect_end(in, "Message")) return error;
  if (*flags > 1) return malformed(in, "unknown flags of Message");
  const bool transactional = *flags == 1;
  if (transactional && !in_transaction_) return sequence(in, "a transactional Message outside a transaction");
  if (*prefix == kMessagePrefix) sink.on_message(Message{transactional, Lsn{*lsn}, *prefix, *content});
  return {};
}

/// Sent before the first Relation that uses a type of the user's. Nothing here depends on types.
DecodeResult PgoutputDecoder::type_name(Cursor& in) {
  const auto oid = in.read_be<std::uint32_t>();
  const auto schema = in.read_cstring();
  const auto name = in.read_cstring();
  if (!oid || !schema || !name) return truncated(in, "Type");
  return expect_end(in, "Type");
}

/// Sent after Begin of a transaction that came from another server; duplicates count wherever they come from.
DecodeResult PgoutputDecoder::origin(Cursor& in) {
  const auto origin_lsn = in.read_be<std::uint64_t>();
  const auto name = in.read_cstring();
  if (!origin_lsn || !name) return truncated(in, "Origin");
  return expect_end(in, "Origin");
}

}  // namespace

std::unique_ptr<Decoder> make_pgoutput_decoder(std::vector<WatchedTable> tables) {
  return std::make_unique<PgoutputDecoder>(std::move(tables));
}

std::vector<std::pair<std::string, std::string>> pgoutput_options(string_view publication) {
  // The option is a list of SQL identifiers, folded to lower case unless quoted.
  std::string quoted = "\"";
  for (const char c : publication) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  return {{"proto_version", "1"}, {"publication_names", std::move(quoted)}, {"messages", "true"}};
}

}  // namespace dupwatch::decoder
