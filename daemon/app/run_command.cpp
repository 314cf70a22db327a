#include "daemon/app/commands.hpp"
#include "daemon/app/daemon.hpp"
#include "daemon/app/log.hpp"

namespace dupwatch::app {

ExitCode run_command(const core::Config& config) {
  StopSignals stop;  // before any thread, so that all of them inherit the blocked signals
  Log log(config.log);
  Daemon daemon(config, stop, log);
  return daemon.run();
}

}  // namespace dupwatch::app
