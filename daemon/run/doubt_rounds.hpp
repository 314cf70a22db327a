#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/copy_fields.hpp"
#include "daemon/postgres/sql_client.hpp"

namespace dupwatch::run {

/// Asks the table about runs in which something is missing by the rules of the profile, when that has lasted
/// long enough, on the query connection. Owned by the loop thread.
class DoubtRounds {
 public:
  /// Runs in one query; those that are left are asked about next.
  static constexpr std::size_t kRunsMax = 200;

  DoubtRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql);

  /// What the current server can tell; before the first tick() and after each reconnect.
  void configure(std::string read_back_copy, const core::LogTraits& traits);
  void tick(core::Instant now);
  [[nodiscard]] core::Instant deadline() const noexcept {
    return busy_ ? core::Instant::max() : watch_.doubts().next_due();
  }

 private:
  using Logs = std::unordered_map<std::string, core::RunLog>;
  void answered(const std::vector<std::string>& runs, const Logs& logs,
                const std::optional<postgres::Error>& error);

  const core::Config& config_;
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  core::TokenCodec codec_;
  core::ReplayRules rules_;
  std::string copy_;
  postgres::CopyFields fields_;
  bool busy_ = false;
};

}  // namespace dupwatch::run
