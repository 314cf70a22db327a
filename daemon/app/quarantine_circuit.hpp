#pragma once

#include "daemon/app/exit_code.hpp"
#include "daemon/app/quarantine_options.hpp"
#include "daemon/core/config.hpp"
#include "daemon/postgres/catalog.hpp"

/// `dupwatch quarantine status` and `resume`: what the daemon took out by itself, and the circuit that stops
/// it.
namespace dupwatch::app {

[[nodiscard]] postgres::Expected<ExitCode> circuit_status(const core::Config& config,
                                                          const QuarantineOptions& options,
                                                          postgres::Connection& sql,
                                                          postgres::Waiter& waiter);

/// Closes the circuit: every instance acts again.
[[nodiscard]] postgres::Expected<ExitCode> circuit_resume(const core::Config& config,
                                                          const QuarantineOptions& options,
                                                          postgres::Connection& sql,
                                                          postgres::Waiter& waiter);

}  // namespace dupwatch::app
