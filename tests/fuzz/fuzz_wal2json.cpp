#include <simdjson.h>

#include <cstdint>
#include <optional>

#include "tests/fuzz/checking_sink.hpp"

namespace {

using namespace dupwatch;
using simdjson::dom::element;
using std::string_view;

/// One column as a complete JSON parser sees it; numbers are left out because it does not keep their text.
std::optional<decoder::Value> dom_value(element value) {
  if (value.is_null()) return decoder::Value::null();
  if (value.is_string()) return decoder::Value::of(value.get_string().value_unsafe());
  if (value.is_bool()) return decoder::Value::of(value.get_bool().value_unsafe() ? "t" : "f");
  return std::nullopt;
}

/// The field of this name if there is exactly one: of two, either parser may take its own.
std::optional<element> only_field(element object, string_view name) {
  simdjson::dom::object fields;
  if (object.get(fields) != simdjson::SUCCESS) return std::nullopt;
  std::optional<element> found;
  for (const auto field : fields) {
    if (field.key != name) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

/// Compares one inserted row with what a complete parser reads from the payload.
class DomCheck final : public decoder::ChangeSink {
 public:
  explicit DomCheck(element root) : root_(root) {}

  void on_begin(const decoder::Begin&) override {}
  void on_commit(const decoder::Commit&) override {}
  void on_update(const decoder::Row&) override {}
  void on_delete(const decoder::Row&) override {}
  void on_truncate(std::size_t) override {}
  void on_message(const decoder::Message&) override {}
  void on_relation(std::size_t, std::uint32_t, string_view) override {}

  void on_insert(const decoder::Row& row) override {
    const auto& table = fuzz::watched_tables()[row.table];
    const auto field = only_field(root_, "columns");
    simdjson::dom::array columns;
    if (!field) return;
    fuzz::require(field->get(columns) == simdjson::SUCCESS, "an inserted row has columns");
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      for (const auto column : columns) {
        const auto name = only_field(column, "name");
        const auto value = only_field(column, "value");
        if (!name || !name->is_string() || !value || name->get_string().value_unsafe() != table.columns[i])
          continue;
        const auto expected = dom_value(*value);
        fuzz::require(!expected || *expected == row.values[i], "a column has the value the JSON gives it");
      }
    }
  }

 private:
  element root_;
};

/// Whatever a complete parser accepts, the decoder reads the same from it. Not the other way round: the
/// decoder steps over what it does not need without checking it.
void check_against_dom(std::span<const string_view> payloads) {
  static simdjson::dom::parser parser;
  const auto decoder = make_decoder(decoder::Plugin::kWal2json, fuzz::watched_tables());
  const string_view begin =
      R"({"action":"B","xid":1,"timestamp":"2026-11-24 05:21:38+00","lsn":"0/1","nextlsn":"0/2"})";
  for (const auto payload : payloads) {
    element root;
    if (parser.parse(payload.data(), payload.size()).get(root) != simdjson::SUCCESS) continue;
    DomCheck check(root);
    // An error, and without effect, when the transaction is open already.
    std::ignore = decoder->decode(std::as_bytes(std::span(begin)), decoder::Lsn{1}, check);
    std::ignore = decoder->decode(std::as_bytes(std::span(payload)), decoder::Lsn{1}, check);
  }
}

}  // namespace

/// The input is a stream of payloads separated by line feeds, which wal2json itself never writes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  std::vector<string_view> payloads;
  for (string_view rest = input; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    payloads.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  fuzz::check_stream(decoder::Plugin::kWal2json, payloads);
  check_against_dom(payloads);
  return 0;
}
