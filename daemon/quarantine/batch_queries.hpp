#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/core/profile.hpp"

/// The SQL of the quarantine's work on many rows.
namespace dupwatch::quarantine {

/// Where a row is: the entry of dupwatch.quarantine that keeps it or NULL, and whether it is in the log. $1 =
/// table, $2 = run, $3 = event.
[[nodiscard]] std::string whereabouts_query(const core::Profile& profile, std::string_view run_type);

/// Entries of table $1 that were made more than $2 milliseconds ago: how many, how many of them were never
/// restored, the moment (as text) before which they were made, and whether the role may delete them.
[[nodiscard]] std::string aged_query();
/// Deletes at most $3 entries of table $1 made before $2; returns one row for each.
[[nodiscard]] std::string purge_query();

}  // namespace dupwatch::quarantine
