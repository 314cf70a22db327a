#pragma once

#include "daemon/cli/quarantine_options.hpp"
#include "daemon/core/config.hpp"
#include "daemon/process/exit_code.hpp"

namespace dupwatch::cli {

/// `quarantine purge`: deletes old entries of dupwatch.quarantine, in transactions of at most a thousand.
[[nodiscard]] process::ExitCode purge_entries(const core::Config& config, const QuarantineOptions& options);

}  // namespace dupwatch::cli
