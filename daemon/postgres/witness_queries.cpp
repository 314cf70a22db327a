#include "daemon/postgres/witness_queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

constexpr int kTailRowsMax = 256;
constexpr std::int64_t kTailPages = 4;

constexpr std::array<std::string_view, 6> kPlainTypes = {"text", "varchar", "uuid", "int2", "int4", "int8"};

/// For an array of the column's own type, so that an index on it can be used.
std::string array_type(const TableForm& table, const std::string& name) {
  const auto* column = table.column(name);
  return column == nullptr || column->type == "varchar" ? "text" : column->type;
}

std::uint64_t number(const pg_result& result, int row, int column) {
  return static_cast<std::uint64_t>(to_int64(cell(result, row, column)));
}

}  // namespace

std::string tail_query(const core::Profile& profile) {
  return event_select(profile, {}) + fmt::format(" WHERE e.ctid >= $1::tid LIMIT {}", kTailRowsMax);
}

std::string tail_place(std::int64_t pages) {
  return fmt::format("({},0)", std::max<std::int64_t>(0, pages - kTailPages));
}

std::string moment_query() {
  // The primary counts, for what has a file, while track_counts is on.
  return "SELECT pg_snapshot_xmin(x.s), pg_snapshot_xmax(x.s), CASE WHEN pg_is_in_recovery() THEN"
         " pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END,"
         " CASE WHEN c.relkind = 'r' AND NOT pg_is_in_recovery() AND current_setting('track_counts')::bool"
         " THEN pg_stat_get_tuples_updated(c.oid) END, pg_stat_get_tuples_deleted(c.oid),"
         " pg_relation_filenode(c.oid), CASE WHEN c.relkind = 'r' AND has_column_privilege(c.oid, 'ctid',"
         " 'SELECT') AND has_column_privilege(c.oid, 'xmin', 'SELECT') THEN pg_relation_size(c.oid) /"
         " current_setting('block_size')::bigint END"
         " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,"
         " (SELECT pg_current_snapshot() AS s) x WHERE n.nspname = $1 AND c.relname = $2";
}

TableMoment read_moment(const pg_result& result, int row) {
  TableMoment out;
  out.moment.xmin = number(result, row, 0);
  out.moment.xmax = number(result, row, 1);
  out.moment.lsn = decoder::parse_lsn(cell(result, row, 2).value_or("")).value_or(decoder::Lsn{});
  if (cell(result, row, 3)) {
    out.moment.edits = core::Witness::Edits{
        .updates = number(result, row, 3), .deletes = number(result, row, 4), .file = number(result, row, 5)};
  }
  if (const auto pages = cell(result, row, 6)) out.pages = to_int64(pages);
  return out;
}

std::string pairs_query(const core::Profile& profile, const TableForm& table) {
  KeyTypes types{array_type(table, profile.run_column)};
  for (const auto& name : profile.scope_columns) types.scope.push_back(array_type(table, name));
  const RunKey key(profile, types);
  return fmt::format("SELECT {0}, e.{1} FROM {2} AS e WHERE {3} AND e.{1} = ANY ($2::{4}[])", key.text("e"),
                     quote_identifier(profile.id_column), qualified(profile.schema, profile.table),
                     key.is_one_of("e", "$1"), array_type(table, profile.id_column));
}

bool can_ask_pairs(const core::Profile& profile, const TableForm& table) {
  auto names = profile.scope_columns;
  names.insert(names.end(), {profile.run_column, profile.id_column});
  return std::ranges::all_of(names, [&](const std::string& name) {
    const auto* column = table.column(name);
    return column != nullptr && std::ranges::find(kPlainTypes, column->type) != kPlainTypes.end();
  });
}

}  // namespace dupwatch::postgres
