#pragma once

#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/process/exit_code.hpp"

namespace dupwatch::cli {

/// Findings that somebody wants to acknowledge, or to take that back of.
struct AcknowledgeWish {
  std::vector<std::string> ids;
  bool take_back = false;
  std::string comment;
  std::string until = "24h";
  /// Empty: the user of this process.
  std::string by;
  bool json = false;
  /// In the place of http.listen; empty = none.
  std::string url;
};

/// Asks the daemon for one after the other, and prints what came of each. One that fails does not keep the
/// others from being tried; the code is that of the last failure.
[[nodiscard]] process::ExitCode acknowledge_findings(const core::Config& config, const AcknowledgeWish& wish);

}  // namespace dupwatch::cli
