#include "daemon/postgres/upgrade_queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/audit_queries.hpp"
#include "daemon/postgres/guard_queries.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/slot_number.hpp"

namespace dupwatch::postgres {
namespace {

constexpr std::uint64_t kPageBytes = 8192;
constexpr std::uint64_t kSamplePages = 5'000;
constexpr int kGroupsMax = 20;
constexpr int kPinsMax = 50;
constexpr std::uint64_t kHour = 3'600'000;

/// $1 = schema, $2 = table.
constexpr std::string_view kOfTable =
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1 "
    "AND c.relname = $2";

Connection::Params table_params(const core::Profile& profile) {
  return {profile.schema, profile.table};
}

std::string text_at(const pg_result& result, int row, int column) {
  return std::string(cell(result, row, column).value_or(std::string_view{}));
}

std::uint64_t count_at(const pg_result& result, int row, int column) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_int64(cell(result, row, column))));
}

/// Asks, and hands each row of the answer on.
template <class Each>
std::optional<Error> each_row(Connection& sql, const std::string& query, const Connection::Params& params,
                              Waiter& waiter, Each each) {
  auto answer = ask(sql, query, params, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  for (int row = 0; row < row_count(result); ++row) each(result, row);
  return std::nullopt;
}

std::optional<Error> read_journal(Connection& sql, Waiter& waiter, core::UpgradeFacts& out) {
  auto& schema = out.schema;
  auto error = each_row(sql,
                        "SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
                        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                        " WHERE n.nspname = 'workflow_drizzle' AND c.relname = 'workflow_migrations'",
                        {}, waiter, [&](const pg_result& result, int row) {
                          schema.journal_exists = true;
                          schema.journal_readable = cell(result, row, 0) == "t";
                        });
  if (error || !schema.journal_readable) return error;
  return each_row(
      sql, "SELECT created_at FROM workflow_drizzle.workflow_migrations ORDER BY created_at DESC LIMIT 1", {},
      waiter,
      [&](const pg_result& result, int row) { schema.journal_newest = to_int64(cell(result, row, 0)); });
}

std::optional<Error> read_table(Connection& sql, const core::Profile& profile, Waiter& waiter,
                                core::UpgradeFacts& out) {
  return each_row(
      sql,
      fmt::format(
          "SELECT pg_is_in_recovery(), quote_ident(current_user), pg_table_size(c.oid), c.relreplident,"
          " (SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = c.oid AND contype = 'p'),"
          " EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid"
          " WHERE i.indrelid = c.oid AND x.relname = 'workflow_events_run_id_id_idx' AND i.indisunique"
          " AND i.indisvalid), current_setting('TimeZone') {}",
          kOfTable),
      table_params(profile), waiter, [&](const pg_result& result, int row) {
        out.standby = cell(result, row, 0) == "t";
        out.role = text_at(result, row, 1);
        out.table_bytes = count_at(result, row, 2);
        out.key.replica_identity = cell(result, row, 3).value_or("d").front();
        out.key.primary_key = text_at(result, row, 4);
        out.key.prebuilt = cell(result, row, 5) == "t";
        out.time_zone = text_at(result, row, 6);
      });
}

std::optional<Error> read_references(Connection& sql, const core::Profile& profile, Waiter& waiter,
                                     core::UpgradeFacts& out) {
  return each_row(
      sql,
      fmt::format("SELECT k.conrelid::regclass::text || '.' || k.conname {} JOIN "
                  "pg_catalog.pg_constraint k ON k.confrelid = c.oid AND k.contype = 'f' LIMIT {}",
                  kOfTable, kPinsMax),
      table_params(profile), waiter,
      [&](const pg_result& result, int row) { out.key.references.push_back(text_at(result, row, 0)); });
}

std::optional<Error> read_publications(Connection& sql, const core::Profile& profile, Waiter& waiter,
                                       core::UpgradeFacts& out) {
  // Column lists came with Postgres 15.
  const auto lacks = sql.server_version() < 150000
                         ? std::string("false")
                         : std::string(
                               "EXISTS (SELECT FROM pg_catalog.pg_publication_rel r JOIN "
                               "pg_catalog.pg_attribute a ON a.attrelid = r.prrelid AND a.attname IN "
                               "($3, $4) WHERE r.prpubid = p.oid AND r.prrelid = c.oid AND r.prattrs IS "
                               "NOT NULL AND NOT a.attnum = ANY (r.prattrs::int2[]))");
  auto params = table_params(profile);
  if (sql.server_version() >= 150000) {
    params.emplace_back(profile.run_column);
    params.emplace_back(profile.id_column);
  }
  return each_row(
      sql,
      fmt::format("SELECT p.pubname, p.pubupdate OR p.pubdelete, {} {} JOIN "
                  "pg_catalog.pg_publication_tables t ON t.schemaname = n.nspname AND t.tablename = "
                  "c.relname JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname LIMIT {}",
                  lacks, kOfTable, kPinsMax),
      params, waiter, [&](const pg_result& result, int row) {
        out.publications.push_back({.name = text_at(result, row, 0),
                                    .publishes_changes = cell(result, row, 1) == "t",
                                    .lacks_new_key = cell(result, row, 2) == "t"});
      });
}

std::optional<Error> read_pins(Connection& sql, const core::Profile& profile, Waiter& waiter,
                               core::UpgradeFacts& out) {
  return each_row(
      sql,
      fmt::format(
          "SELECT DISTINCT c.relname || '.' || a.attname, pg_describe_object(d.classid, d.objid, 0),"
          " d.classid = 'pg_publication_rel'::regclass FROM pg_catalog.pg_depend d"
          " JOIN pg_catalog.pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid"
          " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
          " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid"
          " WHERE n.nspname = $1 AND c.relname LIKE 'workflow\\_%' AND a.atttypid = 'timestamp'::regtype"
          " AND d.classid IN ('pg_publication_rel'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass,"
          " 'pg_trigger'::regclass) ORDER BY 1, 2 LIMIT {}",
          kPinsMax),
      {profile.schema}, waiter, [&](const pg_result& result, int row) {
        out.pinned.push_back({.column = text_at(result, row, 0),
                              .by = text_at(result, row, 1),
                              .publication = cell(result, row, 2) == "t"});
      });
}

/// The largest id of the moments before, behind "wrun_" or "wevt_": a ULID's time alone.
std::string ulid_before(std::string_view prefix, std::uint64_t millis) {
  constexpr std::string_view kBase32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string id(prefix);
  for (int digit = 9; digit >= 0; --digit)
    id += kBase32[(millis >> (5U * static_cast<unsigned>(digit))) & 31U];
  return id;
}

}  // namespace

