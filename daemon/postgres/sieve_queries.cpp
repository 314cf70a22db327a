#include "daemon/postgres/sieve_queries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

std::string of_e(const std::string& name) {
  return "e." + quote_identifier(name);
}

// As in read_back_query: the character types compare as text, without a length that would cut a value.
std::string run_array(std::string_view run_type) {
  const bool text_like = run_type.empty() || run_type == "text" || run_type == "character varying";
  return fmt::format("$1::{}[]", text_like ? "text" : run_type);
}

char unescaped(char c) noexcept {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;
  }
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

std::string pages_copy(const core::Profile& profile, std::int64_t begin, std::optional<std::int64_t> end) {
  auto columns = fmt::format("{}, {}, {}", of_e(profile.run_column), of_e(profile.id_column),
                             profile.type_column.empty() ? std::string{"''"} : of_e(profile.type_column));
  for (const auto& name : profile.identity_columns) columns += ", " + of_e(name);
  // Rows without a run are left out by the reader: a filter here costs the server more.
  auto query = fmt::format("COPY (SELECT {} FROM {} AS e WHERE e.ctid >= '({},0)'::tid", columns,
                           qualified(profile.schema, profile.table), begin);
  if (end) query += fmt::format(" AND e.ctid < '({},0)'::tid", *end);
  return query + ") TO STDOUT";
}

void CopyFields::split(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  size_ = 0;
  text_.clear();
  // Views into it stay valid: a value is never longer than its escaped form.
  if (line.find('\\') != std::string_view::npos) text_.reserve(line.size());
  for (bool more = true; more && size_ < kFieldsMax;) {
    const auto tab = line.find('\t');
    fields_[size_++] = value_of(line.substr(0, tab));
    more = tab != std::string_view::npos;
    if (more) line.remove_prefix(tab + 1);
  }
}

std::optional<std::string_view> CopyFields::value_of(std::string_view field) {
  if (field == "\\N") return std::nullopt;
  if (field.find('\\') == std::string_view::npos) return field;
  const auto begin = text_.size();
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool escape = field[i] == '\\' && i + 1 < field.size();
    text_ += escape ? unescaped(field[++i]) : field[i];
  }
  return std::string_view{text_}.substr(begin);
}

std::string sorted_runs_query(const core::Profile& profile, std::string_view run_type) {
  // The branch without rows gives the order its collation.
  return fmt::format(
      "SELECT e.run FROM (SELECT {} AS run FROM {} AS e WHERE false UNION ALL SELECT unnest({})) e ORDER BY "
      "e.run",
      of_e(profile.run_column), qualified(profile.schema, profile.table), run_array(run_type));
}

std::string picked_runs_query(const core::Profile& profile, std::string_view select,
                              std::string_view run_type) {
  const auto run = of_e(profile.run_column);
  return fmt::format("{} WHERE {} = ANY ({}) ORDER BY {}", select, run, run_array(run_type), run);
}

}  // namespace dupwatch::postgres
