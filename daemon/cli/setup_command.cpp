#include <fmt/format.h>

#include <cstdio>

#include "daemon/cli/command.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/quarantine/queries.hpp"

namespace dupwatch::cli {
namespace {

struct SetupOptions {
  /// Add what dupwatch quarantine needs.
  bool quarantine = false;
  /// Print what undoes it.
  bool uninstall = false;
  /// With uninstall: dupwatch's own tables too, unless one has the only copy of a row.
  bool drop_tables = false;
  /// Even then.
  bool discard_quarantined = false;
};

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

class SetupCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--print-sql", print_sql_, "Print the SQL; dupwatch never runs it itself")->required();
    app.add_flag("--quarantine", options_.quarantine,
                 "Add the table and the rights that dupwatch quarantine needs");
    auto* uninstall = app.add_flag("--uninstall", options_.uninstall, "Print the SQL that undoes the setup");
    auto* drop = app.add_flag("--drop-tables", options_.drop_tables,
                              "Drop dupwatch's own tables too, unless one has the only copy of a row");
    app.add_flag("--discard-quarantined", options_.discard_quarantined,
                 "Drop them even then: the rows that were taken out of the log are lost")
        ->needs(drop);
    drop->needs(uninstall);
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return setup_command(invocation.config, options_);
  }

 private:
  SetupOptions options_;
  bool print_sql_ = false;
};

}  // namespace

std::unique_ptr<Command> make_setup() {
  return std::make_unique<SetupCommand>();
}

}  // namespace dupwatch::cli
