#pragma once

#include <string>

#include "daemon/core/profile.hpp"
#include "daemon/table/judged_run.hpp"

namespace dupwatch::cli {

/// What `dupwatch explain` prints of a run: for people, and as one JSON document.
[[nodiscard]] std::string run_text(const table::JudgedRun& story, const core::Profile& profile, bool colours);
[[nodiscard]] std::string run_json(const table::JudgedRun& story, const core::Profile& profile);

}  // namespace dupwatch::cli
