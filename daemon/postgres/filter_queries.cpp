#include "daemon/postgres/filter_queries.hpp"

#include <fmt/format.h>

#include <limits>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

std::string of_e(const std::string& name) {
  return "e." + quote_identifier(name);
}

}  // namespace

Expected<TableExtent> table_extent(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  // What updates moved to another page counts with a delay of a second, and never on a standby.
  auto answer =
      ask(sql,
          "SELECT CASE WHEN c.relkind = 'r' AND NOT c.relhassubclass AND m.amname = 'heap'"
          " AND has_column_privilege(c.oid, 'ctid', 'SELECT') AND current_setting('enable_tidscan')::bool"
          " AND coalesce(l.collisdeterministic, true)"
          " THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint END,"
          " concat_ws(' ', c.oid, pg_relation_filenode(c.oid),"
          " pg_stat_get_tuples_updated(c.oid) - pg_stat_get_tuples_hot_updated(c.oid))"
          " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
          " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped"
          " LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam"
          " LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation"
          " WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3",
          {profile.schema, profile.table, profile.run_column}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  TableExtent extent;
  if (row_count(result) == 0) return extent;
  if (const auto pages = cell(result, 0, 0)) extent.pages = to_int64(pages);
  extent.layout = cell(result, 0, 1).value_or(std::string_view{});
  return extent;
}

std::string pages_copy(const core::Profile& profile, core::SpecSource specs, std::int64_t begin,
                       std::optional<std::int64_t> end) {
  auto columns = fmt::format("{}, {}, {}", RunKey(profile).text("e"), of_e(profile.id_column),
                             profile.type_column.empty() ? std::string{"''"} : of_e(profile.type_column));
  for (const auto& name : profile.identity_columns) columns += ", " + of_e(name);
  if (specs != core::SpecSource::kNone) columns += ", " + spec_of_row(profile, specs);
  // Beyond the last page of the largest table.
  const auto behind = end.value_or(std::numeric_limits<std::uint32_t>::max());
  // Rows without a run are left out by the reader: a filter here costs the server more.
  return fmt::format(
      "SELECT pg_catalog.set_config('dupwatch.begin', '({},0)', true) IS NULL,"
      " pg_catalog.set_config('dupwatch.end', '({},0)', true) IS NULL;"
      " COPY (SELECT {} FROM {} AS e WHERE e.ctid >= (SELECT "
      "pg_catalog.current_setting('dupwatch.begin')::tid)"
      " AND e.ctid < (SELECT pg_catalog.current_setting('dupwatch.end')::tid)) TO STDOUT",
      begin, behind, columns, qualified(profile.schema, profile.table));
}

std::string sorted_runs_copy(const core::Profile& profile, const KeyTypes& types) {
  const RunKey key(profile, types);
  // The branch without rows gives the order its collation.
  return fmt::format(
      "COPY (SELECT {} FROM (SELECT {} FROM {} AS e WHERE false UNION ALL ({})) e ORDER BY {}) TO STDOUT",
      key.text("e"), key.columns("e"), qualified(profile.schema, profile.table),
      key.taken_apart(key.named_runs()), key.columns("e"));
}

std::string picked_runs_copy(const core::Profile& profile, std::string_view select, const KeyTypes& types) {
  const RunKey key(profile, types);
  return fmt::format("COPY ({} WHERE {} ORDER BY {}) TO STDOUT", select, key.is_one_of("e", key.named_runs()),
                     key.columns("e"));
}

}  // namespace dupwatch::postgres
