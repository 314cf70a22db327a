#include "daemon/postgres/engine_table_queries.hpp"

#include <fmt/format.h>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

// By the planner's estimate: the hooks and waits that live are few, and a look reads all of them.
constexpr int kTableRowsMax = 100'000;
// Of the hooks that hold one token.
constexpr int kIdsShown = 5;
// Characters of an id; none that an engine makes is as long.
constexpr int kIdChars = 200;

/// Whether the columns are there, the role may read them, and the table is small.
std::string readable(std::string_view schema, std::string_view table, std::string_view columns, int count) {
  return fmt::format(
      "coalesce((SELECT c.reltuples <= {} AND has_schema_privilege(n.oid, 'USAGE') AND (SELECT count(*) = {}"
      " AND bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT')) FROM pg_catalog.pg_attribute a"
      " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY ('{{{}}}'))"
      " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " WHERE n.nspname = {} AND c.relname = '{}'), false)",
      kTableRowsMax, count, columns, schema, table);
}

constexpr std::string_view kJobs =
    "(SELECT c.{} FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'graphile_worker' AND c.relname = '_private_jobs')";

}  // namespace

std::string engine_tables_query() {
  return fmt::format(
      "SELECT {}, {}, {} AND coalesce({} <= {}, true),"
      " EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1"
      " AND c.relname = 'workflow_hooks' AND a.attname = 'token_retention_until' AND NOT a.attisdropped),"
      " CASE WHEN NOT pg_is_in_recovery() AND current_setting('track_counts')::bool"
      " THEN pg_stat_get_tuples_inserted({}) END",
      readable("$1", "workflow_hooks", "run_id,hook_id,token", 3),
      readable("$1", "workflow_waits", "run_id,wait_id,status", 3),
      readable("'graphile_worker'", "jobs", "id,task_identifier,attempts,max_attempts,locked_at", 5),
      fmt::format(fmt::runtime(kJobs), "reltuples"), kTableRowsMax, fmt::format(fmt::runtime(kJobs), "oid"));
}

EngineTables read_engine_tables(const pg_result& result, int row) {
  EngineTables out;
  for (int i = 0; i < static_cast<int>(out.readable.size()); ++i) {
    out.readable.at(static_cast<std::size_t>(i)) = cell(result, row, i) == "t";
  }
  out.tokens_are_kept = cell(result, row, 3) == "t";
  if (const auto jobs = cell(result, row, 4)) out.jobs = static_cast<std::uint64_t>(to_int64(jobs));
  return out;
}

std::string engine_trouble_query(core::EngineTableTrouble kind, const core::Profile& profile,
                                 const EngineTables& tables) {
  const auto& schema = profile.runs->schema;
  const auto limit = core::EngineTableBook::kRowsMax + 1;
  switch (kind) {
    case core::EngineTableTrouble::kHookToken:
      return fmt::format(
          "SELECT left(min(run_id::text), {0}), array_to_string((array_agg(left(hook_id::text, {0}) ORDER BY "
          "hook_id))[1:{1}], ', ')"
          " FROM {2} {3}GROUP BY token HAVING count(*) > 1 LIMIT {4}",
          kIdChars, kIdsShown, qualified(schema, "workflow_hooks"),
          tables.tokens_are_kept ? "WHERE token_retention_until IS NULL " : "", limit);
    case core::EngineTableTrouble::kSilentWait:
      return fmt::format(
          "SELECT left(w.run_id::text, {0}), left(w.wait_id::text, {0}) FROM {1} w WHERE w.status::text = "
          "'completed' AND NOT EXISTS"
          " (SELECT FROM {2} e WHERE e.{3}::text = w.run_id::text AND e.{4}::text = 'wait_completed'"
          " AND w.wait_id::text = concat(w.run_id::text, '-', e.{5}::text)) LIMIT {6}",
          kIdChars, qualified(schema, "workflow_waits"), qualified(profile.schema, profile.table),
          quote_identifier(profile.run_column), quote_identifier(profile.type_column),
          quote_identifier(profile.identity_columns.front()), limit);
    case core::EngineTableTrouble::kGivenUpJob:
      return fmt::format(
          "SELECT '', concat(left(task_identifier::text, {}), ' ', id::text) FROM graphile_worker.jobs"
          " WHERE attempts >= max_attempts AND locked_at IS NULL LIMIT {}",
          kIdChars, limit);
  }
  return {};
}

}  // namespace dupwatch::postgres