std::string schema_query() {
  std::vector<std::string_view> columns{"workflow_events.created_at", "workflow_runs.status"};
  for (const auto& migration : core::migrations()) {
    if (!migration.adds.empty()) columns.push_back(migration.adds);
  }
  // The last three are of the log, whatever the column.
  return fmt::format(
      "SELECT c.relname || '.' || a.attname, a.atttypid = 'timestamptz'::regtype, tn.nspname = n.nspname,"
      " (SELECT pg_get_indexdef(i.indexrelid) LIKE '%attr_set%' FROM pg_catalog.pg_index i JOIN"
      " pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relname = $3 JOIN pg_catalog.pg_class e ON e.oid "
      "="
      " i.indrelid AND e.relname = $2 WHERE e.relnamespace = n.oid AND i.indisvalid),"
      " (SELECT pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class e ON "
      "e.oid ="
      " k.conrelid AND e.relname = $2 WHERE e.relnamespace = n.oid AND k.contype = 'p')"
      " FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN"
      " ('r', 'p') JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT "
      "a.attisdropped"
      " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_namespace tn ON tn.oid ="
      " t.typnamespace WHERE n.nspname = $1 AND c.relname || '.' || a.attname IN ({})",
      quoted_list(columns, quote_literal));
}

Connection::Params schema_query_params(const core::Profile& profile) {
  return {profile.schema, profile.table, std::string(kMigrationIndex)};
}

