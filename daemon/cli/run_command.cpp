#include <system_error>
#include <utility>

#include "daemon/cli/command.hpp"
#include "daemon/process/log.hpp"
#include "daemon/process/log_writer.hpp"
#include "daemon/run/daemon.hpp"

namespace dupwatch::cli {
namespace {

process::ExitCode run_command(const core::Config& config, std::function<config::ConfigResult()> load) {
  process::reserve_standard_descriptors();
  // Before any thread, so that all of them inherit the blocked signals.
  process::StopSignals stop;
  process::ReloadSignal reload;
  process::Log log(config.log);
  try {
    log.write_on_own_thread();
    run::Daemon daemon(config, stop, log, std::move(load), reload);
    return daemon.run();
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) throw;
    log.error("no thread can be started",
              {{"reason", "threads"},
               {"error", error.what()},
               {"remedy", "raise the limit of threads: ulimit -u, TasksMax= of the unit, or pids.max"},
               {"exit_code", "4", true}});
    return process::ExitCode::kTemporary;
  }
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
