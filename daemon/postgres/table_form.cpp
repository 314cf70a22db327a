#include "daemon/postgres/table_form.hpp"

#include <fmt/format.h>
#include <array>

#include <algorithm>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup.hpp"

namespace dupwatch::postgres {
namespace {

// Separate names, and the parts of one, in a cell; no sane name holds them.
constexpr char kUnitSeparator = '\x1f';
constexpr char kRecordSeparator = '\x1e';

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

char char_cell(const pg_result& result, int row, int column) {
  const auto text = cell(result, row, column).value_or("");
  return text.empty() ? '\0' : text.front();
}

/// Name, whether it is there, attgenerated, type, whether its collation is deterministic, the type as SQL
/// names it, its category.
ColumnForm read_column(const std::string& text) {
  auto parts = split(text, kUnitSeparator);
  parts.resize(7);
  return {.name = parts[0],
          .missing = parts[1] != "t",
          .generated = parts[2] == "-" || parts[2].empty() ? '\0' : parts[2].front(),
          .type = parts[3],
          .loose_collation = parts[4] == "f",
          .sql_type = parts[5],
          .category = parts[6].empty() ? '\0' : parts[6].front()};
}

std::optional<PublicationForm> read_publication(const pg_result& result, int row, int first) {
  if (!cell(result, row, first)) return std::nullopt;
  PublicationForm publication;
  publication.oid = static_cast<std::uint32_t>(to_int64(cell(result, row, first)));
  publication.holds_table = cell(result, row, first + 1) == "t";
  publication.inserts = cell(result, row, first + 2) == "t";
  publication.via_root = cell(result, row, first + 3) == "t";
  publication.generated_columns = cell(result, row, first + 4) == "s";
  publication.filter = cell(result, row, first + 5).value_or("");
  publication.columns = split(cell(result, row, first + 6).value_or(""), kUnitSeparator);
  return publication;
}

// The element's type for an array, the base type for a domain: one step of each, which is what people make.
constexpr std::string_view kColumns =
    "array_to_string(ARRAY(SELECT concat_ws(E'\\x1f', w.name, a.attname IS NOT NULL,"
    " coalesce(nullif(a.attgenerated::text, ''), '-'), coalesce(e.typname, b.typname, t.typname, '-'),"
    " coalesce((SELECT o.collisdeterministic FROM pg_catalog.pg_collation o WHERE o.oid = a.attcollation),"
    " true), coalesce(pg_catalog.format_type(a.atttypid, -1), '-'), coalesce(t.typcategory::text, '-'))"
    " FROM unnest($3::text[]) WITH ORDINALITY AS w(name, place)"
    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name AND a.attnum > 0"
    " AND NOT a.attisdropped"
    " LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_catalog.pg_type b ON b.oid = nullif(t.typbasetype, 0)"
    " LEFT JOIN pg_catalog.pg_type e ON e.oid = nullif(coalesce(b.typelem, t.typelem), 0)"
    " AND coalesce(b.typcategory, t.typcategory) = 'A'"
    " ORDER BY w.place), E'\\x1e')";

// A partitioned table is published by its leaves unless publish_via_partition_root is set.
constexpr std::string_view kHoldsTable =
    "CASE WHEN p.puballtables THEN true ELSE EXISTS (SELECT FROM pg_catalog.pg_publication_tables m WHERE"
    " m.pubname = p.pubname AND (m.schemaname = n.nspname AND m.tablename = c.relname OR c.relkind = 'p' AND"
    " (SELECT r.oid FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace WHERE"
    " s.nspname = m.schemaname AND r.relname = m.tablename) IN (SELECT l.relid FROM"
    " pg_catalog.pg_partition_tree(c.oid) l))) END";

std::string publication_columns(int server_version) {
  auto columns = fmt::format("p.oid, {}, p.pubinsert, p.pubviaroot, to_jsonb(p)->>'pubgencols'", kHoldsTable);
  if (server_version < 150000) return columns + ", NULL, NULL";
  // A publication that also holds the schema has no filter in force.
  return columns +
         ", CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_publication_namespace x WHERE x.pnpubid = p.oid"
         " AND x.pnnspid = c.relnamespace) THEN pg_catalog.pg_get_expr(r.prqual, r.prrelid) END,"
         " (SELECT string_agg(a.attname, E'\\x1f' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE"
         " a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[]))";
}

}  // namespace

bool same_form(const ColumnForm& a, const ColumnForm& b) noexcept {
  const auto is_text = [](const ColumnForm& column) {
    return column.type == "text" || column.type == "varchar";
  };
  return a.type == b.type || (is_text(a) && is_text(b));
}

const ColumnForm* TableForm::column(const std::string& name) const noexcept {
  const auto found = std::ranges::find(columns, name, &ColumnForm::name);
  return found == columns.end() ? nullptr : &*found;
}

KeyTypes TableForm::key_types(const core::Profile& profile) const {
  KeyTypes types{run_type};
  for (const auto& name : profile.scope_columns) {
    const auto* found = column(name);
    types.scope.push_back(found == nullptr ? std::string{} : found->sql_type);
  }
  return types;
}

std::vector<std::string> TableForm::missing_columns() const {
  std::vector<std::string> names;
  for (const auto& column : columns) {
    if (column.missing) names.push_back(column.name);
  }
  return names;
}

std::vector<std::string> TableForm::columns_of_type(std::string_view type) const {
  std::vector<std::string> names;
  for (const auto& column : columns) {
    if (column.type == type) names.push_back(column.name);
  }
  return names;
}

std::string table_query(int server_version) {
  // Exact names from the catalogue: no search_path, no folding of case. A hypertable without chunks has no
  // children yet: its trigger gives it away.
  return fmt::format(
      "SELECT current_setting('server_version_num')::int, c.oid, c.relkind, c.relpersistence,"
      " pg_catalog.row_security_active(c.oid),"
      " c.relkind = 'r' AND (EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) OR"
      " EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname ="
      " 'ts_insert_blocker')),"
      " c.relispartition AND coalesce(p.pubviaroot, false) AND (p.puballtables OR EXISTS (SELECT FROM"
      " pg_catalog.pg_partition_ancestors(c.oid) t JOIN pg_catalog.pg_publication_rel q ON q.prrelid ="
      " t.relid WHERE q.prpubid = p.oid AND t.relid <> c.oid)),"
      " CASE c.relkind WHEN 'p' THEN (SELECT string_agg(t.relid::oid::text, E'\\x1f' ORDER BY t.relid::oid)"
      " FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf AND t.relid <> c.oid) END,"
      " c.relkind = 'p' AND EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) t JOIN"
      " pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf AND l.relpersistence <> 'p'),"
      " {},"
      " (SELECT pg_catalog.format_type(a.atttypid, -1) FROM pg_catalog.pg_attribute a WHERE a.attrelid ="
      " c.oid AND a.attname = $5 AND a.attnum > 0 AND NOT a.attisdropped),"
      " {}"
      " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " LEFT JOIN pg_catalog.pg_publication p ON p.pubname = $4"
      " LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid"
      " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
      kColumns, publication_columns(server_version));
}

Connection::Params table_query_params(const core::Profile& profile, const std::string& publication) {
  return {profile.schema, profile.table, array_literal(watched_columns(profile)), publication,
          profile.run_column};
}

TableForm read_table_form(const pg_result& result, int row) {
  TableForm table;
  table.server_version = static_cast<int>(to_int64(cell(result, row, 0)));
  table.oid = static_cast<std::uint32_t>(to_int64(cell(result, row, 1)));
  table.kind = char_cell(result, row, 2);
  table.persistence = char_cell(result, row, 3);
  table.row_security = cell(result, row, 4) == "t";
  table.has_children = cell(result, row, 5) == "t";
  table.published_as_root = cell(result, row, 6) == "t";
  for (const auto& oid : split(cell(result, row, 7).value_or(""), kUnitSeparator)) {
    table.leaves.push_back(static_cast<std::uint32_t>(to_int64(oid)));
  }
  table.unlogged_leaf = cell(result, row, 8) == "t";
  for (const auto& column : split(cell(result, row, 9).value_or(""), kRecordSeparator)) {
    table.columns.push_back(read_column(column));
  }
  table.run_type = cell(result, row, 10).value_or("");
  table.publication = read_publication(result, row, 11);
  return table;
}

Expected<std::optional<TableForm>> find_table(Connection& sql, const core::Profile& profile,
                                              const std::string& publication, Waiter& waiter) {
  auto answer = ask(sql, table_query(sql.server_version()), table_query_params(profile, publication), waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (row_count(result) == 0) return std::optional<TableForm>{};
  return std::optional{read_table_form(result, 0)};
}

std::string filter_query(const core::Profile& profile, const std::string& filter) {
  const auto type = quote_identifier(profile.type_column.empty() ? "type" : profile.type_column);
  // The filter holds immutable built-in functions only.
  return fmt::format("SELECT string_agg({0}, ', ') FROM unnest($1::text[]) AS t({0}) WHERE ({1}) IS NOT TRUE",
                     type, filter);
}

Connection::Params filter_query_params(const core::Profile& profile) {
  return {array_literal(needed_types(profile))};
}

std::string filter_not_by_type(const core::Profile& profile, const std::string& filter) {
  if (needed_types(profile).empty() || profile.type_column.empty()) {
    return "every row is needed, but there is a row filter: " + filter;
  }
  return fmt::format("the row filter is not one on {} alone: {}", quote_identifier(profile.type_column),
                     filter);
}

Expected<std::optional<std::string>> filter_loss(Connection& sql, const core::Profile& profile,
                                                 const TableForm& table, Waiter& waiter) {
  using Loss = std::optional<std::string>;
  if (!table.publication || table.publication->filter.empty()) return Loss{};
  const auto& filter = table.publication->filter;
  if (needed_types(profile).empty() || profile.type_column.empty()) {
    return Loss{filter_not_by_type(profile, filter)};
  }
  auto answer = ask(sql, filter_query(profile, filter), filter_query_params(profile), waiter);
  if (auto* error = std::get_if<Error>(&answer)) {
    if (sql.broken() || error->sqlstate.empty()) return std::move(*error);
    return Loss{filter_not_by_type(profile, filter)};
  }
  const auto lost = cell(*std::get<Result>(answer), 0, 0);
  if (!lost) return Loss{};
  return Loss{fmt::format("the row filter keeps out rows that are needed: {}", *lost)};
}

std::string filled_tables_query() {
  return "SELECT count(*) FROM unnest($1::oid[]) AS t(id) WHERE pg_catalog.pg_relation_size(t.id) > 0";
}

core::TextOrder id_order(const TableForm& table, const core::Profile& profile) noexcept {
  constexpr std::array<std::string_view, 8> kNumbers = {"int2",   "int4",   "int8", "numeric",
                                                        "float4", "float8", "oid",  "xid8"};
  const auto column = std::ranges::find(table.columns, profile.id_column, &ColumnForm::name);
  const bool number =
      column != table.columns.end() && std::ranges::find(kNumbers, column->type) != kNumbers.end();
  return number ? core::TextOrder::kNumbers : core::TextOrder::kBytes;
}

}  // namespace dupwatch::postgres
