#include <fmt/format.h>

#include <cstdio>

#include "daemon/app/commands.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/postgres/quarantine_queries.hpp"

namespace dupwatch::app {

ExitCode setup_command(const core::Config& config, bool uninstall, bool quarantine) {
  fmt::print("{}", uninstall ? postgres::teardown_sql(config) : postgres::setup_sql(config));
  if (quarantine && !uninstall) fmt::print("{}", postgres::quarantine_setup_sql(config));
  return ExitCode::kClean;
}

}  // namespace dupwatch::app
