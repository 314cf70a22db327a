#include <utility>

#include "daemon/cli/command.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/daemon.hpp"

namespace dupwatch::cli {
namespace {

process::ExitCode run_command(const core::Config& config, std::function<config::ConfigResult()> load) {
  // Before any thread, so that all of them inherit the blocked signals.
  process::StopSignals stop;
  process::ReloadSignal reload;
  process::Log log(config.log);
  run::Daemon daemon(config, stop, log, std::move(load), reload);
  return daemon.run();
}

class RunCommand final : public Command {
 public:
  void add_options(CLI::App& /*app*/) override {}
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return run_command(invocation.config, invocation.reload);
  }
};

}  // namespace

std::unique_ptr<Command> make_run() {
  return std::make_unique<RunCommand>();
}

}  // namespace dupwatch::cli
