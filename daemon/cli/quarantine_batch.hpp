#pragma once

#include "daemon/cli/quarantine_options.hpp"
#include "daemon/core/config.hpp"
#include "daemon/process/exit_code.hpp"

namespace dupwatch::cli {

/// `quarantine apply --from-audit`: an act for each row of a file, each in a transaction of its own, so that
/// each can be undone alone and what was done stays done when it is cut short.
[[nodiscard]] process::ExitCode apply_from_audit(const core::Config& config,
                                                 const QuarantineOptions& options);

}  // namespace dupwatch::cli
