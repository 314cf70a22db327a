#pragma once

#include <vector>

#include "daemon/core/finding.hpp"

namespace dupwatch::core {

/// A finding of an earlier process, and which of its two stores has yet to get this record.
struct RestoredFinding {
  Finding finding;
  bool file_lacks = false;
  bool table_lacks = false;
};

/// What an earlier process found, by the records of the findings file and of the findings table: the newer
/// one of each finding, in the order of time. The process may have ended before both had it, and it is not
/// found again as long as it is known. Each list holds the last record of a finding, and the newest findings
/// alone: what is older than all of a list is taken to be in what it leaves out (rotated, pruned).
[[nodiscard]] std::vector<RestoredFinding> restored_findings(std::vector<Finding> file,
                                                             std::vector<Finding> table);

}  // namespace dupwatch::core
