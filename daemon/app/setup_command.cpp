#include <fmt/format.h>

#include <cstdio>

#include "daemon/app/commands.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/postgres/quarantine_queries.hpp"

namespace dupwatch::app {

ExitCode setup_command(const core::Config& config, const SetupOptions& options) {
  using postgres::TeardownTables;
  if (options.uninstall) {
    const auto dropped = options.discard_quarantined ? TeardownTables::kDropWithRows : TeardownTables::kDrop;
    fmt::print("{}", postgres::teardown_sql(config, options.drop_tables ? dropped : TeardownTables::kKeep));
  } else {
    fmt::print("{}", postgres::setup_sql(config));
    if (options.quarantine) fmt::print("{}", postgres::quarantine_setup_sql(config));
  }
  return ExitCode::kClean;
}

}  // namespace dupwatch::app
