#include "decoder/wal2json.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <deque>

#include "decoder/json_extent.hpp"
#include "decoder/json_reader.hpp"
#include "decoder/timestamp.hpp"
#include "decoder/wal2json_value.hpp"
#include "decoder/watched.hpp"

namespace dupwatch::decoder {
namespace {

using std::string_view;
using Step = JsonReader::Step;

/// Memory that one payload of a huge row has grown is given back above this size.
constexpr std::size_t kRetainedBytesMax = std::size_t{16} << 20U;

/// What one payload says, before it is checked for completeness. A view without data is a field that is
/// missing or null.
struct Fields {
  string_view action;
  string_view xid;
  string_view timestamp;
  string_view lsn;
  string_view next_lsn;
  string_view schema;
  string_view table;
  string_view prefix;
  string_view content;
  std::optional<bool> transactional;
  std::optional<std::size_t> watched_table;
  bool has_row = false;  ///< the watched row under construction belongs to this payload
};

/// Equality with a literal, in a few instructions; the operator calls memcmp() for it.
template <std::size_t N>
bool is(string_view text, const char (&literal)[N]) noexcept {
  return text.size() == N - 1 && std::memcmp(text.data(), literal, N - 1) == 0;
}

class Wal2jsonDecoder final : public Decoder {
 public:
  explicit Wal2jsonDecoder(std::vector<WatchedTable> tables) : watched_(std::move(tables)) {}

  DecodeResult decode(std::span<const std::byte> payload, Lsn header_lsn, ChangeSink& sink) override {
    payload_ = {reinterpret_cast<const char*>(payload.data()), payload.size()};
    json_.start(payload_);
    Fields fields;
    auto result = read_payload(fields);
    if (!result) result = dispatch(fields, header_lsn, sink);
    if (payload.size() > kRetainedBytesMax) json_.release();
    return result;
  }

 private:
  DecodeResult read_payload(Fields& fields);
  DecodeResult read_usual_fields(Fields& fields);
  DecodeResult read_field(Fields& fields, string_view key);
  DecodeResult read_columns(Fields& fields);
  /// A column whose object is being read.
  struct Column {
    bool named = false;
    std::optional<std::size_t> index;  ///< among the watched ones
  };
  DecodeResult read_column(const Fields& fields);
  DecodeResult read_name(const Fields& fields, Column& column);
  DecodeResult read_value(const Fields& fields, const Column& column);
  DecodeResult skip_rest();
  DecodeResult read_text(string_view& text);
  DecodeResult read_text_or_null(string_view& text);
  DecodeResult read_boolean(std::optional<bool>& value);
  DecodeResult read_scalar(Value& out);

  DecodeResult dispatch(const Fields& fields, Lsn header_lsn, ChangeSink& sink);
  DecodeResult begin(const Fields& fields, ChangeSink& sink);
  DecodeResult commit(const Fields& fields, ChangeSink& sink);
  DecodeResult row(const Fields& fields, ChangeSink& sink);
  DecodeResult message(const Fields& fields, Lsn header_lsn, ChangeSink& sink) const;

  /// Bad JSON: what is wrong with the payload as a whole, else `what` where the reader stopped.
  [[nodiscard]] DecodeResult bad_json(string_view what) const;
  [[nodiscard]] DecodeResult malformed(string_view at, string_view what) const;
  /// An error about the payload as a whole.
  [[nodiscard]] DecodeResult rejected(DecodeErrorKind kind, string_view what) const;

  Value as_sql_writes_bytea(std::size_t column, string_view text);

