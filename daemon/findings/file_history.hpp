#pragma once

#include <string>
#include <vector>

#include "daemon/core/finding.hpp"

namespace dupwatch::findings {

/// How much of the end of the findings file is read at a start.
inline constexpr std::size_t kHistoryBytesMax = std::size_t{64} << 20U;

/// The last record of each finding, from the end of a findings file, the oldest first; empty
/// when it can't be read, which opening it for writing reports. Lines that are no record are left out.
[[nodiscard]] std::vector<core::Finding> read_last_records(const std::string& path);
/// Those of findings that are not gone.
[[nodiscard]] std::vector<core::Finding> read_history(const std::string& path);

}  // namespace dupwatch::findings
