#include "daemon/postgres/catalog.hpp"

#include <charconv>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

decoder::Plugin plugin_of(core::PluginChoice choice) {
  return choice == core::PluginChoice::kPgoutput ? decoder::Plugin::kPgoutput : decoder::Plugin::kWal2json;
}

std::optional<decoder::Lsn> lsn_cell(const pg_result& result, int row, int column) {
  const auto text = cell(result, row, column);
  return text ? decoder::parse_lsn(*text) : std::nullopt;
}

}  // namespace

std::int64_t to_int64(std::optional<std::string_view> text) {
  std::int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

Expected<Result> ask(Connection& sql, const std::string& query, const Connection::Params& params,
                     Waiter& waiter) {
  return sql.execute(query, params, waiter, kAnswerTimeout);
}

Expected<bool> ask_bool(Connection& sql, const std::string& query, const Connection::Params& params,
                        Waiter& waiter) {
  auto answer = ask(sql, query, params, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  return row_count(result) > 0 && cell(result, 0, 0) == "t";
}

std::string slot_query() {
  // A standby has no current WAL position of its own; what it received is as far as its slots can be behind.
  return "SELECT s.plugin, s.slot_type, s.database, s.active, s.active_pid, s.confirmed_flush_lsn, "
         "s.restart_lsn,"
         " s.wal_status, s.safe_wal_size, greatest(0, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN"
         " coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_lsn() END,"
         " s.restart_lsn))::bigint,"
         // What is flushed is what a walsender may send: the end of WAL to measure lag against.
         " CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
         " ELSE pg_current_wal_flush_lsn() END,"
         // By way of jsonb, since only Postgres 16 and 17 and later have these columns.
         " coalesce(to_jsonb(s)->>'invalidation_reason', CASE to_jsonb(s)->>'conflicting' WHEN 'true' THEN"
         " 'conflicting' END), pg_size_bytes(current_setting('max_slot_wal_keep_size', true)),"
         " to_jsonb(s)->>'failover', to_jsonb(s)->>'synced', to_jsonb(s)->>'two_phase'"
         " FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1";
}

SlotRow read_slot_row(const pg_result& result, int row) {
  SlotRow slot;
  slot.plugin = cell(result, row, 0).value_or("");
  slot.slot_type = cell(result, row, 1).value_or("");
  slot.database = cell(result, row, 2).value_or("");
  slot.active = cell(result, row, 3) == "t";
  slot.active_pid = to_int64(cell(result, row, 4));
  slot.confirmed_flush = lsn_cell(result, row, 5);
  slot.restart = lsn_cell(result, row, 6);
  slot.wal_status = cell(result, row, 7).value_or("");
  if (const auto safe = cell(result, row, 8)) slot.safe_wal_size = to_int64(safe);
  slot.retained_bytes = to_int64(cell(result, row, 9));
  slot.server_end = lsn_cell(result, row, 10).value_or(decoder::Lsn{});
  slot.invalidation = one_line(cell(result, row, 11).value_or(""));
  if (const auto keep = cell(result, row, 12)) slot.keep_size_bytes = to_int64(keep);
  slot.failover = cell(result, row, 13) == "true";
  slot.synced = cell(result, row, 14) == "true";
  slot.two_phase = cell(result, row, 15) == "true";
  return slot;
}

Expected<std::optional<SlotRow>> find_slot(Connection& sql, const std::string& name, Waiter& waiter) {
  auto answer = ask(sql, slot_query(), {name}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (row_count(result) == 0) return std::optional<SlotRow>{};
  return std::optional{read_slot_row(result, 0)};
}

std::string heartbeat_query() {
  return "SELECT pg_catalog.pg_logical_emit_message(false, " + quote_literal(decoder::kMessagePrefix) +
         ", $1)";
}

decoder::Lsn read_lsn(const pg_result& result, int row) {
  return lsn_cell(result, row, 0).value_or(decoder::Lsn{});
}

Expected<bool> publication_exists(Connection& sql, const std::string& name, Waiter& waiter) {
  return ask_bool(sql, "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $1)", {name},
                  waiter);
}

Expected<bool> has_select(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  return ask_bool(
      sql,
      "SELECT bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum,"
      " 'SELECT')) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
      " WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = ANY ($3::text[])",
      {profile.schema, profile.table, array_literal(watched_columns(profile))}, waiter);
}

Expected<bool> has_select_on_xmin(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  return ask_bool(
      sql,
      "SELECT has_column_privilege(c.oid, 'xmin', 'SELECT') FROM pg_catalog.pg_class c"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
      {profile.schema, profile.table}, waiter);
}

Expected<std::int64_t> wal_sender_timeout(Connection& sql, Waiter& waiter) {
  auto answer =
      ask(sql, "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'", {}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  return row_count(result) == 0 ? std::int64_t{0} : to_int64(cell(result, 0, 0));
}

Expected<bool> tracks_commit_time(Connection& sql, Waiter& waiter) {
  return ask_bool(sql, "SELECT current_setting('track_commit_timestamp')::bool", {}, waiter);
}

Expected<std::vector<OpenTransaction>> open_transactions(Connection& sql, std::int64_t min_age_seconds,
                                                         Waiter& waiter) {
  // pg_locks shows every transaction id to everyone; pg_stat_activity hides the age of other roles' sessions.
  auto answer = ask(
      sql,
      "SELECT t.pid, t.age, concat_ws(', ', CASE WHEN t.pid IS NULL THEN 'prepared transaction ' || "
      "quote_ident(t.name)"
      " ELSE 'pid ' || t.pid END, coalesce(t.age || ' s', 'age hidden'), t.state, 'role ' || "
      "quote_ident(t.role),"
      " CASE WHEN t.pid IS NOT NULL AND t.name <> '' THEN 'application ' || quote_ident(t.name) END, 'query "
      "since ' ||"
      " t.query_start::timestamptz(0)) FROM ("
      "SELECT l.pid, extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS age, a.usename AS role,"
      " a.application_name AS name, a.state, a.query_start FROM (SELECT DISTINCT pid FROM "
      "pg_catalog.pg_locks WHERE"
      " locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted AND pid IS NOT NULL AND pid <>"
      " pg_backend_pid()) l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
      " UNION ALL SELECT NULL, extract(epoch FROM clock_timestamp() - p.prepared)::bigint, p.owner, p.gid,"
      " NULL, NULL FROM pg_catalog.pg_prepared_xacts p) t"
      " WHERE t.age IS NULL OR t.age >= $1::bigint ORDER BY t.age DESC NULLS LAST LIMIT 10",
      {std::to_string(min_age_seconds)}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  std::vector<OpenTransaction> open;
  for (int row = 0; row < row_count(result); ++row) {
    OpenTransaction one;
    one.pid = to_int64(cell(result, row, 0));
    if (const auto age = cell(result, row, 1)) one.age_seconds = to_int64(age);
    one.description = one_line(cell(result, row, 2).value_or(""));
    open.push_back(std::move(one));
  }
  return open;
}

std::optional<Error> drop_slot(Connection& sql, const std::string& name, Waiter& waiter) {
  // Runs in a read-only transaction too: a slot is no part of the database.
  auto answer = ask(sql, "SELECT pg_drop_replication_slot($1)", {name}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return std::nullopt;
}

Expected<decoder::Plugin> resolve_plugin(Connection& sql, const core::SlotConfig& slot,
                                         const std::optional<SlotRow>& existing, Waiter& waiter) {
  using decoder::Plugin;
  const bool any = slot.plugin == core::PluginChoice::kAuto;
  if (existing) {
    for (const auto plugin : {Plugin::kWal2json, Plugin::kPgoutput}) {
      if (existing->plugin == decoder::to_string(plugin) && (any || plugin == plugin_of(slot.plugin)))
        return plugin;
    }
    return Error{Fault::kNeedsOperator, Cause::kSlotWrongPlugin, "",
                 "slot \"" + slot.name + "\" was made for output plugin \"" + existing->plugin + "\"",
                 "Set slot.plugin to the slot's plugin or leave it at auto, or choose another slot.name."};
  }
  if (!any) return plugin_of(slot.plugin);
  auto exists = publication_exists(sql, slot.publication, waiter);
  if (auto* error = std::get_if<Error>(&exists)) return std::move(*error);
  return std::get<bool>(exists) ? Plugin::kPgoutput : Plugin::kWal2json;
}

}  // namespace dupwatch::postgres
