#pragma once

#include "daemon/cli/quarantine_options.hpp"
#include "daemon/core/config.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/exit_code.hpp"

/// `dupwatch quarantine status` and `resume`: what the daemon took out by itself, and the circuit that stops
/// it.
namespace dupwatch::cli {

[[nodiscard]] postgres::Expected<process::ExitCode> circuit_status(const core::Config& config,
                                                                   const QuarantineOptions& options,
                                                                   postgres::Connection& sql,
                                                                   postgres::Waiter& waiter);

/// Closes the circuit: every instance acts again.
[[nodiscard]] postgres::Expected<process::ExitCode> circuit_resume(const core::Config& config,
                                                                   const QuarantineOptions& options,
                                                                   postgres::Connection& sql,
                                                                   postgres::Waiter& waiter);

}  // namespace dupwatch::cli
