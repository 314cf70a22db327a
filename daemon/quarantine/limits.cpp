#include "daemon/quarantine/limits.hpp"

#include <fmt/format.h>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/quarantine/queries.hpp"

namespace dupwatch::quarantine {
namespace {

constexpr std::string_view kRecent =
    "q.table_name = $1 AND q.requested_by = 'daemon' AND q.removed_at > greatest(now() - interval '1 hour',"
    " (SELECT max(c.closed_at) FROM dupwatch.quarantine_circuit c WHERE c.table_name = $1))";

}  // namespace

std::string circuit_setup_sql(const std::string& role) {
  return fmt::format(
      "-- Opened by the daemon when it has taken out more than the configuration allows or finds something "
      "it "
      "can't\n"
      "-- explain; `dupwatch quarantine resume`, as a role with UPDATE, closes it.\n"
      "CREATE TABLE IF NOT EXISTS dupwatch.quarantine_circuit (\n"
      "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
      "  table_name text NOT NULL,\n"
      "  reason text NOT NULL,\n"
      "  detail text NOT NULL,\n"
      "  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
      "  opened_by text NOT NULL DEFAULT session_user,\n"
      "  closed_at timestamptz,\n"
      "  closed_by text\n"
      ");\n"
      "CREATE UNIQUE INDEX IF NOT EXISTS quarantine_circuit_open ON dupwatch.quarantine_circuit (table_name)"
      " WHERE closed_at IS NULL;\n"
      "GRANT SELECT, INSERT (table_name, reason, detail) ON dupwatch.quarantine_circuit TO {};\n",
      role);
}

std::string limits_query() {
  return fmt::format(
      "SELECT (SELECT c.reason FROM dupwatch.quarantine_circuit c"
      " WHERE c.table_name = $1 AND c.closed_at IS NULL),"
      " count(*) FILTER (WHERE q.removed_at > now() - interval '1 minute'), count(*),"
      " count(*) FILTER (WHERE q.run_id = $2),"
      " (EXISTS (SELECT FROM dupwatch.quarantine r WHERE r.table_name = $1 AND r.run_id = $2"
      " AND r.finding_id = $3 AND r.restored_at IS NOT NULL))::text"
      " FROM dupwatch.quarantine q WHERE {}",
      kRecent);
}

Limits read_limits(const pg_result& result) {
  Limits limits{.circuit = {},
                .minute = postgres::to_int64(postgres::cell(result, 0, 1)),
                .hour = postgres::to_int64(postgres::cell(result, 0, 2)),
                .run = postgres::to_int64(postgres::cell(result, 0, 3)),
                .restored = postgres::cell(result, 0, 4) == "true"};
  if (const auto reason = postgres::cell(result, 0, 0)) limits.circuit = std::string(*reason);
  return limits;
}

std::string open_circuit_query() {
  return "INSERT INTO dupwatch.quarantine_circuit (table_name, reason, detail) VALUES ($1, $2, $3)"
         " ON CONFLICT DO NOTHING";
}

std::string close_circuit_query() {
  return "UPDATE dupwatch.quarantine_circuit SET closed_at = clock_timestamp(), closed_by = session_user"
         " WHERE table_name = $1 AND closed_at IS NULL RETURNING " +
         rfc3339("opened_at") + ", reason, detail";
}

std::string status_query() {
  return fmt::format(
      "SELECT {}, c.reason, c.detail, c.opened_by, n.minute, n.hour FROM"
      " (SELECT count(*) FILTER (WHERE q.removed_at > now() - interval '1 minute') AS minute, count(*) AS "
      "hour"
      " FROM dupwatch.quarantine q WHERE {}) n"
      " LEFT JOIN dupwatch.quarantine_circuit c ON c.table_name = $1 AND c.closed_at IS NULL",
      rfc3339("c.opened_at"), kRecent);
}

std::string missing_rights_query() {
  return "SELECT concat_ws(', ',"
         " CASE WHEN NOT has_table_privilege($1, 'SELECT') THEN 'SELECT from ' || $1 END,"
         " CASE WHEN $2::boolean AND NOT has_table_privilege($1, 'DELETE') THEN 'DELETE from ' || $1 END,"
         " CASE WHEN NOT has_table_privilege('dupwatch.quarantine', 'SELECT, INSERT')"
         " THEN 'SELECT from and INSERT into dupwatch.quarantine' END,"
         " CASE WHEN NOT has_table_privilege('dupwatch.quarantine_circuit', 'SELECT')"
         " OR NOT has_column_privilege('dupwatch.quarantine_circuit', 'detail', 'INSERT')"
         " THEN 'SELECT from and INSERT into dupwatch.quarantine_circuit' END)";
}

std::string row_exists_query(const core::Profile& profile, const std::string& run_type) {
  return fmt::format("SELECT EXISTS (SELECT FROM {} e WHERE e.{} = $1::{} AND e.{}::text = $2)",
                     quoted_table(profile), postgres::quote_identifier(profile.run_column),
                     key_type(run_type), postgres::quote_identifier(profile.id_column));
}

}  // namespace dupwatch::quarantine
