#include "daemon/findings/file_history.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <unordered_map>

#include "daemon/core/finding_record.hpp"
#include "daemon/core/reported_findings.hpp"

namespace dupwatch::findings {

std::vector<core::Finding> read_last_records(const std::string& path) {
  // A pipe or a terminal has no past.
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  std::ifstream file(path, std::ios::binary);
  const auto size = static_cast<std::size_t>(info.st_size);
  std::string line;
  if (size > kHistoryBytesMax) {
    file.seekg(static_cast<std::streamoff>(size - kHistoryBytesMax));
    std::getline(file, line);  // the rest of a line that begins before
  }
  std::map<std::uint64_t, core::Finding> last;  // by place in the file
  std::unordered_map<std::uint64_t, std::uint64_t> place;
  for (std::uint64_t number = 0; std::getline(file, line); ++number) {
    auto finding = core::read_finding(line);
    if (!finding) continue;
    const auto id = finding->id;
    if (const auto known = place.find(id); known != place.end()) last.erase(known->second);
    place[id] = number;
    last.emplace(number, std::move(*finding));
    if (last.size() <= core::ReportedFindings::kFindingsMax) continue;
    place.erase(last.begin()->second.id);
    last.erase(last.begin());
  }
  std::vector<core::Finding> findings;
  for (auto& [number, finding] : last) findings.push_back(std::move(finding));
  return findings;
}

std::vector<core::Finding> read_history(const std::string& path) {
  auto findings = read_last_records(path);
  std::erase_if(findings, [](const auto& finding) { return finding.state == core::FindingState::kGone; });
  return findings;
}

}  // namespace dupwatch::findings
