#include "daemon/run/reloads.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {
namespace {

core::ConfigReload succeeded() {
  return {.successful = true,
          .succeeded_unix_seconds = static_cast<double>(process::wall_now().micros) / 1e6};
}

}  // namespace

Reloads::Reloads(const core::Config& running, ConfigReloader::Load load, process::ReloadSignal& signal,
                 process::EventFd& wake, process::Log& log)
    : running_(running), log_(log), reloader_(std::move(load), signal, wake), stats_(succeeded()) {}

ConfigReloader::Answer Reloads::apply(const ConfigReloader::Loaded& loaded, Taker& taker, core::Instant now) {
  ConfigReloader::Answer answer;
  const process::Log::Field by{"by", std::string(loaded.by)};
  if (const auto* wanted = std::get_if<core::Config>(&loaded.result)) {
    // Told by the more talkative of the two configurations.
    if (wanted->log.level < running_.log.level) log_.configure(wanted->log);
    answer.change = taker.put_in_force(*wanted, now);
    const process::Log::Fields fields{
        {"event", "config_reloaded"},
        by,
        {"applied", fmt::format("{}", fmt::join(answer.change.applied, ","))},
        {"needs_restart", fmt::format("{}", fmt::join(answer.change.needs_restart, ","))}};
    if (answer.change.needs_restart.empty()) {
      log_.info("configuration reloaded", fields);
    } else {
      log_.warn("configuration reloaded; some changed keys count from the next start on", fields);
    }
    log_.configure(running_.log);
    stats_ = succeeded();
    return answer;
  }
  const auto& problems = std::get<std::vector<config::ConfigProblem>>(loaded.result);
  for (const auto& problem : problems) answer.errors.push_back(config::format_problem(problem));
  log_.error("the configuration was not reloaded: the one before stays in force",
             {{"event", "config_reload_failed"},
              by,
              {"problems", std::to_string(answer.errors.size()), true},
              {"remedy", "correct what the next lines name, and reload again"}});
  for (const auto& error : answer.errors) log_.error(error, {{"event", "config_problem"}});
  stats_.successful = false;
  return answer;
}

}  // namespace dupwatch::run
