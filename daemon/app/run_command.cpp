#include <utility>

#include "daemon/app/commands.hpp"
#include "daemon/app/daemon.hpp"
#include "daemon/app/log.hpp"

namespace dupwatch::app {

ExitCode run_command(const core::Config& config, std::function<config::ConfigResult()> load) {
  // Before any thread, so that all of them inherit the blocked signals.
  StopSignals stop;
  ReloadSignal reload;
  Log log(config.log);
  Daemon daemon(config, stop, log, std::move(load), reload);
  return daemon.run();
}

}  // namespace dupwatch::app