  Watched watched_;
  JsonReader json_;
  /// Of the row under construction, by column; a deque, since values point into it.
  std::deque<std::string> bytea_texts_;
  string_view payload_;
  bool in_transaction_ = false;
};

DecodeResult Wal2jsonDecoder::bad_json(string_view what) const {
  const auto extent = measure_json_object(payload_);
  switch (extent.kind) {
    case JsonExtent::Kind::kOpen:
      return DecodeError{DecodeErrorKind::kTruncated, extent.offset, "the JSON object is not closed"};
    case JsonExtent::Kind::kTrailing:
      return DecodeError{DecodeErrorKind::kTrailing, extent.offset, "bytes after the JSON object"};
    case JsonExtent::Kind::kNoObject:
      return DecodeError{DecodeErrorKind::kMalformed, extent.offset, "not a JSON object"};
    case JsonExtent::Kind::kClosed:
      break;
  }
  return DecodeError{DecodeErrorKind::kMalformed, json_.offset(), std::string(what)};
}

DecodeResult Wal2jsonDecoder::malformed(string_view at, string_view what) const {
  // Text that was unescaped lies elsewhere; its place is not worth carrying along.
  const bool inside = at.data() >= payload_.data() && at.data() <= payload_.data() + payload_.size();
  const auto offset = inside ? static_cast<std::size_t>(at.data() - payload_.data()) : 0;
  return DecodeError{DecodeErrorKind::kMalformed, offset, std::string(what)};
}

DecodeResult Wal2jsonDecoder::rejected(DecodeErrorKind kind, string_view what) const {
  return DecodeError{kind, payload_.size(), std::string(what)};
}

DecodeResult Wal2jsonDecoder::read_payload(Fields& fields) {
  if (json_.take("{\"action\":")) {
    if (auto error = read_usual_fields(fields)) return error;
  } else if (!json_.enter_object()) {
    return bad_json("not a JSON object");
  }
  for (;;) {
    string_view key;
    switch (json_.next_member(key)) {
      case Step::kError:
        return bad_json("found no key, comma or end of the object where one belongs");
      case Step::kEnd:
        return json_.at_end() ? DecodeResult{} : bad_json("bytes after the JSON object");
      case Step::kItem:
        if (auto error = read_field(fields, key)) return error;
    }
  }
}

/// The first fields in wal2json's own order, without looking for keys and their ends; what differs is left to
/// the caller.
DecodeResult Wal2jsonDecoder::read_usual_fields(Fields& fields) {
  if (auto error = read_text(fields.action)) return error;
  if (json_.take(",\"xid\":") && !json_.read_token(fields.xid)) return bad_json("xid is no number");
  const std::array<std::pair<string_view, string_view*>, 5> texts{{{",\"timestamp\":", &fields.timestamp},
                                                                   {",\"lsn\":", &fields.lsn},
                                                                   {",\"nextlsn\":", &fields.next_lsn},
                                                                   {",\"schema\":", &fields.schema},
                                                                   {",\"table\":", &fields.table}}};
  for (const auto& [key, text] : texts) {
    if (!json_.take(key)) continue;
    if (auto error = read_text_or_null(*text)) return error;
  }
  if (!json_.take(",\"columns\":")) return {};
  return read_field(fields, "columns");
}

DecodeResult Wal2jsonDecoder::read_field(Fields& fields, string_view key) {
  if (is(key, "action")) return read_text(fields.action);
  if (is(key, "xid")) return json_.read_token(fields.xid) ? DecodeResult{} : bad_json("xid is no number");
  if (is(key, "timestamp")) return read_text_or_null(fields.timestamp);
  if (is(key, "lsn")) return read_text(fields.lsn);
  if (is(key, "nextlsn")) return read_text(fields.next_lsn);
  if (is(key, "schema")) return read_text(fields.schema);
  if (is(key, "table")) return read_text(fields.table);
  if (is(key, "columns") && fields.action != "D") return read_columns(fields);
  if (is(key, "identity") && fields.action == "D") return read_columns(fields);
  if (is(key, "prefix")) return read_text(fields.prefix);
  if (is(key, "content")) return read_text(fields.content);
  if (is(key, "transactional")) return read_boolean(fields.transactional);
  return json_.skip_value() ? DecodeResult{} : bad_json("a field has no value");
}

DecodeResult Wal2jsonDecoder::read_columns(Fields& fields) {
  if (fields.has_row) return bad_json("the columns are given twice");
  // wal2json writes these first. Were it to change that, rows must not be skipped as those of another table.
  if (fields.action.data() == nullptr || fields.schema.data() == nullptr || fields.table.data() == nullptr) {
    return bad_json("columns before the action and the table's name");
  }
  const auto table = watched_.find(fields.schema, fields.table);
  if (!table) return json_.skip_value() ? DecodeResult{} : bad_json("the columns have no value");
  fields.watched_table = table;
  fields.has_row = true;
  watched_.start_row(*table);
  if (!json_.enter_array()) return bad_json("the columns are not an array");
  for (;;) {
    switch (json_.next_element()) {
      case Step::kError:
        return bad_json("found no comma or end of the columns where one belongs");
      case Step::kEnd:
        return {};
      case Step::kItem:
        if (auto error = read_column(fields)) return error;
    }
  }
}

DecodeResult Wal2jsonDecoder::read_column(const Fields& fields) {
  Column column;
  // wal2json's own spelling, without looking for keys and their ends.
  if (json_.take("{\"name\":")) {
    if (auto error = read_name(fields, column)) return error;
    if (!column.index) return skip_rest();
    if (json_.take(",\"value\":")) {
      if (auto error = read_value(fields, column)) return error;
      if (json_.take("}")) return {};
    }
  } else if (!json_.enter_object()) {
    return bad_json("a column is not an object");
  }
  for (;;) {
    string_view key;
    const auto step = json_.next_member(key);
    if (step == Step::kError) return bad_json("found no key, comma or end of a column where one belongs");
    if (step == Step::kEnd) return column.named ? DecodeResult{} : bad_json("a column without a name");
    if (is(key, "name")) {
      if (auto error = read_name(fields, column)) return error;
      if (!column.index) return skip_rest();
    } else if (is(key, "value")) {
      if (auto error = read_value(fields, column)) return error;
    } else if (!json_.skip_value()) {
      return bad_json("a column's field has no value");
    }
  }
}

DecodeResult Wal2jsonDecoder::read_name(const Fields& fields, Column& column) {
  string_view name;
  if (auto error = read_text(name)) return error;
  if (column.named) return bad_json("a column with two names");
  column.named = true;
  column.index = watched_.find_column(*fields.watched_table, name);
  return {};
}

DecodeResult Wal2jsonDecoder::read_value(const Fields& fields, const Column& column) {
  if (!column.named) return bad_json("a column's value before its name");
  Value value;
  if (auto error = read_scalar(value)) return error;
  if (value.kind == Value::Kind::kText && watched_.is_bytea(*fields.watched_table, *column.index)) {
    value = as_sql_writes_bytea(*column.index, value.text);
  }
  return watched_.set(*column.index, value) ? DecodeResult{} : bad_json("a column is given twice");
}

/// wal2json leaves out the first two characters of a value of type bytea itself, not of a domain or an array
/// of it (wal2json.c, print_quoted by type oid). bytea_output is hex in every session of ours.
Value Wal2jsonDecoder::as_sql_writes_bytea(std::size_t column, string_view text) {
  if (text.starts_with('\\') || text.starts_with('{')) return Value::of(text);
  if (bytea_texts_.size() <= column) bytea_texts_.resize(column + 1);
  bytea_texts_[column].assign("\\x").append(text);
  return Value::of(bytea_texts_[column]);
}

/// The payload columns end here.
DecodeResult Wal2jsonDecoder::skip_rest() {
  return json_.leave_object() ? DecodeResult{} : bad_json("a column is not closed");
}

DecodeResult Wal2jsonDecoder::read_text(string_view& text) {
  return json_.read_string(text) ? DecodeResult{} : bad_json("found no good string where one belongs");
}

DecodeResult Wal2jsonDecoder::read_text_or_null(string_view& text) {
  if (json_.peek() != 'n') return read_text(text);
  string_view token;
  return json_.read_token(token) && token == "null" ? DecodeResult{}
                                                    : bad_json("found neither a string nor null");
}

DecodeResult Wal2jsonDecoder::read_boolean(std::optional<bool>& value) {
  string_view token;
  if (!json_.read_token(token) || (token != "true" && token != "false")) {
    return bad_json("transactional is not a boolean");
  }
  value = token == "true";
  return {};
}

DecodeResult Wal2jsonDecoder::read_scalar(Value& out) {
  string_view text;
  if (json_.peek() == '"') {
    if (auto error = read_text(text)) return error;
    out = Value::of(text);
    return {};
  }
  if (!json_.read_token(text)) return bad_json("a column's value is missing or no scalar");
  const auto value = scalar_of(text);
  if (!value) return bad_json("a column's value is not a scalar");
  out = *value;
  return {};
}

DecodeResult Wal2jsonDecoder::dispatch(const Fields& fields, Lsn header_lsn, ChangeSink& sink) {
  if (fields.action.data() == nullptr) {
    return rejected(DecodeErrorKind::kUnknown, "no action: not wal2json's format-version 2");
  }
  switch (fields.action.size() == 1 ? fields.action.front() : '\0') {
    case 'B':
      return begin(fields, sink);
    case 'C':
      return commit(fields, sink);
    case 'I':
    case 'U':
    case 'D':
    case 'T':
      return row(fields, sink);
    case 'M':
      return message(fields, header_lsn, sink);
    default:
      return rejected(DecodeErrorKind::kUnknown, "unknown action");
  }
}

DecodeResult Wal2jsonDecoder::begin(const Fields& fields, ChangeSink& sink) {
  const auto xid = xid_of(fields.xid);
  if (!xid) return malformed(fields.xid, "begin without a transaction id");
  const auto time = parse_timestamp(fields.timestamp);
  if (!time) return malformed(fields.timestamp, "begin without a commit time in ISO style");
  const auto lsn = lsn_of(fields.lsn);
  if (!lsn) return malformed(fields.lsn, "begin without an LSN");
  if (in_transaction_) return rejected(DecodeErrorKind::kSequence, "begin within a transaction");
  in_transaction_ = true;
  sink.on_begin(Begin{*xid, *time, *lsn});
  return {};
}

DecodeResult Wal2jsonDecoder::commit(const Fields& fields, ChangeSink& sink) {
  const auto time = parse_timestamp(fields.timestamp);
  if (!time) return malformed(fields.timestamp, "commit without a time in ISO style");
  const auto lsn = lsn_of(fields.lsn);
  if (!lsn) return malformed(fields.lsn, "commit without an LSN");
  const auto end_lsn = lsn_of(fields.next_lsn);
  if (!end_lsn) return malformed(fields.next_lsn, "commit without its end LSN");
  if (!in_transaction_) return rejected(DecodeErrorKind::kSequence, "commit without begin");
  in_transaction_ = false;
  sink.on_commit(Commit{*lsn, *end_lsn, *time});
  return {};
}

DecodeResult Wal2jsonDecoder::row(const Fields& fields, ChangeSink& sink) {
  if (!in_transaction_) return rejected(DecodeErrorKind::kSequence, "a row outside a transaction");
  if (fields.schema.data() == nullptr || fields.table.data() == nullptr) {
    return rejected(DecodeErrorKind::kMalformed, "a row without its table's name");
  }
  const auto table = watched_.find(fields.schema, fields.table);
  if (!table) return {};
  if (fields.action == "T") {
    sink.on_truncate(*table);
    return {};
  }
  if (!fields.has_row || fields.watched_table != table) {
    return rejected(DecodeErrorKind::kMalformed, "a row without columns");
  }
  const Row row = watched_.finish_row();
  if (fields.action == "U") {
    sink.on_update(row);
  } else if (fields.action == "D") {
    sink.on_delete(row);
  } else if (const auto absent = watched_.first_absent()) {
    return rejected(DecodeErrorKind::kMissingColumn,
                    fmt::format("an inserted row of {}.{} lacks column {}", watched_.table(*table).schema,
                                watched_.table(*table).name, *absent));
  } else {
    sink.on_insert(row);
  }
  return {};
}

DecodeResult Wal2jsonDecoder::message(const Fields& fields, Lsn header_lsn, ChangeSink& sink) const {
  if (!fields.transactional || fields.prefix.data() == nullptr || fields.content.data() == nullptr) {
    return rejected(DecodeErrorKind::kMalformed, "a message without transactional, prefix or content");
  }
  const auto lsn = fields.lsn.data() == nullptr ? header_lsn : parse_lsn(fields.lsn);
  if (!lsn) return malformed(fields.lsn, "a message with a bad LSN");
  if (*fields.transactional && !in_transaction_) {
    return rejected(DecodeErrorKind::kSequence, "a transactional message outside a transaction");
  }
  if (fields.prefix == kMessagePrefix) {
    sink.on_message(Message{*fields.transactional, *lsn, fields.prefix, fields.content});
  }
  return {};
}

}  // namespace

std::unique_ptr<Decoder> make_wal2json_decoder(std::vector<WatchedTable> tables) {
  return std::make_unique<Wal2jsonDecoder>(std::move(tables));
}

}  // namespace dupwatch::decoder
