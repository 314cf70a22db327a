#include "decoder/wal2json.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "decoder/json_extent.hpp"
#include "decoder/timestamp.hpp"
#include "decoder/watched.hpp"

namespace dupwatch::decoder {
namespace {

namespace ondemand = simdjson::ondemand;
using std::string_view;

/// Buffers that one payload of a huge row has grown are given back above this size.
constexpr std::size_t kRetainedBytesMax = std::size_t{16} << 20U;
constexpr std::size_t kCapacityMin = std::size_t{16} << 10U;

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

class Wal2jsonDecoder final : public Decoder {
 public:
  explicit Wal2jsonDecoder(std::vector<WatchedTable> tables) : watched_(std::move(tables)) {}

  DecodeResult decode(std::span<const std::byte> payload, Lsn header_lsn, ChangeSink& sink) override {
    load(payload);
    Fields fields;
    auto result = read_payload(fields);
    if (!result) result = dispatch(fields, header_lsn, sink);
    if (capacity_ > kRetainedBytesMax) release();
    return result;
  }

 private:
  /// Copies the payload to where simdjson may read past its end.
  void load(std::span<const std::byte> payload);
  void release() noexcept;

  DecodeResult read_payload(Fields& fields);
  DecodeResult read_field(Fields& fields, ondemand::field field);
  DecodeResult read_columns(Fields& fields, ondemand::value value);
  DecodeResult read_column(const Fields& fields, ondemand::object column);
  /// A string's contents, in the buffer where possible, else unescaped into the parser's scratch memory.
  DecodeResult read_text(ondemand::value value, string_view& text);
  DecodeResult read_text_or_null(ondemand::value value, string_view& text);
  DecodeResult read_value(ondemand::value value, Value& out);

  DecodeResult dispatch(const Fields& fields, Lsn header_lsn, ChangeSink& sink);
  DecodeResult begin(const Fields& fields, ChangeSink& sink);
  DecodeResult commit(const Fields& fields, ChangeSink& sink);
  DecodeResult row(const Fields& fields, ChangeSink& sink);
  DecodeResult message(const Fields& fields, Lsn header_lsn, ChangeSink& sink) const;

  [[nodiscard]] DecodeResult json_error(simdjson::error_code code) const;
  [[nodiscard]] DecodeResult malformed(string_view at, string_view what) const;
  /// An error about the payload as a whole.
  [[nodiscard]] DecodeResult rejected(DecodeErrorKind kind, string_view what) const;

