#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/round_pace.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/core/witness.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/postgres/witness_queries.hpp"

namespace dupwatch::run {

/// Has the table asked for what core::Witness compares with the stream, some rows every few seconds on the
/// query connection. Owned by the loop thread.
class WitnessRounds {
 public:
  WitnessRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql);

  /// A stream of this table has started. `xmin`: the transaction ids of rows may be read.
  void started(const postgres::TableForm& table, bool xmin, core::Instant now);
  void tick(core::Instant now);
  [[nodiscard]] core::Instant deadline() const noexcept { return pace_.deadline(); }
  /// Stream and table have not been compared for long, a sentence; empty: they have.
  [[nodiscard]] std::string trouble(core::Instant now) const;
  /// What has become certain since the last call.
  [[nodiscard]] std::vector<core::Witness::Verdict> take() { return std::exchange(verdicts_, {}); }

 private:
  void ask_tail(core::Instant now);
  void ask_moment(core::Instant now);
  void moment_known(const postgres::TableMoment& moment, decoder::Lsn asked, core::Instant now);
  void ask_pairs(core::Instant now);
  void judge(core::Instant now);
  void note(const std::optional<postgres::Error>& error);
  void round_is_over();

  const core::Config& config_;
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  postgres::TableForm table_;
  bool xmin_ = false;
  bool busy_ = false;
  std::optional<std::int64_t> pages_;
  /// End of WAL at the last round: while it stands, there is nothing new to see.
  decoder::Lsn seen_to_;
  bool moved_ = false;
  std::vector<core::Witness::Verdict> verdicts_;
  core::RoundPace pace_;
  /// What one of the round's questions failed of.
  std::optional<postgres::Error> failed_;
};

}  // namespace dupwatch::run
