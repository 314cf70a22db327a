#include <fmt/format.h>

#include <cstdio>

#include "daemon/cli/commands.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/quarantine/queries.hpp"

namespace dupwatch::cli {

process::ExitCode setup_command(const core::Config& config, const SetupOptions& options) {
  using postgres::TeardownTables;
  if (options.uninstall) {
    const auto dropped = options.discard_quarantined ? TeardownTables::kDropWithRows : TeardownTables::kDrop;
    fmt::print("{}", postgres::teardown_sql(config, options.drop_tables ? dropped : TeardownTables::kKeep));
  } else {
    fmt::print("{}", postgres::setup_sql(config));
    if (options.quarantine) fmt::print("{}", quarantine::setup_sql(config));
  }
  return process::ExitCode::kClean;
}

}  // namespace dupwatch::cli
