#include "daemon/quarantine/queries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/postgres/dsn.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup.hpp"
#include "daemon/postgres/setup_blocks.hpp"
#include "daemon/postgres/slot_number.hpp"
#include "daemon/quarantine/limits.hpp"

namespace dupwatch::quarantine {
namespace {

std::string col(std::string_view alias, const std::string& name) {
  return fmt::format("{}.{}", alias, postgres::quote_identifier(name));
}

/// {"column": "its text" or null} of the row `alias`. format('%s') calls the type's output function, where a
/// cast to text would trim character(n); num_nulls looks at the value itself, where IS NULL is true also for
/// a row value of NULLs.
std::string row_texts(std::string_view alias, std::span<const StoredColumn> columns) {
  const auto names =
      postgres::quoted_list(columns, [](const auto& c) { return postgres::quote_literal(c.name); });
  const auto texts = postgres::quoted_list(columns, [&](const auto& c) {
    const auto value = col(alias, c.name);
    return fmt::format("CASE num_nulls({0}) WHEN 0 THEN format('%s', {0}) END", value);
  });
  return fmt::format("jsonb_object(ARRAY[{}]::text[], ARRAY[{}]::text[])", names, texts);
}

std::string byte_order(std::string_view alias, const std::string& name) {
  return col(alias, name) + "::text COLLATE \"C\"";
}

/// Whoever may write entries could otherwise write one of a row that never was, and have `restore` put it
/// into the log. The key's columns find the row by its index; the texts are those of row_texts().
constexpr std::string_view kCheckSql =
    R"(-- An entry is made of a row that is in the log at that moment, word for word: nothing else can be brought back.
CREATE OR REPLACE FUNCTION dupwatch.quarantine_check() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $dupwatch$
DECLARE
  log regclass := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname = NEW.table_name AND c.relkind IN ('r', 'p') LIMIT 1);
  key text;
  texts text;
  there boolean := false;
BEGIN
  SELECT string_agg(format('e.%I = ($1 ->> %L)::%s', a.attname, a.attname, format_type(a.atttypid, a.atttypmod)), ' AND ')
    INTO key FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = log AND i.indisprimary;
  SELECT format('jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[])', string_agg(quote_literal(a.attname), ', ' ORDER BY a.attnum),
      string_agg(format('CASE num_nulls(e.%1$I) WHEN 0 THEN format(''%%s'', e.%1$I) END', a.attname), ', ' ORDER BY a.attnum))
    INTO texts FROM pg_attribute a WHERE a.attrelid = log AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
  IF log IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s e WHERE %s AND %s = $1)', log, coalesce(key, 'true'), texts)
      INTO there USING NEW.kept;
  END IF;
  -- Gone meanwhile, perhaps by the hand of another act: nothing is kept.
  IF NOT there THEN
    RETURN NULL;
  END IF;
  IF NEW.restored_at IS NOT NULL OR NEW.restored_by IS NOT NULL
    OR NOT EXISTS (SELECT FROM jsonb_each_text(NEW.kept) k WHERE rtrim(k.value) = rtrim(NEW.run_id))
    OR NOT EXISTS (SELECT FROM jsonb_each_text(NEW.kept) k WHERE rtrim(k.value) = rtrim(NEW.event_id)) THEN
    RAISE EXCEPTION 'an entry of dupwatch.quarantine must be a row that is in %', NEW.table_name USING ERRCODE = 'check_violation';
  END IF;
  NEW.removed_at := clock_timestamp();
  NEW.removed_by := session_user;
  RETURN NEW;
END
$dupwatch$;
CREATE OR REPLACE TRIGGER quarantine_check BEFORE INSERT ON dupwatch.quarantine FOR EACH ROW
  EXECUTE FUNCTION dupwatch.quarantine_check();
)";

constexpr std::string_view kEntryJson =
    "'id', q.id, 'finding_id', q.finding_id, 'rule', q.rule, 'table', q.table_name, 'run_id', q.run_id,"
    " 'event_id', q.event_id, 'action', q.action, 'requested_by', q.requested_by, 'removed_at', "
    "q.removed_at, 'removed_by', q.removed_by,"
    " 'restored_at', q.restored_at, 'restored_by', q.restored_by";

}  // namespace

std::string quoted_table(const core::Profile& profile) {
  return postgres::qualified(profile.schema, profile.table);
}

