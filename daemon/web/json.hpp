#pragma once

#include <string>

#include "daemon/web/findings_query.hpp"
#include "daemon/web/status_store.hpp"
#include "daemon/web/verdict.hpp"

namespace dupwatch::web {

/// Body of /api/status.
[[nodiscard]] std::string status_json(const core::StatusSnapshot& status, const Verdict& verdict);

/// Body of /api/findings: a page, how many findings there are, and the cursor of the next page.
[[nodiscard]] std::string findings_json(const StatusStore& store, const FindingsQuery& query);

/// Body of /api/runs/ID: at most 1000 kept findings of the run, open fatal ones before others; empty
/// where there is none.
[[nodiscard]] std::string run_findings_json(const StatusStore& store, std::string_view run_id);

/// {"error":"..."}
[[nodiscard]] std::string error_json(std::string_view message);

}  // namespace dupwatch::web
