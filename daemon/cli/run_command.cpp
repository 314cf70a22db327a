#include <utility>

#include "daemon/cli/commands.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/daemon.hpp"

namespace dupwatch::cli {

process::ExitCode run_command(const core::Config& config, std::function<config::ConfigResult()> load) {
  // Before any thread, so that all of them inherit the blocked signals.
  process::StopSignals stop;
  process::ReloadSignal reload;
  process::Log log(config.log);
  run::Daemon daemon(config, stop, log, std::move(load), reload);
  return daemon.run();
}

}  // namespace dupwatch::cli
