#pragma once

#include <cstdint>
#include <string>

#include "daemon/app/exit_code.hpp"
#include "daemon/core/config.hpp"
#include "daemon/postgres/audit_queries.hpp"

namespace dupwatch::app {

/// What a command that only reads wants to know of the table.
struct TableGround {
  std::string run_type{};
  bool run_index = false;
  bool commit_time = false;
  bool xmin = false;
  core::Engine ulid_engine = core::Engine::kV4;
  std::uint64_t rows_estimate = 0;
};
[[nodiscard]] postgres::Expected<TableGround> look_at_table(const core::Config& config,
                                                            postgres::Connection& sql,
                                                            postgres::Waiter& waiter);

[[nodiscard]] postgres::Error no_run_index(const core::Config& config);

/// One line on stderr, with the remedy, and the exit code that goes with the error.
[[nodiscard]] ExitCode tell_error(const postgres::Error& error);

}  // namespace dupwatch::app
