#include "daemon/postgres/audit_queries.hpp"

#include <fmt/format.h>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

constexpr std::string_view kRelation =
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

std::string column(const std::string& name) {
  return "e." + quote_identifier(name);
}

}  // namespace

Expected<bool> can_read_column(Connection& sql, const core::Profile& profile, const std::string& name,
                               Waiter& waiter) {
  return ask_bool(sql,
                  fmt::format("SELECT has_column_privilege(c.oid, a.attnum, 'SELECT'){}"
                              " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped"
                              " WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3",
                              kRelation),
                  {profile.schema, profile.table, name}, waiter);
}

RunPieces::RunPieces(const core::Profile& profile, const KeyTypes& types)
    : table_(qualified(profile.schema, profile.table)), key_(profile, types) {}

std::string RunPieces::end_query(bool from_start, std::uint64_t rows) const {
  const auto begin = from_start ? std::string{} : fmt::format(" WHERE {}", key_.compare("e", ">", "$1"));
  return fmt::format("SELECT {} FROM {} e{} ORDER BY {} OFFSET {} LIMIT 1", key_.text("e"), table_, begin,
                     key_.columns("e"), rows);
}

std::string RunPieces::rows_query(std::string_view select, std::string_view condition, bool from_start,
                                  bool has_end) const {
  std::string query = fmt::format("{} WHERE {}", select, key_.not_null("e"));
  int number = 0;
  const auto parameter = [&] { return fmt::format("${}", ++number); };
  if (!from_start) query += " AND " + key_.compare("e", ">", parameter());
  if (has_end) query += " AND " + key_.compare("e", "<=", parameter());
  if (!condition.empty()) query += fmt::format(" AND {}", condition);
  return query + " ORDER BY " + key_.columns("e");
}

Expected<bool> has_run_index(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  auto key = profile.scope_columns;
  key.push_back(profile.run_column);
  return ask_bool(
      sql,
      fmt::format(
          "SELECT true{} JOIN pg_catalog.pg_index i ON i.indrelid = c.oid"
          " WHERE n.nspname = $1 AND c.relname = $2 AND $3::text[] = ARRAY(SELECT a.attname::text FROM"
          " unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) JOIN pg_catalog.pg_attribute a"
          " ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE k.place <= cardinality($3::text[])"
          " ORDER BY k.place) AND i.indisvalid AND i.indpred IS NULL LIMIT 1",
          kRelation),
      {profile.schema, profile.table, array_literal(key)}, waiter);
}

Expected<std::int64_t> estimated_rows(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  auto answer =
      ask(sql,
          fmt::format("SELECT greatest(c.reltuples, 0)::bigint{} WHERE n.nspname = $1 AND c.relname = $2",
                      kRelation),
          {profile.schema, profile.table}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  return row_count(result) == 0 ? std::int64_t{0} : to_int64(cell(result, 0, 0));
}

std::string migration_select(const core::Profile& profile) {
  return fmt::format(
      "SELECT {}, {}, {}, {}, (e.ctid::text::point)[0]::bigint, (e.ctid::text::point)[1]::bigint FROM {} AS "
      "e",
      column(profile.run_column), column(profile.id_column), column(profile.type_column),
      column(profile.identity_columns[0]), qualified(profile.schema, profile.table));
}

Expected<MigrationIndex> migration_index(Connection& sql, const core::Profile& profile, Waiter& waiter) {
  auto answer =
      ask(sql,
          fmt::format("SELECT pg_catalog.pg_get_indexdef(i.indexrelid) LIKE '%attr_set%'{}"
                      " JOIN pg_catalog.pg_index i ON i.indrelid = c.oid"
                      " JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid"
                      " WHERE n.nspname = $1 AND c.relname = $2 AND x.relname = $3 AND i.indisvalid",
                      kRelation),
          {profile.schema, profile.table, std::string(kMigrationIndex)}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (row_count(result) == 0) return MigrationIndex{};
  return MigrationIndex{.exists = true, .covers_attributes = cell(result, 0, 0) == "t"};
}

std::string run_rows_text(const core::Profile& profile, const KeyTypes& types, const RowExtras& extras,
                          bool created_at, core::TextOrder ids) {
  auto select = event_select(profile, extras);
  const auto from = select.rfind(" FROM ");
  // Without a zone it is the time of whatever zone the writer had, and counts where the id has none.
  select.insert(from,
                created_at
                    ? ", CASE WHEN pg_typeof(e.created_at) = 'timestamptz'::regtype THEN '' ELSE '~' END || "
                      "(extract(epoch FROM e.created_at) * 1000000)::bigint"
                    : ", NULL");
  return fmt::format("{} WHERE {} ORDER BY {}{}", select, RunKey(profile, types).compare("e", "=", "$1"),
                     column(profile.id_column),
                     ids == core::TextOrder::kNumbers ? "" : "::text COLLATE \"C\"");
}

Expected<std::string> run_rows_query(Connection& sql, const core::Profile& profile, const KeyTypes& types,
                                     const RowExtras& extras, core::TextOrder ids, Waiter& waiter) {
  auto created = can_read_column(sql, profile, "created_at", waiter);
  if (auto* error = std::get_if<Error>(&created)) return std::move(*error);
  return run_rows_text(profile, types, extras, std::get<bool>(created), ids);
}

}  // namespace dupwatch::postgres
