#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "daemon/app/table_ground.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/postgres/connection.hpp"

/// Taking one row out of the log and putting it back, each in one transaction. What fails half-way is undone
/// by the server: after an error the connection is to be dropped.
namespace dupwatch::app {

/// What became of a request that met no error of the server.
struct ActOutcome {
  enum class Kind : std::uint8_t {
    kDone,
    kAlready,      ///< it was done before: nothing to do
    kWouldBeDone,  ///< a dry run
    kRefused,
    kUnknown  ///< no such finding or entry
  };
  Kind kind = Kind::kDone;
  /// Of dupwatch.quarantine; empty in a dry run and when refused.
  std::string entry{};
  std::string event_id{};
  /// Slug and sentence of kRefused.
  std::string reason{};
  std::string explanation{};
};
[[nodiscard]] std::string_view to_string(ActOutcome::Kind kind) noexcept;

/// Moves the row at fault of a finding to dupwatch.quarantine. The run is read and judged anew inside the
/// transaction, under a lock that keeps other dupwatch instances out of the run; the statement that deletes
/// checks once more, in its own snapshot, that the canonical row is there and that the run goes on. It takes
/// three round trips.
/// `sql` is a kSql connection outside of any transaction.
[[nodiscard]] postgres::Expected<ActOutcome> quarantine_row(
    const core::Config& config, const TableGround& table, const std::string& run_id,
    const std::string& finding_id, bool dry_run, postgres::Connection& sql, postgres::Waiter& waiter);

/// Moves a row that stands in the way of the engine's unique-index migrations, fatal or not; never the
/// canonical one. Judged anew under the same lock as by quarantine_row.
[[nodiscard]] postgres::Expected<ActOutcome> quarantine_for_migration(
    const core::Config& config, const TableGround& table, const std::string& run_id,
    const std::string& event_id, bool dry_run, postgres::Connection& sql, postgres::Waiter& waiter);

/// Puts the row of a quarantine entry back and compares it, column by column, with what was kept.
[[nodiscard]] postgres::Expected<ActOutcome> restore_row(const core::Config& config, const std::string& entry,
                                                         postgres::Connection& sql, postgres::Waiter& waiter);

}  // namespace dupwatch::app
