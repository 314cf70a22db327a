#pragma once

#include <string>
#include <string_view>

#include "daemon/core/profile.hpp"
#include "daemon/table/judged_run.hpp"

namespace dupwatch::cli {

/// What `dupwatch explain` prints of a run: for people, and as one JSON document.
struct RunTextStyle {
  bool colours = false;
  /// Stands in the commands that are offered; see Invocation.
  std::string_view config_option{};
};
[[nodiscard]] std::string run_text(const table::JudgedRun& story, const core::Profile& profile,
                                   const RunTextStyle& style);
[[nodiscard]] std::string run_json(const table::JudgedRun& story, const core::Profile& profile);

}  // namespace dupwatch::cli
