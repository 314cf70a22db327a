#include "daemon/postgres/scan_queries.hpp"

#include <optional>
#include <vector>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/audit_queries.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

std::string literal_array(std::span<const std::string> items) {
  return "ARRAY[" + quoted_list(items, quote_literal) + "]::text[]";
}

std::string open_runs_from(const core::RunsTable& runs) {
  return " FROM " + qualified(runs.schema, runs.name) + " WHERE " + quote_identifier(runs.status_column) +
         "::text = ANY (" + literal_array(runs.open_states) + ")";
}

}  // namespace

Expected<bool> can_read_runs(Connection& sql, const core::RunsTable& runs, Waiter& waiter) {
  return ask_bool(sql,
                  "SELECT has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, $3, 'SELECT')"
                  " AND has_column_privilege(c.oid, $4, 'SELECT')"
                  " AND NOT pg_catalog.row_security_active(c.oid)"
                  " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                  " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v')"
                  " AND (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid"
                  " AND a.attname IN ($3, $4) AND NOT a.attisdropped) = 2",
                  {runs.schema, runs.name, runs.id_column, runs.status_column}, waiter);
}

namespace {

/// $1 = schema, $2 = runs table, $3 = its id column, $4 = its spec column.
constexpr std::string_view kSigns =
    "WITH columns AS (SELECT c.oid, c.relname, a.attname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE n.nspname = $1 AND has_schema_privilege(n.oid, 'USAGE')"
    " AND c.relname IN ($2, 'workflow_event_slots'))"
    " SELECT EXISTS (SELECT FROM columns WHERE relname = $2 AND attname = 'error_code'),"
    // Migration 0019: its worlds number the events of a run.
    " EXISTS (SELECT FROM columns WHERE relname = 'workflow_event_slots'),"
    " EXISTS (SELECT FROM columns WHERE relname = 'workflow_event_slots' AND attname = 'seq_in_band'),"
    // In a CASE, for a server may ask for the right first, and of a column that the relation has not.
    " EXISTS (SELECT FROM columns WHERE CASE WHEN relname = $2 AND attname = $4"
    " THEN has_column_privilege(oid, $3, 'SELECT') AND has_column_privilege(oid, $4, 'SELECT')"
    " AND NOT pg_catalog.row_security_active(oid) END)";

// By the primary key, so that the number of runs does not matter.
constexpr int kNewestRuns = 200;

}  // namespace

std::string engine_signs_query() {
  return std::string(kSigns);
}

Connection::Params engine_signs_params(const core::RunsTable& runs) {
  return {runs.schema, runs.name, runs.id_column, runs.spec_column};
}

SchemaSigns read_engine_signs(const pg_result& result, int row) {
  return {.signs = {.v5_columns = cell(result, row, 0) == "t",
                    .slot_table = cell(result, row, 1) == "t",
                    .seq_in_band = cell(result, row, 2) == "t"},
          .specs_readable = cell(result, row, 3) == "t"};
}

std::string newest_specs_query(const core::RunsTable& runs) {
  const auto spec = quote_identifier(runs.spec_column) + "::text";
  return "SELECT coalesce(min(spec), 0), coalesce(max(spec), 0) FROM (SELECT CASE WHEN " + spec +
         " ~ '^[0-9]{1,6}$' THEN " + spec + "::int END AS spec FROM " + qualified(runs.schema, runs.name) +
         " ORDER BY " + quote_identifier(runs.id_column) + " DESC LIMIT " + std::to_string(kNewestRuns) +
         ") runs";
}

void read_specs(const pg_result& result, int row, core::EngineSigns& out) {
  out.spec_least = core::spec_of(cell(result, row, 0).value_or(""));
  out.spec_greatest = core::spec_of(cell(result, row, 1).value_or(""));
}

Expected<core::EngineSigns> engine_signs(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  const auto& runs = *profile.runs;
  const auto of_events = can_read_column(sql, profile, runs.spec_column, waiter);
  if (const auto* error = std::get_if<Error>(&of_events)) return *error;
  const auto looked = sql.execute(engine_signs_query(), engine_signs_params(runs), waiter, kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&looked)) return *error;
  const auto found = read_engine_signs(*std::get<Result>(looked), 0);
  auto out = found.signs;
  if (found.specs_readable) out.specs = core::SpecSource::kRuns;
  if (std::get<bool>(of_events)) out.specs = core::SpecSource::kEvents;
  if (!found.specs_readable) return out;
  const auto answer = sql.execute(newest_specs_query(runs), {}, waiter, kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) {
    // Whoever holds a lock on the runs, as a migration does, must not keep the log from being watched: they
    // are asked again while it streams.
    if (error->cause == Cause::kLockTimeout) return out;
    return *error;
  }
  read_specs(*std::get<Result>(answer), 0, out);
  return out;
}

std::string open_runs_query(const core::RunsTable& runs) {
  return "SELECT " + quote_identifier(runs.id_column) + open_runs_from(runs);
}

Expected<bool> can_read_places(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  return ask_bool(sql,
                  "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid ="
                  " c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' AND"
                  " has_column_privilege(c.oid, 'ctid', 'SELECT'))",
                  {profile.schema, profile.table}, waiter);
}

Expected<bool> somebody_waits(Connection& sql, Waiter& waiter) {
  return ask_bool(sql,
                  "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks h JOIN pg_catalog.pg_locks w"
                  " ON w.database = h.database AND w.relation = h.relation"
                  " WHERE h.pid = pg_catalog.pg_backend_pid() AND NOT w.granted)",
                  {}, waiter);
}

std::string unlisted_runs_query(const core::Profile& profile) {
  const auto& runs = *profile.runs;
  const auto table = qualified(profile.schema, profile.table);
  const auto run = "e." + quote_identifier(profile.run_column);
  return "SELECT DISTINCT " + run + " FROM " + table +
         " e WHERE e.ctid >= ('(' || greatest(0, pg_relation_size(" + quote_literal(table) +
         "::regclass) / current_setting('block_size')::bigint - " + std::to_string(kUnlistedPages) +
         ") || ',0)')::tid AND NOT EXISTS (SELECT FROM " + qualified(runs.schema, runs.name) + " r WHERE r." +
         quote_identifier(runs.id_column) + " = " + run + ")";
}

std::string open_runs_count_query(const core::RunsTable& runs) {
  return "SELECT count(*)" + open_runs_from(runs);
}

std::string table_scan_query(const core::Profile& profile, bool open_only, const RowExtras& extras) {
  const auto column = [](const std::string& name) { return "e." + quote_identifier(name); };
  std::vector<std::string> ends;
  for (const auto& type : profile.types) {
    if (type.ends_run) ends.push_back(type.name);
  }
  const RunKey key(profile);
  std::string query = event_select(profile, extras) + " WHERE true";
  if (!profile.any_type()) {
    query += " AND " + column(profile.type_column) + "::text = ANY (" +
             literal_array(tracked_types(profile)) + ")";
  }
  if (open_only && !ends.empty()) {
    query += " AND NOT EXISTS (SELECT FROM " + qualified(profile.schema, profile.table) + " t WHERE " +
             key.same("t", "e") + " AND t." + quote_identifier(profile.type_column) + "::text = ANY (" +
             literal_array(ends) + "))";
  }
  return query + " ORDER BY " + key.columns("e");
}

}  // namespace dupwatch::postgres
