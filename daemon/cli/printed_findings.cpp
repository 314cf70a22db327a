#include "daemon/cli/printed_findings.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::cli {

std::string PrintedFindings::list(std::vector<core::Finding> findings, decoder::Timestamp now) {
  std::string out;
  if (std::exchange(begun_, true)) {
    // As they were reported.
    std::ranges::reverse(findings);
    for (const auto& finding : findings) out += one(finding, now);
    return out;
  }
  for (const auto& finding : findings) known_[finding.id] = core::to_json(finding);
  if (!options_.json) return findings_table(findings, options_.width, now, colours_);
  for (const auto& finding : findings) out += core::to_json(finding) + '\n';
  return out;
}

std::string PrintedFindings::one(const core::Finding& finding, decoder::Timestamp now) {
  if (!options_.filter.admits(finding) && !known_.contains(finding.id)) return {};
  auto record = core::to_json(finding);
  auto& known = known_[finding.id];
  if (known == record) return {};
  known = record;
  return options_.json ? std::move(record) + '\n' : findings_line(finding, options_.width, now, colours_);
}

}  // namespace dupwatch::cli
