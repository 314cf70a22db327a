#pragma once

#include "daemon/core/config.hpp"
#include "daemon/postgres/preflight.hpp"

/// What `run` needs beside the watched database: the lines of `dupwatch check` about it. Nothing is left
/// behind.
namespace dupwatch::cli {

/// The control group's memory, the findings file with its folder, and the address of http.listen; no server
/// is asked.
void check_host(const core::Config& config, postgres::CheckReport& report);

/// findings.table, heartbeat.dsn, and what the quarantine needs where its mode acts.
void check_other_sessions(const core::Config& config, postgres::Waiter& waiter,
                          postgres::CheckReport& report);

}  // namespace dupwatch::cli
