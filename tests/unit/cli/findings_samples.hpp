#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/core/finding.hpp"
#include "program.hpp"
#include "tests/unit/web/canned_http.hpp"

/// What a daemon has found, and says of it.
namespace dupwatch::cli::findings_samples {

using core::FindingState;
using core::Severity;
using web::CannedHttp;
using Words = std::vector<std::string>;

inline core::Finding finding(std::uint64_t id, Severity severity, FindingState state = FindingState::kOpen) {
  core::Finding out;
  out.id = id;
  out.rule = core::Rule::kDuplicateCreated;
  out.shape = core::Shape::kAfterClose;
  out.severity = severity;
  out.state = state;
  out.table = "workflow.workflow_events";
  out.run_id = "wrun_" + std::to_string(id);
  out.identity = {"step_1"};
  out.type = "step_created";
  out.canonical.id = "wevt_1";
  out.duplicate.id = "wevt_2";
  // Long ago, so that its age in days does not change while the test runs.
  out.flagged_at = {1'700'000'000'000'000 + static_cast<std::int64_t>(id)};
  return out;
}

inline std::string page_of(const std::vector<core::Finding>& findings, const std::string& next = "null",
                           int total = 2) {
  std::string list;
  for (const auto& one : findings) list += (list.empty() ? "" : ",") + core::to_json(one);
  return R"({"findings":[)" + list + R"(],"total":)" + std::to_string(total) +
         R"(,"kept":2,"matched":2,"next":)" + next + "}";
}

}  // namespace dupwatch::cli::findings_samples