  Watched watched_;
  ondemand::parser parser_;
  ondemand::document document_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;  ///< of the buffer without its padding, and of the parser
  std::size_t size_ = 0;
  bool in_transaction_ = false;
};

/// The token's bytes without the white space up to the next one.
string_view token_of(ondemand::value& value) noexcept {
  auto token = value.raw_json_token();
  while (!token.empty() && is_json_space(token.back())) token.remove_suffix(1);
  return token;
}

void Wal2jsonDecoder::load(std::span<const std::byte> payload) {
  size_ = payload.size();
  if (size_ > capacity_ || !buffer_) {
    release();
    // Doubling: a stream of slowly growing rows must not allocate for each of them.
    const auto capacity = std::max(kCapacityMin, size_ + size_ / 2);
    buffer_ = std::make_unique<char[]>(capacity + simdjson::SIMDJSON_PADDING);
    if (parser_.allocate(capacity) != simdjson::SUCCESS) throw std::bad_alloc();
    capacity_ = capacity;
  }
  if (size_ != 0) std::memcpy(buffer_.get(), payload.data(), size_);
  std::memset(buffer_.get() + size_, ' ', simdjson::SIMDJSON_PADDING);
}

void Wal2jsonDecoder::release() noexcept {
  document_ = ondemand::document();
  parser_ = ondemand::parser();
  buffer_.reset();
  capacity_ = 0;
}

DecodeResult Wal2jsonDecoder::json_error(simdjson::error_code code) const {
  const auto extent = measure_json_object({buffer_.get(), size_});
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
  return DecodeError{DecodeErrorKind::kMalformed, 0, simdjson::error_message(code)};
}

DecodeResult Wal2jsonDecoder::malformed(string_view at, string_view what) const {
  // Text that was unescaped lies elsewhere; its place is not worth carrying along.
  const bool inside = at.data() >= buffer_.get() && at.data() <= buffer_.get() + size_;
  const auto offset = inside ? static_cast<std::size_t>(at.data() - buffer_.get()) : 0;
  return DecodeError{DecodeErrorKind::kMalformed, offset, std::string(what)};
}

DecodeResult Wal2jsonDecoder::rejected(DecodeErrorKind kind, string_view what) const {
  return DecodeError{kind, size_, std::string(what)};
}

DecodeResult Wal2jsonDecoder::read_payload(Fields& fields) {
  ondemand::object object;
  if (const auto code =
          parser_.iterate(buffer_.get(), size_, size_ + simdjson::SIMDJSON_PADDING).get(document_)) {
    return json_error(code);
  }
  if (const auto code = document_.get_object().get(object)) return json_error(code);
  for (auto result : object) {
    if (const auto code = result.error()) return json_error(code);
    ondemand::field field = result.value_unsafe();
    if (auto error = read_field(fields, field)) return error;
  }
  if (document_.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return json_error(simdjson::TRAILING_CONTENT);
  return {};
}

DecodeResult Wal2jsonDecoder::read_field(Fields& fields, ondemand::field field) {
  const auto key = field.key();
  auto& value = field.value();
  if (key == "action") return read_text(value, fields.action);
  if (key == "xid") {
    fields.xid = token_of(value);
    return {};
  }
  if (key == "timestamp") return read_text_or_null(value, fields.timestamp);
  if (key == "lsn") return read_text(value, fields.lsn);
  if (key == "nextlsn") return read_text(value, fields.next_lsn);
  if (key == "schema") return read_text(value, fields.schema);
  if (key == "table") return read_text(value, fields.table);
  if (key == "columns" && fields.action != "D") return read_columns(fields, value);
  if (key == "identity" && fields.action == "D") return read_columns(fields, value);
  if (key == "prefix") return read_text(value, fields.prefix);
  if (key == "content") return read_text(value, fields.content);
  if (key == "transactional") {
    const auto token = token_of(value);
    if (token != "true" && token != "false") return malformed(token, "transactional is not a boolean");
    fields.transactional = token == "true";
  }
  return {};
}

DecodeResult Wal2jsonDecoder::read_columns(Fields& fields, ondemand::value value) {
  const auto token = token_of(value);
  if (fields.has_row) return malformed(token, "the columns are given twice");
  // wal2json writes these first. Were it to change that, rows must not be skipped as those of another table.
  if (fields.action.data() == nullptr || fields.schema.data() == nullptr || fields.table.data() == nullptr) {
    return malformed(token, "columns before the action and the table's name");
  }
  const auto table = watched_.find(fields.schema, fields.table);
  if (!table) return {};
  fields.watched_table = table;
  fields.has_row = true;
  watched_.start_row(*table);
  ondemand::array columns;
  if (value.get_array().get(columns) != simdjson::SUCCESS)
    return malformed(token, "the columns are not an array");
  for (auto result : columns) {
    ondemand::object column;
    if (const auto code = result.get_object().get(column)) return json_error(code);
    if (auto error = read_column(fields, column)) return error;
  }
  return {};
}

DecodeResult Wal2jsonDecoder::read_column(const Fields& fields, ondemand::object column) {
  std::optional<std::size_t> index;
  bool named = false;
  for (auto result : column) {
    if (const auto code = result.error()) return json_error(code);
    ondemand::field field = result.value_unsafe();
    const auto key = field.key();
    if (key == "name") {
      string_view name;
      if (auto error = read_text(field.value(), name)) return error;
      if (named) return malformed(name, "a column with two names");
      named = true;
      index = watched_.find_column(*fields.watched_table, name);
      // The payload columns end here: the array's iterator steps over the rest without looking at it.
      if (!index) return {};
    } else if (key == "value") {
      const auto token = token_of(field.value());
      if (!named) return malformed(token, "a column's value before its name");
      Value value;
      if (auto error = read_value(field.value(), value)) return error;
      if (!watched_.set(*index, value)) return malformed(token, "a column is given twice");
    }
  }
  return named ? DecodeResult{} : malformed({}, "a column without a name");
}

DecodeResult Wal2jsonDecoder::read_text(ondemand::value value, string_view& text) {
  const auto token = token_of(value);
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') {
    return malformed(token, "found no string where one belongs");
  }
  const auto inner = token.substr(1, token.size() - 2);
  if (inner.find('\\') == string_view::npos) {
    text = inner;
    return {};
  }
  if (const auto code = value.get_string().get(text)) return json_error(code);
  return {};
}

DecodeResult Wal2jsonDecoder::read_text_or_null(ondemand::value value, string_view& text) {
  return token_of(value) == "null" ? DecodeResult{} : read_text(value, text);
}

DecodeResult Wal2jsonDecoder::read_value(ondemand::value value, Value& out) {
  const auto token = token_of(value);
  if (token.empty()) return malformed(token, "a column's value is missing");
  if (token.front() == '"') {
    string_view text;
    if (auto error = read_text(value, text)) return error;
    out = Value::of(text);
  } else if (token == "null") {
    out = Value::null();
  } else if (token == "true") {
    out = Value::of("t");
  } else if (token == "false") {
    out = Value::of("f");
  } else if (token.find_first_not_of("0123456789+-eE.") == string_view::npos) {
    // The same test by which wal2json decides to print without quotes.
    out = Value::of(token);
  } else {
    return malformed(token, "a column's value is not a scalar");
  }
  return {};
}

std::optional<Lsn> lsn_of(string_view text) noexcept {
  return text.data() == nullptr ? std::nullopt : parse_lsn(text);
}

std::optional<Xid> xid_of(string_view text) noexcept {
  Xid xid = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, xid);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return xid;
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
