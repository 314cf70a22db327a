#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/postgres/connection.hpp"

namespace dupwatch::postgres {

enum class Verdict : std::uint8_t { kPass, kWarn, kFail, kSkip };
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

/// One line of `dupwatch check`.
struct CheckLine {
  /// Stable slug: "reachable", "not_a_pooler", "wal_level", "plugin", ...
  std::string name;
  Verdict verdict = Verdict::kPass;
  /// What was found.
  std::string found;
  /// The exact SQL or command that mends it; empty when nothing is to be done.
  std::string fix;
};

struct CheckReport {
  std::vector<CheckLine> lines;
  /// The fault that made the check stop early (unreachable, refused), if any: decides exit code 3 or 4.
  std::optional<Error> stopped_by;
  [[nodiscard]] bool failed() const noexcept;
};

/// The preflight: reachable, not a pooler, version, wal_level, plugin (probe with a temporary slot), role
/// rights, slot and sender headroom, max_slot_wal_keep_size, publication shape, table and columns, SELECT
/// right, unique index and its WHERE, primary key, old transactions that block slot creation, existing slot's
/// state. Leaves nothing behind.
[[nodiscard]] CheckReport run_checks(const core::Config& config, Waiter& waiter);

/// SQL a DBA runs: role, grants, publication (insert only, column list; row filter and its trade-off as a
/// comment).
[[nodiscard]] std::string setup_sql(const core::Config& config);

/// What becomes of dupwatch's own tables: kDrop refuses while one holds the only copy of a row of the log.
enum class TeardownTables : std::uint8_t { kKeep, kDrop, kDropWithRows };
/// Undoes setup_sql and what was added for the quarantine, in one transaction.
[[nodiscard]] std::string teardown_sql(const core::Config& config,
                                       TeardownTables tables = TeardownTables::kKeep);

}  // namespace dupwatch::postgres
