#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/cli/rehearsal.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/table/judged_run.hpp"
#include "daemon/table/repair_plan.hpp"

namespace dupwatch::cli {

/// What can be done about a run.
struct RunFix {
  table::RepairPlan plan;
  /// nullopt = it was not asked for.
  std::optional<Rehearsal> rehearsal{};

  /// Nothing is offered that was tried and is not known to help.
  [[nodiscard]] bool offered() const noexcept { return !rehearsal || rehearsal->lives(); }
};

/// What `dupwatch explain` prints of a run: for people, and as one JSON document.
struct RunTextStyle {
  bool colours = false;
  /// Stands in the commands that are offered; see Invocation.
  std::string_view config_option{};
};
[[nodiscard]] std::string run_text(const table::JudgedRun& story, const core::Profile& profile,
                                   const RunFix& fix, const RunTextStyle& style);
[[nodiscard]] std::string run_json(const table::JudgedRun& story, const RunFix& fix);

}  // namespace dupwatch::cli