void read_schema_row(const pg_result& result, int row, core::MigrationState& out) {
  auto name = text_at(result, row, 0);
  if (name == "workflow_events.created_at") out.zoned_timestamps = cell(result, row, 1) == "t";
  if (name == "workflow_runs.status") out.enums_moved = cell(result, row, 2) == "t";
  const auto index = cell(result, row, 3);
  out.index_exists = index.has_value();
  out.index_covers_attributes = index == "t";
  out.key = text_at(result, row, 4);
  out.columns.insert(std::move(name));
}

Expected<core::UpgradeFacts> read_upgrade_catalogue(Connection& sql, const core::Profile& profile,
                                                    Waiter& waiter) {
  core::UpgradeFacts out;
  auto failed = each_row(sql, schema_query(), schema_query_params(profile), waiter,
                         [&](const pg_result& result, int row) { read_schema_row(result, row, out.schema); });
  if (failed) return std::move(*failed);
  if (auto error = read_journal(sql, waiter, out)) return std::move(*error);
  if (auto error = read_table(sql, profile, waiter, out)) return std::move(*error);
  if (auto error = read_references(sql, profile, waiter, out)) return std::move(*error);
  if (auto error = read_publications(sql, profile, waiter, out)) return std::move(*error);
  if (auto error = read_pins(sql, profile, waiter, out)) return std::move(*error);
  auto guard = find_guard(sql, profile, waiter);
  if (auto* error = std::get_if<Error>(&guard)) return std::move(*error);
  out.guard = std::get<std::optional<GuardState>>(guard).has_value();
  return out;
}

Expected<std::vector<core::WriterGroup>> read_writers(Connection& sql, const core::Profile& profile,
                                                      Waiter& waiter) {
  std::vector<core::WriterGroup> groups;
  // What may not be seen of a session is NULL.
  auto error = each_row(
      sql,
      fmt::format(
          "SELECT s.usename, s.application_name, count(*), max(extract(epoch FROM now() - "
          "s.backend_start))::bigint {} JOIN pg_catalog.pg_stat_activity s ON s.datname = "
          "current_database() AND s.pid <> pg_backend_pid() AND coalesce(s.backend_type, 'client "
          "backend') = 'client backend' AND s.application_name NOT LIKE 'dupwatch%' AND "
          "has_table_privilege(s.usesysid, c.oid, 'INSERT') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {}",
          kOfTable, kGroupsMax),
      table_params(profile), waiter, [&](const pg_result& result, int row) {
        const auto age = cell(result, row, 3);
        groups.push_back({.user = text_at(result, row, 0),
                          .application = text_at(result, row, 1),
                          .sessions = count_at(result, row, 2),
                          .seconds = age ? std::optional(to_int64(age)) : std::nullopt});
      });
  if (error) return std::move(*error);
  return groups;
}

