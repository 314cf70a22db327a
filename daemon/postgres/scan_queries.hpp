#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"

/// Statements that read existing rows: all of the log, or the open runs of it.
namespace dupwatch::postgres {

/// The runs table exists and its two columns may be read.
[[nodiscard]] Expected<bool> can_read_runs(Connection& sql, const core::RunsTable& runs, Waiter& waiter);
/// What the schema tells of the engine, for which no right is needed, and the spec versions of the newest
/// runs, where they may be read. Of a profile with a table of runs.
[[nodiscard]] Expected<core::EngineSigns> engine_signs(Connection& sql, const core::Profile& profile,
                                                       Waiter& waiter);
/// The same in two questions that do not wait: what the schema tells, and, where that shows that they may be
/// read, the spec versions of the newest runs.
[[nodiscard]] std::string engine_signs_query();
[[nodiscard]] Connection::Params engine_signs_params(const core::RunsTable& runs);
struct SchemaSigns {
  core::EngineSigns signs;
  bool specs_readable = false;
};
[[nodiscard]] SchemaSigns read_engine_signs(const pg_result& result, int row);
[[nodiscard]] std::string newest_specs_query(const core::RunsTable& runs);
void read_specs(const pg_result& result, int row, core::EngineSigns& out);
/// Ids of runs in an open state.
[[nodiscard]] std::string open_runs_query(const core::RunsTable& runs);
/// The table has places of rows (no partitions), and they may be read.
[[nodiscard]] Expected<bool> can_read_places(Connection& sql, const core::Profile& profile, Waiter& waiter);
/// Whether a session waits for a table that this session's transaction has locked. Whoever comes after waits
/// behind it: an INSERT behind an ALTER TABLE.
[[nodiscard]] Expected<bool> somebody_waits(Connection& sql, Waiter& waiter);
/// Runs of the log's last kUnlistedPages pages that the table of runs does not have.
inline constexpr int kUnlistedPages = 1024;
[[nodiscard]] std::string unlisted_runs_query(const core::Profile& profile);
[[nodiscard]] std::string open_runs_count_query(const core::RunsTable& runs);

/// The tracked rows of the whole table, ordered by run; with `open_only` of the runs without a run-end event.
/// Literals instead of parameters, because a cursor is declared for it.
[[nodiscard]] std::string table_scan_query(const core::Profile& profile, bool open_only,
                                           const RowExtras& extras);

}  // namespace dupwatch::postgres
