#pragma once

#include "daemon/cli/findings_source.hpp"
#include "daemon/cli/findings_view.hpp"

namespace dupwatch::cli {

struct WatchOptions {
  core::FindingFilter filter;
  /// Of those that are there at the begin; 0 = all.
  std::size_t limit = 0;
  TableWidth width = TableWidth::kNarrow;
  /// One record on each line instead of the table.
  bool json = false;
  std::string url;
};

/// Prints the findings that the daemon has and then each as it is reported, until the process is stopped. A
/// daemon that goes away is waited for. Returns only when there was none at the begin.
[[nodiscard]] process::ExitCode watch_findings(const core::Config& config, const WatchOptions& options);

}  // namespace dupwatch::cli
