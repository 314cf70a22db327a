#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"

/// Reading a whole log in pieces of entire runs, each piece by the index on the run column and in a snapshot
/// of its own: no long transaction, no sort of the table on the server, no temporary file.
namespace dupwatch::postgres {

class RunPieces {
 public:
  RunPieces(const core::Profile& profile, const KeyTypes& types);
  /// The run with which a piece of about `rows` rows ends; no row when the rest is smaller. $1 = the run
  /// behind which it begins, unless `from_start`.
  [[nodiscard]] std::string end_query(bool from_start, std::uint64_t rows) const;
  /// `select` (with FROM, alias e) for the runs behind $1 up to $2; without `to_end` all runs behind $1; with
  /// `from_start` $1 is the end.
  [[nodiscard]] std::string rows_query(std::string_view select, std::string_view condition, bool from_start,
                                       bool has_end) const;

 private:
  std::string table_;
  RunKey key_;
};

/// A column that the log has and we may read.
[[nodiscard]] Expected<bool> can_read_column(Connection& sql, const core::Profile& profile,
                                             const std::string& name, Waiter& waiter);
/// An index leads with the scope columns and the run column, in this order: without one every piece would
/// read the whole table.
[[nodiscard]] Expected<bool> has_run_index(Connection& sql, const core::Profile& profile, Waiter& waiter);
/// The planner's estimate of the table's rows.
[[nodiscard]] Expected<std::int64_t> estimated_rows(Connection& sql, const core::Profile& profile,
                                                    Waiter& waiter);

/// Rows that the engine's index migration looks at, and those that close their entities: run, id, type,
/// correlation id, block and line of ctid.
[[nodiscard]] std::string migration_select(const core::Profile& profile);
inline constexpr std::string_view kMigrationIndex = "workflow_events_entity_creation_unique";
/// What the catalogue says of that index.
struct MigrationIndex {
  bool exists = false;
  bool covers_attributes = false;
};
[[nodiscard]] Expected<MigrationIndex> migration_index(Connection& sql, const core::Profile& profile,
                                                       Waiter& waiter);

/// All rows of one run ($1) in the order of their ids: the columns of event_select, then created_at in
/// microseconds, behind a ~
/// where the column has no zone, or NULL.
[[nodiscard]] Expected<std::string> run_rows_query(Connection& sql, const core::Profile& profile,
                                                   const KeyTypes& types, const RowExtras& extras,
                                                   core::TextOrder ids, Waiter& waiter);
/// The text of it, for what is known of the table's columns and of the server.
[[nodiscard]] std::string run_rows_text(const core::Profile& profile, const KeyTypes& types,
                                        const RowExtras& extras, bool created_at, core::TextOrder ids);

}  // namespace dupwatch::postgres
