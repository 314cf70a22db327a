#include "daemon/quarantine/batch_queries.hpp"

#include <fmt/format.h>

#include "daemon/postgres/quoting.hpp"
#include "daemon/quarantine/queries.hpp"

namespace dupwatch::quarantine {

std::string whereabouts_query(const core::Profile& profile, std::string_view run_type) {
  // As in named_runs: without a length that would cut a value.
  const std::string_view type = run_type.empty() || run_type == "character varying" ? "text" : run_type;
  return fmt::format(
      "SELECT (SELECT q.id::text FROM dupwatch.quarantine q WHERE q.table_name = $1 AND q.run_id = $2::text"
      " AND q.event_id = $3 AND q.restored_at IS NULL),"
      " EXISTS (SELECT FROM {} e WHERE e.{} = $2::text::{} AND e.{}::text = $3)",
      postgres::qualified(profile.schema, profile.table), postgres::quote_identifier(profile.run_column),
      type, postgres::quote_identifier(profile.id_column));
}

std::string aged_query() {
  return "SELECT count(q.id), count(q.id) FILTER (WHERE q.restored_at IS NULL), " + rfc3339("m.moment") +
         ", has_table_privilege('dupwatch.quarantine', 'DELETE')"
         " FROM (SELECT now() - $2::bigint * interval '1 millisecond' AS moment) m"
         " LEFT JOIN dupwatch.quarantine q ON q.table_name = $1 AND q.removed_at < m.moment"
         " GROUP BY m.moment";
}

std::string purge_query() {
  return "DELETE FROM dupwatch.quarantine WHERE id IN (SELECT q.id FROM dupwatch.quarantine q"
         " WHERE q.table_name = $1 AND q.removed_at < $2::timestamptz ORDER BY q.id LIMIT $3::int)"
         " RETURNING id";
}

}  // namespace dupwatch::quarantine
