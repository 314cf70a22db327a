#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/postgres/connection.hpp"

/// The SQL behind the limits on what the daemon takes out of the log by itself. They are kept in the
/// database, so that they hold for all instances together and over restarts.
namespace dupwatch::quarantine {

/// dupwatch.quarantine_circuit and the rights on it; for setup. The daemon's role may open a circuit and look
/// at it; closing one takes UPDATE, which is a person's.
[[nodiscard]] std::string circuit_setup_sql(const std::string& role);

/// One row for table $1, run $2, finding $3: why the circuit is open (NULL = it is closed); the daemon's acts
/// within a minute, within an hour, within an hour on the run, all since the circuit was last closed; whether
/// the finding's row was put back by a person ("true").
[[nodiscard]] std::string limits_query();
struct Limits {
  std::optional<std::string> circuit;
  std::int64_t minute = 0;
  std::int64_t hour = 0;
  std::int64_t run = 0;
  bool restored = false;
};
[[nodiscard]] Limits read_limits(const pg_result& result);

/// Opens the circuit of table $1: $2 = reason, $3 = what happened. Nothing happens when it is open.
[[nodiscard]] std::string open_circuit_query();
/// Closes the circuit of table $1 and returns since when it was open and why; no row when it was closed.
[[nodiscard]] std::string close_circuit_query();
/// Of table $1, one row: since when the circuit is open, why, what happened, by whom (NULL when it is
/// closed); the daemon's acts within a minute and within an hour.
[[nodiscard]] std::string status_query();
/// What the role may not do to table $1 and dupwatch.quarantine, in words, "" = nothing is missing; $2 =
/// rows are to be removed.
[[nodiscard]] std::string missing_rights_query();
/// "t" when the table has row $2 of run $1.
[[nodiscard]] std::string row_exists_query(const core::Profile& profile, const std::string& run_type);

}  // namespace dupwatch::quarantine
