#pragma once

#include <cstddef>
#include <string>

#include "daemon/web/status_store.hpp"
#include "daemon/web/verdict.hpp"

namespace dupwatch::web {

/// Body of /api/status.
[[nodiscard]] std::string status_json(const core::StatusSnapshot& status, const Verdict& verdict);

/// Body of /api/findings: at most `limit` findings, the newest first, and how many there were since the
/// start.
[[nodiscard]] std::string findings_json(const StatusStore& store, std::size_t limit);

/// {"error":"..."}
[[nodiscard]] std::string error_json(std::string_view message);

}  // namespace dupwatch::web
