#pragma once

#include "daemon/app/exit_code.hpp"
#include "daemon/app/quarantine_options.hpp"
#include "daemon/core/config.hpp"

namespace dupwatch::app {

/// `quarantine purge`: deletes old entries of dupwatch.quarantine, in transactions of at most a thousand.
[[nodiscard]] ExitCode purge_entries(const core::Config& config, const QuarantineOptions& options);

}  // namespace dupwatch::app
