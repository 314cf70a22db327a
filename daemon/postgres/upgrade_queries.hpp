#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/upgrade.hpp"
#include "daemon/postgres/catalog.hpp"

/// What `upgrade-check` asks the server. Each is one statement that only reads, under the session's
/// statement_timeout, and is answered by a standby too.
namespace dupwatch::postgres {

/// Tables, index, journal, key, publications, columns that something holds, time zone, guard: the catalogue
/// alone, and the newest entry of the journal.
[[nodiscard]] Expected<core::UpgradeFacts> read_upgrade_catalogue(Connection& sql,
                                                                  const core::Profile& profile,
                                                                  Waiter& waiter);
/// The part of it that tells which migrations were applied; no journal, and no right is needed. One row for
/// each column that is there.
[[nodiscard]] std::string schema_query();
[[nodiscard]] Connection::Params schema_query_params(const core::Profile& profile);
void read_schema_row(const pg_result& result, int row, core::MigrationState& out);
/// Sessions that may write the log, the largest groups first; not ours and not other dupwatchs'.
[[nodiscard]] Expected<std::vector<core::WriterGroup>> read_writers(Connection& sql,
                                                                    const core::Profile& profile,
                                                                    Waiter& waiter);
/// The profile has a table of runs. `now_millis` since 1970.
[[nodiscard]] Expected<std::vector<core::OpenRuns>> read_open_runs(Connection& sql,
                                                                   const core::Profile& profile,
                                                                   std::uint64_t now_millis, Waiter& waiter);
[[nodiscard]] Expected<core::DrainRate> read_drain_rate(Connection& sql, const core::Profile& profile,
                                                        std::uint64_t now_millis, Waiter& waiter);

/// Reads and sorts a sample of the log by (run_id, id).
struct SortSample {
  std::string query;
  /// The part of the table that it reads, above 0, at most 1.
  double part = 1;
};
[[nodiscard]] SortSample sort_sample(const core::Profile& profile, std::uint64_t table_bytes);

}  // namespace dupwatch::postgres
