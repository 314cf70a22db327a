#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "daemon/app/clock.hpp"
#include "daemon/app/log.hpp"
#include "daemon/core/backoff.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/copy_fields.hpp"
#include "daemon/postgres/sql_client.hpp"

namespace dupwatch::app {

/// Fetches the runs that the watch asks for, one batch at a time, and asks again after a failure: the
/// transactions that wait for it hold the slot's position meanwhile. Owned by the loop thread.
class ReadBackPump {
 public:
  ReadBackPump(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql, Log& log,
               std::uint64_t seed);

  /// What the current server can tell; call before the first pump() and after each reconnect.
  void configure(std::string read_back_copy) { copy_ = std::move(read_back_copy); }
  /// Submits the next batch if there is one and its retry time has come. While a backlog drains the batches
  /// start some milliseconds apart, so that each brings many runs.
  void pump(Instant now, bool backlog);
  /// When pump() wants to be called again; max() = when the watch has something new.
  [[nodiscard]] Instant deadline() const noexcept { return std::min(retry_at_, gather_until_); }
  /// The last batch failed for this reason and is being retried.
  [[nodiscard]] const std::optional<postgres::Error>& trouble() const noexcept { return trouble_; }

 private:
  void finished(std::optional<postgres::Error> error);

  const core::Config& config_;
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  Log& log_;
  core::Backoff backoff_;
  std::string copy_;
  postgres::CopyFields fields_;
  bool in_flight_ = false;
  Instant retry_at_ = Instant::max();
  Instant now_{};  ///< of the last turn: rows are many, and a look at the clock costs as much as one of them
  Instant sent_{};
  Instant gather_until_ = Instant::max();
  std::optional<postgres::Error> trouble_;
};

}  // namespace dupwatch::app
