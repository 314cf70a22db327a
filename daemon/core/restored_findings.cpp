#include "daemon/core/restored_findings.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <utility>

namespace dupwatch::core {
namespace {

std::int64_t oldest(const std::vector<Finding>& findings) {
  auto out = std::numeric_limits<std::int64_t>::max();
  for (const auto& finding : findings) out = std::min(out, finding.flagged_at.micros);
  return findings.empty() ? std::numeric_limits<std::int64_t>::min() : out;
}

}  // namespace

std::vector<RestoredFinding> restored_findings(std::vector<Finding> file, std::vector<Finding> table) {
  const auto file_begins = oldest(file);
  const auto table_begins = oldest(table);
  std::vector<RestoredFinding> out;
  std::unordered_map<std::uint64_t, std::size_t> place;
  for (auto& finding : table) {
    place.emplace(finding.id, out.size());
    const bool in_range = finding.flagged_at.micros >= file_begins;
    out.push_back({.finding = std::move(finding), .file_lacks = in_range});
  }
  for (auto& finding : file) {
    const auto known = place.find(finding.id);
    if (known == place.end()) {
      const bool in_range = finding.flagged_at.micros >= table_begins;
      out.push_back({.finding = std::move(finding), .table_lacks = in_range});
      continue;
    }
    auto& restored = out[known->second];
    restored.file_lacks = finding.flagged_at < restored.finding.flagged_at;
    restored.table_lacks = finding.flagged_at > restored.finding.flagged_at;
    if (restored.table_lacks) restored.finding = std::move(finding);
  }
  // A store gets what it lacks in the order of time, or what comes first would pass for left out.
  std::ranges::stable_sort(out, {}, [](const RestoredFinding& one) { return one.finding.flagged_at; });
  return out;
}

}  // namespace dupwatch::core
