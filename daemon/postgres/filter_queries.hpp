#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"

/// Reading a whole log in the order of its pages, and then some of its runs.
namespace dupwatch::postgres {

/// How the table lies on the disk.
struct TableExtent {
  /// Pages; nullopt: not a table that can be read page by page (see table_extent).
  std::optional<std::int64_t> pages;
  /// Differs after rows were moved from one page to another.
  std::string layout;
};
/// Pages are given for a heap of its own, without partitions or children, whose ctid may be read, when the
/// planner may use it and the run column tells runs apart byte by byte.
[[nodiscard]] Expected<TableExtent> table_extent(Connection& sql, const core::Profile& profile,
                                                 Waiter& waiter);

/// COPY of run, id, type ('' when there is none) and identity columns as text, from one page to before
/// another; without `end` to the end of the table. In two statements, as for_runs().
[[nodiscard]] std::string pages_copy(const core::Profile& profile, core::SpecSource specs, std::int64_t begin,
                                     std::optional<std::int64_t> end);

/// COPY of the runs that for_runs() names, in the order of the run column.
[[nodiscard]] std::string sorted_runs_copy(const core::Profile& profile, const KeyTypes& types);
/// COPY of `select` (with FROM, alias e) for these runs, in order of runs.
[[nodiscard]] std::string picked_runs_copy(const core::Profile& profile, std::string_view select,
                                           const KeyTypes& types);

}  // namespace dupwatch::postgres
