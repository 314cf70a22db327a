#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/packed_text.hpp"
#include "daemon/postgres/catalog.hpp"

namespace dupwatch::postgres {

/// A watched column as the catalogue has it.
struct ColumnForm {
  std::string name;
  bool missing = false;
  /// pg_attribute.attgenerated: 's' stored, 'v' virtual, 0 = not generated.
  char generated = 0;
  /// The type below domains and arrays, without length: "text", "numeric", "bytea", "citext", ...
  std::string type;
  /// Values that differ in their bytes are equal under the column's collation.
  bool loose_collation = false;
  /// The type itself as SQL names it, without length: "character varying", "uuid", "text[]".
  std::string sql_type{};
  /// pg_type.typcategory of it, e.g. 'S' for texts, 'E' for enums, 'A' for arrays.
  char category = 0;
};

/// Whether both are written in one form, so that what was stored before compares with what comes: text and
/// varchar are the same but for a length.
[[nodiscard]] bool same_form(const ColumnForm& a, const ColumnForm& b) noexcept;

/// The configured publication, as far as the watched table goes.
struct PublicationForm {
  std::uint32_t oid = 0;
  /// The table is a member: directly, by its schema, or since the publication is FOR ALL TABLES.
  bool holds_table = false;
  bool inserts = false;
  bool via_root = false;
  /// Stored generated columns are published too (Postgres 18).
  bool generated_columns = false;
  /// Empty = none in force.
  std::string filter;
  /// Empty = none.
  std::vector<std::string> columns;
};

/// The watched table as the catalogue has it now, with all that decides whether its rows reach the stream and
/// our own queries. Any difference between two reads is a change that can silence a stream (rename under
/// wal2json, drop and re-create under pgoutput).
struct TableForm {
  /// E.g. 150018.
  int server_version = 0;
  std::uint32_t oid = 0;
  /// pg_class.relkind and relpersistence.
  char kind = 'r';
  char persistence = 'p';
  /// Row-level security applies to our own session.
  bool row_security = false;
  /// Rows are, or may be, in tables that inherit from it.
  bool has_children = false;
  /// A partition that is published under its root's name.
  bool published_as_root = false;
  /// Of a partitioned table: pg_class oids, in order.
  std::vector<std::uint32_t> leaves;
  /// One of the leaves is unlogged.
  bool unlogged_leaf = false;
  std::vector<ColumnForm> columns;
  std::optional<PublicationForm> publication;
  /// The run column's type without length, e.g. "character varying", "uuid"; empty when the column is
  /// missing.
  std::string run_type;

  [[nodiscard]] KeyTypes key_types(const core::Profile& profile) const;
  [[nodiscard]] const ColumnForm* column(const std::string& name) const noexcept;
  [[nodiscard]] bool partitioned() const noexcept { return kind == 'p'; }
  [[nodiscard]] std::vector<std::string> missing_columns() const;
  [[nodiscard]] std::vector<std::string> columns_of_type(std::string_view type) const;
};

/// How ids of the profile's column compare in SQL.
[[nodiscard]] core::TextOrder id_order(const TableForm& table, const core::Profile& profile) noexcept;

/// nullopt inside: no such table (nor view, nor foreign table).
[[nodiscard]] Expected<std::optional<TableForm>> find_table(Connection& sql, const core::Profile& profile,
                                                            const std::string& publication, Waiter& waiter);
/// The statement behind find_table for the asynchronous check, with its parameters.
[[nodiscard]] std::string table_query(int server_version);
[[nodiscard]] Connection::Params table_query_params(const core::Profile& profile,
                                                    const std::string& publication);
[[nodiscard]] TableForm read_table_form(const pg_result& result, int row);

/// Has the server say which of the needed types its own row filter keeps out, $1 = needed types. One row, one
/// column: their names, NULL = none. Fails where the filter asks for other columns.
[[nodiscard]] std::string filter_query(const core::Profile& profile, const std::string& filter);
[[nodiscard]] Connection::Params filter_query_params(const core::Profile& profile);
/// What the row filter keeps out, for people; nullopt inside: nothing that is needed, or there is none.
[[nodiscard]] Expected<std::optional<std::string>> filter_loss(Connection& sql, const core::Profile& profile,
                                                               const TableForm& table, Waiter& waiter);
/// The words for a filter that can't be judged.
[[nodiscard]] std::string filter_not_by_type(const core::Profile& profile, const std::string& filter);

/// How many of the tables $1 (an array of oids) hold something: one row, one column.
[[nodiscard]] std::string filled_tables_query();

}  // namespace dupwatch::postgres
