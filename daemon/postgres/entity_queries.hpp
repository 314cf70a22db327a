#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"

/// What no event shows: questions to the engine's own tables, each about the runs of $1 that are in a state
/// of $2 (both array_literal) and each over an index on the run. Rows: run, entity, what is missing or stands
/// before it.
namespace dupwatch::postgres {

/// A table of the profile that may be read; what is not there or not granted is simply not asked.
struct ReadableTables {
  bool runs = false;
  bool steps = false;
  bool waits = false;
};
[[nodiscard]] Expected<ReadableTables> readable_tables(Connection& sql, const core::RunsTable& runs,
                                                       Waiter& waiter);

/// Open runs behind $1, in order: $1 = the last run seen, $2 = states, $3 = how many.
[[nodiscard]] std::string next_open_runs_query(const core::RunsTable& runs);

/// Runs without run_created.
[[nodiscard]] std::string orphan_runs_query(const core::Profile& profile);
/// Steps without step_created.
[[nodiscard]] std::string orphan_steps_query(const core::Profile& profile);
/// Completed waits without wait_completed.
[[nodiscard]] std::string orphan_waits_query(const core::Profile& profile);
/// Running steps that were started more than once and neither retried nor ended.
[[nodiscard]] std::string stuck_steps_query(const core::Profile& profile);
/// Slot-numbered rows whose predecessor is missing: run, that row's id, the id before the hole, and the spec
/// version of the run.
[[nodiscard]] std::string slot_gaps_query(const core::Profile& profile, core::SpecSource specs);
/// The same of the runs of $1 that have not ended, by the event log alone.
[[nodiscard]] std::string slot_gaps_of_query(const core::Profile& profile, core::SpecSource specs,
                                             const KeyTypes& types = {});

/// Most rows that one of these brings.
inline constexpr int kEntityRowsMax = 1000;

}  // namespace dupwatch::postgres
