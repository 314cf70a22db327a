#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "decoder/change.hpp"

namespace dupwatch::decoder {

/// Writes every call as one line of text in which each byte of each value can be told apart. What only one
/// plugin can say (on_relation) is left out unless `with_relations`, so two plugins can be compared line by
/// line.
class ChangeText final : public ChangeSink {
 public:
  explicit ChangeText(bool with_relations = false) : with_relations_(with_relations) {}

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string take() { return std::exchange(text_, {}); }

  void on_begin(const Begin& begin) override {
    text_ += fmt::format("begin xid={} lsn={} time={}\n", begin.xid, to_string(begin.commit_lsn),
                         begin.commit_time.micros);
  }
  void on_commit(const Commit& commit) override {
    text_ += fmt::format("commit lsn={} end={} time={}\n", to_string(commit.commit_lsn),
                         to_string(commit.end_lsn), commit.commit_time.micros);
  }
  void on_insert(const Row& row) override { put_row("insert", row); }
  void on_update(const Row& row) override { put_row("update", row); }
  void on_delete(const Row& row) override { put_row("delete", row); }
  void on_truncate(std::size_t table) override { text_ += fmt::format("truncate {}\n", table); }
  void on_message(const Message& message) override {
    text_ += fmt::format("message {} lsn={} {} {}\n", message.transactional ? "in" : "out",
                         to_string(message.lsn), quoted(message.prefix), quoted(message.content));
  }
  void on_relation(std::size_t table, std::uint32_t oid, std::string_view missing) override {
    if (with_relations_) text_ += fmt::format("relation {} oid={} missing={}\n", table, oid, quoted(missing));
  }

 private:
  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (byte < 0x20 || byte == 0x7f) {
        out += fmt::format("\\x{:02x}", byte);
      } else {
        out += c;
      }
    }
    out += '"';
    return out;
  }

  void put_row(std::string_view action, const Row& row) {
    text_ += fmt::format("{} {}", action, row.table);
    for (const auto& value : row.values) {
      text_ += ' ';
      switch (value.kind) {
        case Value::Kind::kAbsent:
          text_ += "absent";
          break;
        case Value::Kind::kNull:
          text_ += "null";
          break;
        case Value::Kind::kText:
          text_ += quoted(value.text);
          break;
      }
    }
    text_ += '\n';
  }

  bool with_relations_;
  std::string text_;
};

}  // namespace dupwatch::decoder
