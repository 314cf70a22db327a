#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/run_log.hpp"
#include "tests/oracle/event.hpp"
#include "tests/sim/options.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::sim {

/// Runs as a scan or a recheck judges them, from a snapshot of the table.
class JudgedRuns {
 public:
  JudgedRuns(const core::Config& config, const Options& options)
      : config_(config), options_(options), rules_(config.profile, config.rules, codec_) {
    rules_.set_auto_engines(auto_engines(options));
  }
  void add(const oracle::Event& row) {
    auto& log = logs_[row.run_id];
    if (!core::is_tracked(config_.profile, row)) return;
    const auto added = core::add_event(log, codec_, config_.profile, row);
    log.shown(added.row, core::engine_of_spec(spec_of_run(options_, row.run_id)), codec_);
  }
  [[nodiscard]] std::vector<core::Finding> findings(core::Origin origin) {
    std::vector<core::Finding> out;
    std::vector<core::ReplayRules::Verdict> verdicts;
    for (const auto& [run, log] : logs_) {
      verdicts.clear();
      rules_.judge_run(log, verdicts);
      for (const auto& verdict : verdicts) out.push_back(rules_.describe(log, verdict, run, origin));
    }
    return out;
  }

 private:
  const core::Config& config_;
  const Options& options_;
  core::TokenCodec codec_;
  core::ReplayRules rules_;
  std::map<std::string, core::RunLog> logs_;
};

}  // namespace dupwatch::sim
