#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/run/daemon.hpp"

/// What the daemon does with a configuration that was read while it runs.
namespace dupwatch::run {

void Daemon::tick_reload(core::Instant now) {
  auto loaded = reloader_.take();
  if (!loaded) return;
  // Whatever the configuration says by now: a rotation asks in the same way.
  sink_.check_file();
  ConfigReloader::Answer answer;
  const process::Log::Field by{"by", std::string(loaded->by)};
  if (const auto* wanted = std::get_if<core::Config>(&loaded->result)) {
    const auto before = config_.log;
    // Told by the more talkative of the two configurations.
    if (wanted->log.level < before.level) log_.configure(wanted->log);
    answer.change = put_in_force(*wanted, now);
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
    log_.configure(config_.log);
    config_reload_ = {.successful = true,
                      .succeeded_unix_seconds = static_cast<double>(process::wall_now().micros) / 1e6};
  } else {
    const auto& problems = std::get<std::vector<config::ConfigProblem>>(loaded->result);
    for (const auto& problem : problems) answer.errors.push_back(config::format_problem(problem));
    log_.error("the configuration was not reloaded: the one before stays in force",
               {{"event", "config_reload_failed"},
                by,
                {"problems", std::to_string(answer.errors.size()), true},
                {"remedy", "correct what the next lines name, and reload again"}});
    for (const auto& error : answer.errors) log_.error(error, {{"event", "config_problem"}});
    config_reload_.successful = false;
  }
  // Whoever asked finds the metrics as they are now.
  publish(now);
  reloader_.answer(std::move(answer));
}

core::ConfigChange Daemon::put_in_force(const core::Config& wanted, core::Instant now) {
  const auto acknowledged = config_.findings.acknowledged;
  const auto recheck_interval = config_.recheck.interval;
  const auto http = config_.http;
  auto change = core::take_over(config_, wanted);
  sink_.set_log_rate_max(config_.findings.log_rate_max);
  watch_.acknowledged_changed(acknowledged);
  watch_.heartbeat().configure(config_.heartbeat, now);
  slot_return_.set_poll_interval(config_.poll.interval);
  next_poll_ = std::min(next_poll_, now + config_.poll.interval);
  if (config_.recheck.interval != recheck_interval) schedule_recheck(now);
  // Clients of /api/events have to show the new password, so it is not set for nothing.
  if (http_ && config_.http.basic_auth != http.basic_auth) http_->set_basic_auth(config_.http.basic_auth);
  if (http_ && config_.http.allowed_hosts != http.allowed_hosts) {
    http_->set_allowed_hosts(config_.http.allowed_hosts);
  }
  return change;
}

}  // namespace dupwatch::run
