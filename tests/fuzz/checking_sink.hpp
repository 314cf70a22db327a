#pragma once

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/decoder.hpp"
#include "tests/unit/decoder/change_text.hpp"

namespace dupwatch::fuzz {

/// Ends the process with a message that libFuzzer prints above the input. In every build: a property that
/// only debug builds check would not be checked by the fuzzer.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property violated: %s\n", property);
  std::abort();
}

/// Checks what every sink may rely on, and records what it was told.
class CheckingSink final : public decoder::ChangeSink {
 public:
  explicit CheckingSink(const std::vector<decoder::WatchedTable>& tables) : tables_(tables) {}

  [[nodiscard]] const std::string& text() const noexcept { return text_.text(); }
  [[nodiscard]] bool in_transaction() const noexcept { return in_transaction_; }
  [[nodiscard]] std::size_t calls() const noexcept { return calls_; }

  void on_begin(const decoder::Begin& begin) override {
    ++calls_;
    require(!in_transaction_, "a transaction begins when none is open");
    in_transaction_ = true;
    text_.on_begin(begin);
  }
  void on_commit(const decoder::Commit& commit) override {
    ++calls_;
    require(in_transaction_, "only an open transaction commits");
    in_transaction_ = false;
    text_.on_commit(commit);
  }
  void on_insert(const decoder::Row& row) override {
    check(row);
    for (const auto& value : row.values) {
      require(value.kind != decoder::Value::Kind::kAbsent, "an inserted row has all its columns");
    }
    text_.on_insert(row);
  }
  void on_update(const decoder::Row& row) override {
    check(row);
    text_.on_update(row);
  }
  void on_delete(const decoder::Row& row) override {
    check(row);
    text_.on_delete(row);
  }
  void on_truncate(std::size_t table) override {
    ++calls_;
    require(in_transaction_ && table < tables_.size(), "a truncated table is watched");
    text_.on_truncate(table);
  }
  void on_message(const decoder::Message& message) override {
    ++calls_;
    require(message.prefix == decoder::kMessagePrefix, "only our messages arrive");
    require(in_transaction_ || !message.transactional, "a transactional message is in a transaction");
    text_.on_message(message);
  }
  void on_relation(std::size_t table, std::uint32_t oid, std::string_view missing) override {
    ++calls_;
    require(table < tables_.size(), "a described table is watched");
    text_.on_relation(table, oid, missing);
  }

 private:
  void check(const decoder::Row& row) {
    ++calls_;
    require(in_transaction_, "a row is in a transaction");
    require(row.table < tables_.size(), "a row's table is watched");
    require(row.values.size() == tables_[row.table].columns.size(), "a row has the columns of its table");
    for (const auto& value : row.values) {
      require(value.kind == decoder::Value::Kind::kText || value.text.empty(), "only text has text");
    }
  }

  const std::vector<decoder::WatchedTable>& tables_;
  decoder::ChangeText text_{/*with_relations=*/true};
  bool in_transaction_ = false;
  std::size_t calls_ = 0;
};

inline const std::vector<decoder::WatchedTable>& watched_tables() {
  static const std::vector<decoder::WatchedTable> tables = {
      {"workflow", "workflow_events", {"run_id", "id", "correlation_id", "type"}},
      {"Od d.S,c*", "T \"q\" \\\xc3\xa9", {"B,1", "a\"b", "new\nline", "a\"b"}},
      {"workflow", "toasted", {"id", "payload"}}};
  return tables;
}

/// Decodes the payloads with one decoder and checks after each of them; returns what the sink was told, with
/// the errors in their places. `warm_up` is fed first and must be an error that leaves no trace.
inline std::string decode_all(decoder::Plugin plugin, std::span<const std::string_view> payloads,
                              std::string_view warm_up) {
  const auto& tables = watched_tables();
  const auto decoder = make_decoder(plugin, tables);
  CheckingSink sink(tables);
  std::string errors;
  const auto feed = [&](std::string_view payload, std::size_t index) {
    const auto calls_before = sink.calls();
    // The copy ends where the payload ends, so that the sanitizer sees every read beyond.
    const std::vector<char> copy(payload.begin(), payload.end());
    const auto error = decoder->decode(std::as_bytes(std::span(copy)), decoder::Lsn{index}, sink);
    if (!error) return false;
    require(sink.calls() == calls_before, "an error tells the sink nothing");
    require(error->offset <= payload.size(), "an error lies inside the payload");
    require(!error->detail.empty(), "an error says what was wrong");
    errors += std::string(label(error->kind)) + "@" + std::to_string(index) + " ";
    return true;
  };
  if (!warm_up.empty()) require(feed(warm_up, 0), "the warm-up is an error");
  errors.clear();
  for (std::size_t i = 0; i < payloads.size(); ++i) feed(payloads[i], i);
  return sink.text() + errors;
}

/// Decoding depends on the payloads alone, not on what lies in reused buffers.
inline void check_stream(decoder::Plugin plugin, std::span<const std::string_view> payloads) {
  static const std::string warm_up = "{\"action\":\"" + std::string(501, '"');
  require(decode_all(plugin, payloads, {}) == decode_all(plugin, payloads, warm_up),
          "a fresh and a used decoder say the same");
}

}  // namespace dupwatch::fuzz
