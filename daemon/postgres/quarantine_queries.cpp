#include "daemon/postgres/quarantine_queries.hpp"

#include <fmt/format.h>

#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup.hpp"

namespace dupwatch::postgres {
namespace {

std::string col(std::string_view alias, const std::string& name) {
  return fmt::format("{}.{}", alias, quote_identifier(name));
}

/// {"column": "its text" or null} of the row `alias`. format('%s') calls the type's output function, where a
/// cast to text would trim character(n); num_nulls looks at the value itself, where IS NULL is true also for
/// a row value of NULLs.
std::string row_texts(std::string_view alias, std::span<const StoredColumn> columns) {
  const auto names = quoted_list(columns, [](const auto& c) { return quote_literal(c.name); });
  const auto texts = quoted_list(columns, [&](const auto& c) {
    const auto value = col(alias, c.name);
    return fmt::format("CASE num_nulls({0}) WHEN 0 THEN format('%s', {0}) END", value);
  });
  return fmt::format("jsonb_object(ARRAY[{}]::text[], ARRAY[{}]::text[])", names, texts);
}

std::string byte_order(std::string_view alias, const std::string& name) {
  return col(alias, name) + "::text COLLATE \"C\"";
}

constexpr std::string_view kEntryJson =
    "'id', q.id, 'finding_id', q.finding_id, 'rule', q.rule, 'table', q.table_name, 'run_id', q.run_id,"
    " 'event_id', q.event_id, 'removed_at', q.removed_at, 'removed_by', q.removed_by,"
    " 'restored_at', q.restored_at, 'restored_by', q.restored_by";

}  // namespace

std::string quoted_table(const core::Profile& profile) {
  return qualified(profile.schema, profile.table);
}

std::string quarantine_setup_sql(const core::Config& config) {
  const auto& profile = config.profile;
  const auto who = quote_identifier(dsn_role(config));
  return fmt::format(
      "\n-- 5. Quarantine: where `dupwatch quarantine apply` keeps the rows it takes out of the log. SELECT "
      "on "
      "all columns,\n"
      "-- payloads included, because a row is kept whole; DELETE, never INSERT or UPDATE: `quarantine "
      "restore` "
      "is for\n"
      "-- a role that may write the table, such as its owner.\n"
      "CREATE SCHEMA IF NOT EXISTS dupwatch;\n"
      "CREATE TABLE IF NOT EXISTS dupwatch.quarantine (\n"
      "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
      "  finding_id text NOT NULL,\n"
      "  rule text NOT NULL,\n"
      "  table_name text NOT NULL,\n"
      "  run_id text NOT NULL,\n"
      "  event_id text NOT NULL,\n"
      "  finding jsonb NOT NULL,\n"
      "  kept jsonb NOT NULL, -- column -> its text, SQL NULL as null\n"
      "  removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
      "  removed_by text NOT NULL DEFAULT session_user,\n"
      "  restored_at timestamptz,\n"
      "  restored_by text\n"
      ");\n"
      "CREATE UNIQUE INDEX IF NOT EXISTS quarantine_removed ON dupwatch.quarantine (table_name, run_id, "
      "event_id)\n"
      "  WHERE restored_at IS NULL;\n"
      "GRANT USAGE ON SCHEMA dupwatch TO {0};\n"
      "GRANT SELECT, INSERT ON dupwatch.quarantine TO {0};\n"
      "GRANT SELECT, DELETE ON {1} TO {0};\n",
      who, qualified(profile.schema, profile.table));
}

std::string stored_columns_query() {
  return "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
         " WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
         " ORDER BY a.attnum";
}

std::vector<StoredColumn> read_stored_columns(const pg_result& result) {
  std::vector<StoredColumn> columns;
  for (int i = 0; i < row_count(result); ++i) {
    columns.push_back({.name = std::string(cell(result, i, 0).value_or("")),
                       .type = std::string(cell(result, i, 1).value_or(""))});
  }
  return columns;
}

std::string quarantine_lock_query() {
  return "SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 25717))";
}

std::string quarantine_act(const core::Profile& profile, std::string_view run_type,
                           std::span<const StoredColumn> columns,
                           std::span<const std::string_view> only_types) {
  const auto table = qualified(profile.schema, profile.table);
  const auto& run = profile.run_column;
  const auto& id = profile.id_column;
  // As in read_back_query: without a length that would cut a value.
  const auto type =
      run_type.empty() || run_type == "character varying" ? std::string("text") : std::string(run_type);
  std::string same;
  for (const auto& name : profile.identity_columns) {
    same += fmt::format(" AND {} IS NOT DISTINCT FROM {}", col("c", name), col("e", name));
  }
  std::vector<std::string> ends;
  for (const auto& event : profile.types) {
    if (event.ends_run) ends.push_back(event.name);
  }
  std::string goes_on;
  if (!only_types.empty()) {
    goes_on = fmt::format(" AND {}::text IN ({})", col("e", profile.type_column),
                          quoted_list(only_types, quote_literal));
  } else if (!ends.empty()) {
    goes_on =
        fmt::format(" AND NOT EXISTS (SELECT FROM {} z WHERE {} = $1::{} AND {}::text IN ({}))", table,
                    col("z", run), type, col("z", profile.type_column), quoted_list(ends, quote_literal));
  }
  if (profile.slot_ids) {
    goes_on +=
        fmt::format(" AND NOT EXISTS (SELECT FROM {} s WHERE {} = $1::{} AND {}::text ~ '^evnt_0{{10}}')",
                    table, col("s", run), type, col("s", id));
  }
  return fmt::format(
      "WITH gone AS (DELETE FROM {0} e WHERE {1} = $1::{2} AND {3}::text = $2"
      " AND EXISTS (SELECT FROM {0} c WHERE {4} = $1::{2} AND {5} = {6}{7} AND {8} < {9}){10} RETURNING e.*)"
      " INSERT INTO dupwatch.quarantine (finding_id, rule, finding, table_name, run_id, event_id, kept)"
      " SELECT $3, $4, $5::jsonb, $6, {12}::text, {13}::text, {11} FROM gone RETURNING id",
      table, col("e", run), type, col("e", id), col("c", run), col("c", profile.type_column),
      col("e", profile.type_column), same, byte_order("c", id), byte_order("e", id), goes_on,
      row_texts("gone", columns), col("gone", run), col("gone", id));
}

std::string quarantine_entry_query() {
  return "SELECT k.key, q.table_name, q.run_id, q.event_id, (q.restored_at IS NOT NULL)::text"
         " FROM dupwatch.quarantine q, jsonb_object_keys(q.kept) k(key) WHERE q.id = $1::bigint";
}

std::string quarantine_removed_query() {
  return "SELECT q.id::text, q.event_id FROM dupwatch.quarantine q WHERE q.table_name = $1 AND q.run_id = $2"
         " AND q.finding_id = $3 AND q.restored_at IS NULL";
}

std::string quarantine_restore(const core::Profile& profile, std::span<const StoredColumn> columns) {
  const auto names = quoted_list(columns, [](const auto& c) { return quote_identifier(c.name); });
  const auto values = quoted_list(columns, [](const auto& c) {
    return fmt::format("(q.kept ->> {})::{}", quote_literal(c.name), c.type);
  });
  return fmt::format(
      "WITH entry AS (UPDATE dupwatch.quarantine q SET restored_at = clock_timestamp(), restored_by ="
      " session_user WHERE q.id = $1::bigint AND q.restored_at IS NULL RETURNING q.kept),"
      " back AS (INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM entry q RETURNING *)"
      " SELECT {} = q.kept FROM back, entry q",
      qualified(profile.schema, profile.table), names, values, row_texts("back", columns));
}

std::string quarantine_list_query() {
  return fmt::format(
      "SELECT jsonb_build_object({})::text, q.id::text, q.removed_at::text, q.rule, q.run_id, q.event_id,"
      " coalesce(q.restored_at::text, '') FROM dupwatch.quarantine q"
      " WHERE $2::text IS NULL OR q.run_id = $2 ORDER BY q.id DESC LIMIT $1::int",
      kEntryJson);
}

std::string quarantine_show_query() {
  return fmt::format(
      "SELECT entry::text, jsonb_pretty(entry) FROM (SELECT jsonb_build_object({}, 'finding', q.finding, "
      "'row',"
      " q.kept) AS entry FROM dupwatch.quarantine q WHERE q.id = $1::bigint) entries",
      kEntryJson);
}

}  // namespace dupwatch::postgres
