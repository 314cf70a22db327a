#include "daemon/postgres/scan_queries.hpp"

#include <vector>

#include "daemon/postgres/ask.hpp"
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

Expected<core::Engine> schema_generation(Connection& sql, const core::RunsTable& runs, Waiter& waiter) {
  // Migration 0019: its worlds go with engines that take slot numbers alone.
  auto slots = ask_bool(sql,
                        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c"
                        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                        " WHERE n.nspname = $1 AND c.relname = 'workflow_event_slots')",
                        {runs.schema}, waiter);
  if (auto* error = std::get_if<Error>(&slots)) return std::move(*error);
  if (std::get<bool>(slots)) return core::Engine::kV5;
  auto answer = ask_bool(sql,
                         "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a"
                         " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
                         " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                         " WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = 'error_code'"
                         " AND NOT a.attisdropped)",
                         {runs.schema, runs.name}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return std::get<bool>(answer) ? core::Engine::kV5BeforeClassSkip : core::Engine::kV4;
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

std::string table_scan_query(const core::Profile& profile, bool open_only, bool commit_time, bool xmin) {
  const auto column = [](const std::string& name) { return "e." + quote_identifier(name); };
  std::vector<std::string> ends;
  for (const auto& type : profile.types) {
    if (type.ends_run) ends.push_back(type.name);
  }
  std::string query = event_select(profile, commit_time, xmin) + " WHERE true";
  if (!profile.unlisted_unique && !profile.type_column.empty()) {
    query += " AND " + column(profile.type_column) + "::text = ANY (" +
             literal_array(tracked_types(profile)) + ")";
  }
  if (open_only && !ends.empty()) {
    query += " AND NOT EXISTS (SELECT FROM " + qualified(profile.schema, profile.table) + " t WHERE t." +
             quote_identifier(profile.run_column) + " = " + column(profile.run_column) + " AND t." +
             quote_identifier(profile.type_column) + "::text = ANY (" + literal_array(ends) + "))";
  }
  return query + " ORDER BY " + column(profile.run_column);
}

}  // namespace dupwatch::postgres
