#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/core/reported_findings.hpp"

/// Findings to be reported, and moments.
namespace dupwatch::core::reported_samples {

using namespace std::chrono_literals;

inline Instant at(std::chrono::seconds time) {
  return Instant{} + 1h + time;
}

/// A finding about row "d<id>" of run "r".
inline Finding finding(std::uint64_t id, const std::string& canonical = "b",
                       Severity severity = Severity::kHarmless) {
  Finding out;
  out.id = id;
  out.rule = Rule::kDuplicateCreated;
  out.severity = severity;
  out.run_id = "r";
  out.canonical.id = canonical;
  out.duplicate.id = "d" + std::to_string(id);
  return out;
}

inline Finding closed(Finding finding, const std::string& closing = "closing") {
  finding.closing.emplace().id = closing;
  finding.after_close = true;
  return finding;
}

inline Finding with_state(Finding finding, FindingState state) {
  finding.state = state;
  return finding;
}

inline bool admits(ReportedFindings& reported, Finding finding, std::chrono::seconds time = 0s) {
  return reported.admit(finding, at(time));
}

inline std::uint64_t open(const ReportedFindings& reported, Severity severity = Severity::kHarmless,
                          Rule rule = Rule::kDuplicateCreated) {
  return reported.open()[static_cast<std::size_t>(rule)][static_cast<std::size_t>(severity)];
}

inline std::vector<std::uint64_t> ids(const std::vector<Finding>& findings) {
  std::vector<std::uint64_t> out;
  for (const auto& each : findings) out.push_back(each.id);
  std::ranges::sort(out);
  return out;
}

}  // namespace dupwatch::core::reported_samples
