#include "database.hpp"

#include <algorithm>
#include <utility>

#include "decoder/lsn.hpp"
#include "tests/unit/postgres/answering/answering_state.hpp"
#include "tests/unit/table/served_table.hpp"

namespace dupwatch::run::streamed {
namespace {

using answering::Answer;
using answering::rows;
using answering::Statement;
using answering::value;

std::string lsn_text(std::uint64_t lsn) {
  return decoder::to_string(decoder::Lsn{lsn});
}

/// A field of COPY's text format; no text of a test needs an escape.
std::string field(const std::optional<std::string>& text) {
  return text.value_or("\\N");
}

/// The position in a status update: 'r', written, flushed.
std::uint64_t flushed(const std::string& update) {
  std::uint64_t position = 0;
  for (std::size_t i = 9; i < 17; ++i) position = position << 8U | static_cast<unsigned char>(update.at(i));
  return position;
}

}  // namespace

Database::Database(decoder::Plugin plugin, const core::Profile& profile)
    : profile_(profile), frames_(plugin), table_(table::served::healthy_table(profile)) {
  slot_.plugin = decoder::to_string(plugin);
  if (plugin == decoder::Plugin::kPgoutput) {
    // Its publication: oid, holds the table, inserts, via root, generated columns, filter, columns.
    table_->resize(11);
    for (const auto* text : {"16500", "t", "t", "f"}) table_->emplace_back(text);
    table_->resize(18);
  }
  server.parameter("server_version", "15.18");
  table::served::serve_table(server, profile);
  server.answers("'ts_insert_blocker'",
                 [this](const Statement&) { return table_ ? rows({*table_}) : rows({}); });
  serve_slot();
  serve_rows();
  serve_rounds();
}

void Database::serve_slot() {
  server.answers("pg_postmaster_start_time()", value("2026-11-24 05:00:00+00"))
      .answers("pg_try_advisory", value("t"))
      .answers("SELECT setting FROM pg_catalog.pg_settings", value("60000"))
      .answers("SELECT EXISTS (SELECT FROM pg_catalog.pg_publication", value("t"))
      .answers("pg_control_system()", rows({{"7312", "1"}}))
      .answers("IDENTIFY_SYSTEM",
               [this](const Statement&) {
                 return rows({{"7312", "1", lsn_text(end_), "app"}});
               })
      .answers("FROM pg_catalog.pg_replication_slots s", [this](const Statement&) { return slot_row(); })
      .answers("START_REPLICATION", [this](const Statement& asked) { return stream_from(asked.text); })
      .answers("CREATE_REPLICATION_SLOT", [this](const Statement&) { return created(); })
      .answers("SELECT pg_drop_replication_slot",
               [this](const Statement&) {
                 slot_.exists = false;
                 return value("");
               })
      .answers("DROP_REPLICATION_SLOT",
               [this](const Statement&) {
                 slot_.exists = false;
                 return Answer{};
               })
      .answers("pg_terminate_backend",
               [this](const Statement&) {
                 slot_.active = false;
                 return value("t");
               })
      .answers("pg_replication_slot_advance", [this](const Statement&) {
        note_updates();
        confirmed_ = end_;
        return value(lsn_text(end_));
      });
}

void Database::serve_rows() {
  server.answers("TO STDOUT", [this](const Statement& asked) { return rows_of(asked.text, true); })
      .answers("WHERE e.ctid >= $1::tid",
               [this](const Statement& asked) { return rows_of(asked.text, false); })
      .answers("FETCH FORWARD", rows({}))
      .answers("DECLARE dupwatch_baseline", Answer{})
      .answers("CLOSE dupwatch_baseline", Answer{})
      .answers("NOT w.granted", rows({{"f"}}))
      .answers("pg_current_snapshot()",
               [this](const Statement&) {
                 const auto next = std::to_string(xid_ + 1);
                 return rows({{next, next, lsn_text(end_), "0", "0", "16400", "1"}});
               })
      // Runs and ids of rows that the stream brought.
      .answers("AND e.\"id\" = ANY ($2::text[])", [this](const Statement& asked) {
        std::vector<answering::Row> found;
        for (const auto& [row, xid] : rows_) {
          if (asked.params.at(1)->find(row.id) != std::string::npos) found.push_back({row.run_id, row.id});
        }
        return rows(std::move(found));
      });
}

void Database::serve_rounds() {
  server
      .answers("pg_logical_emit_message",
               [this](const Statement& asked) {
                 const auto at = next(0x40);
                 const auto message = frames_.message(at, asked.params.at(0).value_or(""));
                 for (auto* conn : answering::state().open) answering::send(*conn, message);
                 return value(lsn_text(at));
               })
      // What the schema is, and which of the engine's tables may be read.
      .answers("pg_get_constraintdef(k.oid)", rows({}))
      .answers("SELECT count(*) = $3::int", value("f"))
      .answers("t.tgenabled IN", rows({}))
      .answers("has_function_privilege", value("t"))
      .answers("has_column_privilege(c.oid, $3, 'SELECT')", value("f"))
      .answers("'token_retention_until'", rows({{"f", "f", "f", "f", std::nullopt}}));
}

std::uint64_t Database::next(std::uint64_t bytes) {
  end_ += bytes;
  return end_;
}

std::uint64_t Database::commit(const std::vector<Event>& rows) {
  const std::lock_guard lock(answering::mutex());
  const auto record = next(0x100);
  ++xid_;
  Transaction transaction{.end = next(0x30), .messages = {frames_.begin(record, xid_)}};
  for (const auto& message : frames_.relation()) transaction.messages.push_back(message);
  for (const auto& row : rows) {
    transaction.messages.push_back(frames_.insert(record, xid_, row));
    rows_.push_back({row, xid_});
  }
  transaction.messages.push_back(frames_.commit(record, transaction.end, xid_));
  return publish(std::move(transaction));
}

std::uint64_t Database::publish(Transaction transaction) {
  for (const auto& message : transaction.messages) {
    for (auto* conn : answering::state().open) answering::send(*conn, message);
  }
  transactions_.push_back(std::move(transaction));
  return transactions_.back().end;
}

void Database::put_silently(const Event& row) {
  const std::lock_guard lock(answering::mutex());
  end_ += 0x100;
  rows_.push_back({row, ++xid_});
}

void Database::remove(const std::string& id) {
  const std::lock_guard lock(answering::mutex());
  std::erase_if(rows_, [&](const Row& row) { return row.event.id == id; });
  end_ += 0x100;
}

void Database::truncate() {
  const std::lock_guard lock(answering::mutex());
  const auto record = next(0x100);
  ++xid_;
  rows_.clear();
  Transaction transaction{.end = next(0x30), .messages = {frames_.begin(record, xid_)}};
  for (const auto& message : frames_.relation()) transaction.messages.push_back(message);
  transaction.messages.push_back(frames_.truncate(record, xid_));
  transaction.messages.push_back(frames_.commit(record, transaction.end, xid_));
  publish(std::move(transaction));
}

void Database::keepalive(bool reply_requested) {
  const std::lock_guard lock(answering::mutex());
  const auto message = walsender::Frames::keepalive(end_, reply_requested);
  for (auto* conn : answering::state().open) answering::send(*conn, message);
}

void Database::note_updates() const {
  for (const auto& update : answering::state().updates) confirmed_ = std::max(confirmed_, flushed(update));
}

std::uint64_t Database::confirmed() const {
  const std::lock_guard lock(answering::mutex());
  note_updates();
  return confirmed_;
}

bool Database::streams() const {
  const std::lock_guard lock(answering::mutex());
  return std::ranges::any_of(answering::state().open, [](const auto* conn) { return conn->streaming; });
}

void Database::advance_slot() {
  const std::lock_guard lock(answering::mutex());
  end_ += 0x1000;
  confirmed_ = end_;
}

void Database::change_slot(const Slot& slot) {
  const std::lock_guard lock(answering::mutex());
  slot_ = slot;
}

Database::Slot Database::slot() const {
  const std::lock_guard lock(answering::mutex());
  return slot_;
}

void Database::change_table(std::optional<answering::Row> row) {
  const std::lock_guard lock(answering::mutex());
  table_ = std::move(row);
}

answering::Row Database::table() const {
  const std::lock_guard lock(answering::mutex());
  return *table_;
}

Answer Database::slot_row() const {
  if (!slot_.exists) return rows({});
  note_updates();
  const auto invalidation = slot_.invalidation.empty() ? std::nullopt : std::optional(slot_.invalidation);
  return rows({{slot_.plugin, "logical", "app", slot_.active ? "t" : "f",
                slot_.active ? std::optional<std::string>("4711") : std::nullopt, lsn_text(confirmed_),
                lsn_text(confirmed_), slot_.wal_status, std::nullopt, std::to_string(slot_.retained),
                lsn_text(end_), invalidation, "-1", "false", "false", "false"}});
}

Answer Database::created() {
  const auto at = next(0x10);
  slot_.exists = true;
  slot_.active = false;
  slot_.wal_status = "reserved";
  slot_.invalidation.clear();
  confirmed_ = at;
  return rows({{"dupwatch", lsn_text(at), "00000003-1", slot_.plugin}});
}

/// As a walsender: whole transactions that end behind the position, whatever it has sent before.
Answer Database::stream_from(std::string_view command) {
  note_updates();
  const auto place = command.substr(command.find(" LOGICAL ") + 9);
  const auto wanted = decoder::parse_lsn(place.substr(0, place.find(' ')));
  const auto from = std::max(confirmed_, wanted ? wanted->value : 0);
  Answer answer{.copied = std::vector<std::string>{}, .streams = true};
  for (const auto& transaction : transactions_) {
    if (transaction.end <= from) continue;
    answer.copied->insert(answer.copied->end(), transaction.messages.begin(), transaction.messages.end());
  }
  answer.copied->push_back(walsender::Frames::keepalive(end_));
  return answer;
}

/// Rows of the runs that the query names, or all where it names none.
Answer Database::rows_of(std::string_view query, bool copy) const {
  Answer lines = answering::copied({});
  std::vector<answering::Row> shown;
  for (const auto& [row, xid] : rows_) {
    if (copy && query.find(row.run_id) == std::string_view::npos) continue;
    shown.push_back(
        {row.run_id, row.id, row.type, row.identity.at(0), std::to_string(xid), std::nullopt, std::nullopt});
    std::string line;
    for (const auto& each : shown.back()) line += (line.empty() ? "" : "\t") + field(each);
    lines.copied->push_back(line + "\n");
  }
  return copy ? lines : rows(std::move(shown));
}

}  // namespace dupwatch::run::streamed
