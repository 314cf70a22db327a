#include "daemon/run/doubt_rounds.hpp"

#include <utility>

#include "daemon/postgres/catalog.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::run {

DoubtRounds::DoubtRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql)
    : config_(config),
      watch_(watch),
      sql_(sql),
      codec_(process::random_seed()),
      rules_(config.profile, config.rules, codec_) {}

void DoubtRounds::configure(std::string read_back_copy, const core::LogTraits& traits) {
  copy_ = std::move(read_back_copy);
  codec_.set_order(traits.ids);
}

void DoubtRounds::tick(core::Instant now) {
  if (busy_ || copy_.empty()) return;
  auto runs = std::make_shared<std::vector<std::string>>(watch_.doubts().due(now, kRunsMax));
  if (runs->empty()) return;
  auto logs = std::make_shared<Logs>();
  busy_ = sql_.submit({.text = postgres::for_runs(*runs, copy_),
                       .params = {},
                       .on_row = {},
                       .on_copied =
                           [this, logs](std::string_view line) {
                             fields_.split(line);
                             const table::TableRow row(config_.profile, fields_);
                             row.add_to((*logs)[std::string(row.run_id())], config_.profile, codec_);
                           },
                       .on_done =
                           [this, runs, logs](const std::optional<postgres::Error>& error) {
                             busy_ = false;
                             answered(*runs, *logs, error);
                           }});
  if (busy_) return;
  for (const auto& run : *runs) watch_.doubts().put_off(run, now);
}

void DoubtRounds::answered(const std::vector<std::string>& runs, const Logs& logs,
                           const std::optional<postgres::Error>& error) {
  const auto now = process::steady_now();
  std::vector<core::ReplayRules::Verdict> verdicts;
  for (const auto& run : runs) {
    if (error) {
      watch_.doubts().put_off(run, now);
      continue;
    }
    verdicts.clear();
    const auto log = logs.find(run);
    if (log != logs.end()) rules_.judge_run(log->second, verdicts);
    std::vector<core::Finding> findings;
    for (const auto& verdict : verdicts) {
      if (!core::is_lasting(verdict.shape)) continue;
      findings.push_back(rules_.describe(log->second, verdict, run, core::Origin::kStream));
    }
    watch_.doubts_looked_at(run, std::move(findings), now);
  }
}

}  // namespace dupwatch::run
