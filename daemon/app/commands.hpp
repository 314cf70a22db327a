#pragma once

#include "daemon/app/event_fd.hpp"
#include "daemon/app/exit_code.hpp"
#include "daemon/core/config.hpp"

/// The commands besides `run`. They print for people, or one JSON document with `json`, on stdout; what went
/// wrong goes to stderr as one line with its remedy.
namespace dupwatch::app {

[[nodiscard]] ExitCode run_command(const core::Config& config);
/// Preflight; kFindings when a line failed.
[[nodiscard]] ExitCode check_command(const core::Config& config, bool json);
/// SQL for a DBA; `uninstall` prints what undoes it. Touches no database.
[[nodiscard]] ExitCode setup_command(const core::Config& config, bool uninstall);
/// Drops the replication slot; kClean also when there was none.
[[nodiscard]] ExitCode drop_command(const core::Config& config, bool json);

}  // namespace dupwatch::app