Expected<std::vector<core::OpenRuns>> read_open_runs(Connection& sql, const core::Profile& profile,
                                                     std::uint64_t now_millis, Waiter& waiter) {
  const auto& runs = *profile.runs;
  const auto id = "r." + quote_identifier(runs.id_column);
  const auto events =
      fmt::format("SELECT FROM {} e WHERE e.{} = {}", qualified(profile.schema, profile.table),
                  quote_identifier(profile.run_column), id);
  const auto since = [&](std::uint64_t age) {
    return fmt::format("o.id COLLATE \"C\" >= {}",
                       quote_literal(ulid_before("wrun_", now_millis > age ? now_millis - age : 0)));
  };
  const auto query = fmt::format(
      "SELECT o.status, count(*), count(*) FILTER (WHERE o.foreign), count(*) FILTER (WHERE o.foreign AND "
      "o.entities), count(*) FILTER (WHERE o.foreign AND {0}), count(*) FILTER (WHERE o.foreign AND {1}),"
      " count(*) FILTER (WHERE o.foreign AND {2}), min(o.id COLLATE \"C\") FILTER (WHERE o.foreign)"
      " FROM (SELECT {3}::text AS id, r.{4}::text AS status, NOT EXISTS ({5} AND {6}) AS \"foreign\","
      " EXISTS ({5} AND e.{7}::text IN ('step_created', 'wait_created', 'hook_created')) AS entities FROM "
      "{8} r"
      " WHERE r.{4}::text IN ({9})) o GROUP BY 1 ORDER BY 1",
      since(kHour), since(24 * kHour), since(7 * 24 * kHour), id, quote_identifier(runs.status_column),
      events, is_slot_number("e." + quote_identifier(profile.id_column) + "::text"),
      quote_identifier(profile.type_column), qualified(runs.schema, runs.name),
      quoted_list(runs.open_states, quote_literal));
  std::vector<core::OpenRuns> out;
  auto error = each_row(sql, query, {}, waiter, [&](const pg_result& result, int row) {
    core::OpenRuns one{.status = text_at(result, row, 0),
                       .runs = count_at(result, row, 1),
                       .not_slots = count_at(result, row, 2),
                       .with_entities = count_at(result, row, 3),
                       .oldest = text_at(result, row, 7)};
    const auto hour = count_at(result, row, 4);
    const auto day = count_at(result, row, 5);
    const auto week = count_at(result, row, 6);
    one.hour = hour;
    one.day = day - hour;
    one.week = week - day;
    one.older = one.not_slots - week;
    out.push_back(std::move(one));
  });
  if (error) return std::move(*error);
  return out;
}

Expected<core::DrainRate> read_drain_rate(Connection& sql, const core::Profile& profile,
                                          std::uint64_t now_millis, Waiter& waiter) {
  std::vector<std::string> ends;
  for (const auto& type : profile.types) {
    if (type.ends_run) ends.push_back(type.name);
  }
  const auto type = "e." + quote_identifier(profile.type_column) + "::text";
  core::DrainRate rate;
  auto error = each_row(
      sql,
      fmt::format(
          "SELECT count(*) FILTER (WHERE {0} = 'run_created'), count(DISTINCT e.{1}) FILTER (WHERE {0} IN "
          "({2})) FROM {3} e WHERE e.{4} >= {5} AND {0} IN ('run_created', {2})",
          type, quote_identifier(profile.run_column), quoted_list(ends, quote_literal),
          qualified(profile.schema, profile.table), quote_identifier(profile.id_column),
          quote_literal(ulid_before("wevt_", now_millis > kHour ? now_millis - kHour : 0))),
      {}, waiter, [&](const pg_result& result, int row) {
        rate = {.begun = count_at(result, row, 0), .ended = count_at(result, row, 1)};
      });
  if (error) return std::move(*error);
  return rate;
}

SortSample sort_sample(const core::Profile& profile, std::uint64_t table_bytes) {
  const auto pages = std::max<std::uint64_t>(1, table_bytes / kPageBytes);
  const auto part = std::min(1.0, static_cast<double>(kSamplePages) / static_cast<double>(pages));
  const auto run = quote_identifier(profile.run_column);
  const auto id = quote_identifier(profile.id_column);
  // OFFSET keeps the planner from leaving the order out.
  return {.query =
              fmt::format("SELECT count(*) FROM (SELECT {0}, {1} FROM {2} TABLESAMPLE SYSTEM ({3:.6f}) ORDER "
                          "BY {0}, {1} OFFSET 0) AS s",
                          run, id, qualified(profile.schema, profile.table), part * 100),
          .part = part};
}

}  // namespace dupwatch::postgres
