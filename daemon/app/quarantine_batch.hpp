#pragma once

#include "daemon/app/exit_code.hpp"
#include "daemon/app/quarantine_options.hpp"
#include "daemon/core/config.hpp"

namespace dupwatch::app {

/// `quarantine apply --from-audit`: an act for each row of a file, each in a transaction of its own, so that
/// each can be undone alone and what was done stays done when it is cut short.
[[nodiscard]] ExitCode apply_from_audit(const core::Config& config, const QuarantineOptions& options);

}  // namespace dupwatch::app