std::string setup_sql(const core::Config& config) {
  const auto& profile = config.profile;
  const auto who = postgres::quote_identifier(postgres::dsn_role(config));
  return fmt::format(
      "\n-- 5. Quarantine: where `dupwatch quarantine apply` keeps the rows it takes out of the log. SELECT "
      "on "
      "all columns,\n"
      "-- payloads included, because a row is kept whole; DELETE, never INSERT or UPDATE: `quarantine "
      "restore` "
      "is for\n"
      "-- a role that may write the table, such as its owner.\n"
      "{3}"
      "CREATE TABLE IF NOT EXISTS dupwatch.quarantine (\n"
      "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
      "  finding_id text NOT NULL,\n"
      "  rule text NOT NULL,\n"
      "  table_name text NOT NULL,\n"
      "  run_id text NOT NULL,\n"
      "  event_id text NOT NULL,\n"
      "  action text NOT NULL, -- removed: the row is here only; recorded: it is in the log too; "
      "neutralised: it "
      "is a noop there\n"
      "  requested_by text NOT NULL, -- operator, daemon\n"
      "  finding jsonb NOT NULL,\n"
      "  kept jsonb NOT NULL, -- column -> its text, SQL NULL as null\n"
      "  removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
      "  removed_by text NOT NULL DEFAULT session_user,\n"
      "  restored_at timestamptz,\n"
      "  restored_by text\n"
      ");\n"
      "CREATE UNIQUE INDEX IF NOT EXISTS quarantine_kept ON dupwatch.quarantine (table_name, run_id, "
      "event_id, action)\n"
      "  WHERE restored_at IS NULL;\n"
      "CREATE INDEX IF NOT EXISTS quarantine_recent ON dupwatch.quarantine (table_name, removed_at)\n"
      "  WHERE requested_by = 'daemon';\n"
      "{4}{2}"
      "GRANT USAGE ON SCHEMA dupwatch TO {0};\n"
      "GRANT SELECT, INSERT ON dupwatch.quarantine TO {0};\n"
      "GRANT SELECT, DELETE ON {1} TO {0};\n",
      who, postgres::qualified(profile.schema, profile.table), circuit_setup_sql(who),
      postgres::schema_block("dupwatch"), kCheckSql);
}

std::string stored_columns_query() {
  return "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
         " WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
         " ORDER BY a.attnum";
}

std::vector<StoredColumn> read_stored_columns(const pg_result& result) {
  std::vector<StoredColumn> columns;
  columns.reserve(static_cast<std::size_t>(postgres::row_count(result)));
  for (int i = 0; i < postgres::row_count(result); ++i) {
    columns.push_back({.name = std::string(postgres::cell(result, i, 0).value_or("")),
                       .type = std::string(postgres::cell(result, i, 1).value_or(""))});
  }
  return columns;
}

std::string lock_query() {
  return "SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 25717))";
}

std::string key_type(std::string_view run_type) {
  return run_type.empty() || run_type == "character varying" ? std::string("text") : std::string(run_type);
}

namespace {

/// Of the row `e`: it is not the first of its identity (a noop: of its entity), the run goes on (or the row
/// is of `only_types`) and has no slot numbers, unless the row keeps its place.
std::string may_go(const core::Profile& profile, const std::string& type, Write write,
                   std::span<const std::string_view> only_types) {
  const auto table = quoted_table(profile);
  const auto& run = profile.run_column;
  const auto& id = profile.id_column;
  std::string same;
  for (const auto& name : profile.identity_columns) {
    same += fmt::format(" AND {} IS NOT DISTINCT FROM {}", col("c", name), col("e", name));
  }
  if (write != Write::kNoop) {
    same += fmt::format(" AND {} = {}", col("c", profile.type_column), col("e", profile.type_column));
  }
  auto out = fmt::format("EXISTS (SELECT FROM {0} c WHERE {1} = $1::{2}{3} AND {4} < {5})", table,
                         col("c", run), type, same, byte_order("c", id), byte_order("e", id));
  std::vector<std::string> ends;
  for (const auto& event : profile.types) {
    if (event.ends_run) ends.push_back(event.name);
  }
  if (!only_types.empty()) {
    out += fmt::format(" AND {}::text IN ({})", col("e", profile.type_column),
                       postgres::quoted_list(only_types, postgres::quote_literal));
  } else if (!ends.empty()) {
    out += fmt::format(" AND NOT EXISTS (SELECT FROM {} z WHERE {} = $1::{} AND {}::text IN ({}))", table,
                       col("z", run), type, col("z", profile.type_column),
                       postgres::quoted_list(ends, postgres::quote_literal));
  }
  if (profile.slot_ids && write != Write::kNoop) {
    out += fmt::format(" AND NOT EXISTS (SELECT FROM {} s WHERE {} = $1::{} AND {})", table, col("s", run),
                       type, postgres::is_slot_number(col("s", id) + "::text"));
  }
  return out;
}

}  // namespace

std::string_view action_of(Write write) noexcept {
  switch (write) {
    case Write::kMove:
      return "removed";
    case Write::kCopy:
      return "recorded";
    case Write::kNoop:
      return "neutralised";
  }
  return "?";
}

