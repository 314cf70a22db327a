#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/decoder.hpp"
#include "tests/oracle/event.hpp"
#include "tests/unit/decoder/pgoutput_wire.hpp"

/// CopyData messages as a walsender sends them, for either plugin.
namespace dupwatch::walsender {

namespace wire = decoder::wire;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Writes the messages of one stream that watches workflow.workflow_events.
class Frames {
 public:
  explicit Frames(decoder::Plugin plugin) : plugin_(plugin) {}

  static constexpr std::uint32_t kTableOid = 16385;

  [[nodiscard]] static std::string data(std::uint64_t wal_start, std::string_view payload) {
    return wire::Writer().byte('w').be(wal_start).be(wal_start).be(wire::kTimeWire).raw(payload).str();
  }
  [[nodiscard]] static std::string keepalive(std::uint64_t wal_end, bool reply_requested = false) {
    return wire::Writer().byte('k').be(wal_end).be(wire::kTimeWire).byte(reply_requested ? 1 : 0).str();
  }

  [[nodiscard]] std::string begin(std::uint64_t commit_lsn, std::uint32_t xid) const {
    return data(commit_lsn, pgoutput() ? wire::begin(commit_lsn, xid)
                                       : json("B", xid, commit_lsn, commit_lsn + 0x30, ""));
  }
  [[nodiscard]] std::string commit(std::uint64_t commit_lsn, std::uint64_t end_lsn, std::uint32_t xid) const {
    return data(commit_lsn,
                pgoutput() ? wire::commit(commit_lsn, end_lsn) : json("C", xid, commit_lsn, end_lsn, ""));
  }
  /// What pgoutput sends before the first row of a table; wal2json describes every row by itself.
  [[nodiscard]] std::vector<std::string> relation() const {
    if (!pgoutput()) return {};
    return {data(0, wire::relation(kTableOid, "workflow", "workflow_events",
                                   {{"id", true}, {"type"}, {"correlation_id"}, {"run_id"}}))};
  }
  [[nodiscard]] std::string insert(std::uint64_t lsn, std::uint32_t xid, const oracle::Event& row) const {
    const auto& correlation = row.identity.at(0);
    if (pgoutput()) {
      return data(lsn, wire::insert(kTableOid, {wire::t(row.id), wire::t(row.type),
                                                correlation ? wire::t(*correlation) : wire::kNull,
                                                wire::t(row.run_id)}));
    }
    const auto columns =
        fmt::format(R"(,{},"columns":[{{"name":"id","value":"{}"}},{{"name":"type","value":"{}"}},)"
                    R"({{"name":"correlation_id","value":{}}},{{"name":"run_id","value":"{}"}}])",
                    kTable, row.id, row.type, correlation ? '"' + *correlation + '"' : "null", row.run_id);
    return data(lsn, json("I", xid, lsn, lsn, columns));
  }
  [[nodiscard]] std::string truncate(std::uint64_t lsn, std::uint32_t xid) const {
    if (pgoutput()) return data(lsn, wire::truncate({kTableOid}));
    return data(lsn, json("T", xid, lsn, lsn, fmt::format(",{}", kTable)));
  }
  /// Of pg_logical_emit_message, outside of any transaction.
  [[nodiscard]] std::string message(std::uint64_t lsn, std::string_view content) const {
    if (pgoutput()) return data(lsn, wire::message(false, "dupwatch", content));
    return data(lsn, fmt::format(R"({{"action":"M","lsn":"{}","transactional":false,"prefix":"dupwatch",)"
                                 R"("content":"{}"}})",
                                 decoder::to_string(decoder::Lsn{lsn}), content));
  }
  [[nodiscard]] decoder::Plugin plugin() const noexcept { return plugin_; }

 private:
  static constexpr std::string_view kTable = R"("schema":"workflow","table":"workflow_events")";

  [[nodiscard]] bool pgoutput() const noexcept { return plugin_ == decoder::Plugin::kPgoutput; }
  [[nodiscard]] static std::string json(std::string_view action, std::uint32_t xid, std::uint64_t lsn,
                                        std::uint64_t next_lsn, std::string_view rest) {
    return fmt::format(
        R"({{"action":"{}","xid":{},"timestamp":"2026-11-24 05:21:38.123456+00","lsn":"{}","nextlsn":"{}"{}}})",
        action, xid, decoder::to_string(decoder::Lsn{lsn}), decoder::to_string(decoder::Lsn{next_lsn}), rest);
  }

  decoder::Plugin plugin_;
};

}  // namespace dupwatch::walsender