std::string act_query(const core::Profile& profile, std::string_view run_type,
                      std::span<const StoredColumn> columns, Write write,
                      std::span<const std::string_view> only_types) {
  const auto type = key_type(run_type);
  const auto table = quoted_table(profile);
  const auto texts = row_texts("e", columns);
  const auto the_row = fmt::format("{} = $1::{} AND {}::text = $2", col("e", profile.run_column), type,
                                   col("e", profile.id_column));
  auto query = fmt::format(
      "WITH entry AS (INSERT INTO dupwatch.quarantine (action, requested_by, finding_id, rule, finding,"
      " table_name, run_id, event_id, kept) SELECT '{}', $7, $3, $4, $5::jsonb, $6, {}::text, {}::text, {}"
      " FROM {} e WHERE {} AND {} ON CONFLICT DO NOTHING RETURNING id, kept)",
      action_of(write), col("e", profile.run_column), col("e", profile.id_column), texts, table, the_row,
      may_go(profile, type, write, only_types));
  if (write == Write::kCopy) return query + " SELECT id, true FROM entry";
  // It reads from `entry`, so the row is there while the entry is checked, and what goes is what was kept.
  if (write == Write::kMove) {
    query += fmt::format(", taken AS (DELETE FROM {} e USING entry q", table);
  } else {
    query += fmt::format(", taken AS (UPDATE {} e SET {} = 'noop' FROM entry q", table,
                         postgres::quote_identifier(profile.type_column));
  }
  return query +
         fmt::format(
             " WHERE {} AND {} = q.kept RETURNING 1) SELECT id, EXISTS (SELECT FROM taken) FROM entry",
             the_row, texts);
}

std::string entry_query() {
  return "SELECT k.key, q.table_name, q.run_id, q.event_id, (q.restored_at IS NOT NULL)::text, q.action"
         " FROM dupwatch.quarantine q, jsonb_object_keys(q.kept) k(key) WHERE q.id = $1::bigint";
}

std::string kept_query() {
  return "SELECT q.id::text, q.event_id FROM dupwatch.quarantine q WHERE q.table_name = $1 AND q.run_id = $2"
         " AND q.finding_id = $3 AND q.action = $4 AND q.restored_at IS NULL"
         " AND coalesce(q.finding #>> '{duplicate,xid}' = $5, true)";
}

std::string restore_query(const core::Profile& profile, std::span<const StoredColumn> columns) {
  const auto names =
      postgres::quoted_list(columns, [](const auto& c) { return postgres::quote_identifier(c.name); });
  const auto values = postgres::quoted_list(columns, [](const auto& c) {
    return fmt::format("(q.kept ->> {})::{}", postgres::quote_literal(c.name), c.type);
  });
  return fmt::format(
      "WITH entry AS (UPDATE dupwatch.quarantine q SET restored_at = clock_timestamp(), restored_by ="
      " session_user WHERE q.id = $1::bigint AND q.restored_at IS NULL RETURNING q.kept),"
      " back AS (INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM entry q RETURNING *)"
      " SELECT {} = q.kept FROM back, entry q",
      postgres::qualified(profile.schema, profile.table), names, values, row_texts("back", columns));
}

std::string restore_noop_query(const core::Profile& profile, std::span<const StoredColumn> columns) {
  const auto type = std::ranges::find(columns, profile.type_column, &StoredColumn::name);
  return fmt::format(
      "WITH entry AS (UPDATE dupwatch.quarantine q SET restored_at = clock_timestamp(), restored_by ="
      " session_user WHERE q.id = $1::bigint AND q.restored_at IS NULL RETURNING q.kept, q.run_id, "
      "q.event_id),"
      " back AS (UPDATE {0} e SET {1} = (q.kept ->> {2})::{3} FROM entry q"
      " WHERE {4}::text = q.run_id AND {5}::text = q.event_id AND {6}::text = 'noop' RETURNING e.*)"
      " SELECT {7} = q.kept FROM back, entry q",
      quoted_table(profile), postgres::quote_identifier(profile.type_column),
      postgres::quote_literal(profile.type_column), type == columns.end() ? std::string("text") : type->type,
      col("e", profile.run_column), col("e", profile.id_column), col("e", profile.type_column),
      row_texts("back", columns));
}

std::string rfc3339(std::string_view time) {
  return fmt::format(R"(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))", time);
}

std::string list_query() {
  return fmt::format(
      "SELECT jsonb_build_object({})::text, q.id::text, {}, q.rule, q.run_id, q.event_id,"
      " coalesce({}, ''), q.action, count(*) OVER () FROM dupwatch.quarantine q"
      " WHERE $2::text IS NULL OR q.run_id = $2 ORDER BY q.id DESC LIMIT $1::int",
      kEntryJson, rfc3339("q.removed_at"), rfc3339("q.restored_at"));
}

std::string show_query() {
  return fmt::format(
      "SELECT entry::text, jsonb_pretty(entry) FROM (SELECT jsonb_build_object({}, 'finding', q.finding, "
      "'row',"
      " q.kept) AS entry FROM dupwatch.quarantine q WHERE q.id = $1::bigint) entries",
      kEntryJson);
}

}  // namespace dupwatch::quarantine
