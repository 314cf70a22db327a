#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "daemon/core/backoff.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/copy_fields.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::run {

/// Fetches the runs that the watch asks for, one batch at a time, and asks again after a failure: the
/// transactions that wait for it hold the slot's position meanwhile. Owned by the loop thread.
class ReadBackFetcher {
 public:
  ReadBackFetcher(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql, process::Log& log,
                  std::uint64_t seed);

  /// What the current server can tell; call before the first pump() and after each reconnect.
  void configure(std::string read_back_copy) { copy_ = std::move(read_back_copy); }
  /// Submits the next batch if there is one and its retry time has come. While a backlog drains the batches
  /// start some milliseconds apart, so that each brings many runs; after long runs the pause is as long as
  /// they took.
  void pump(core::Instant now, bool backlog);
  /// When pump() wants to be called again; max() = when the watch has something new.
  [[nodiscard]] core::Instant deadline() const noexcept { return std::min(retry_at_, gather_until_); }
  /// The last batch failed for this reason and is being retried.
  [[nodiscard]] const std::optional<postgres::Error>& trouble() const noexcept { return trouble_; }

 private:
  static constexpr std::chrono::milliseconds kSilenceMin{60'000};
  static constexpr std::chrono::milliseconds kSilenceMax{600'000};

  void rest();
  void finished(std::optional<postgres::Error> error);

  const core::Config& config_;
  core::Watch& watch_;
  postgres::SqlClient& sql_;
  process::Log& log_;
  core::Backoff backoff_;
  std::string copy_;
  postgres::CopyFields fields_;
  bool in_flight_ = false;
  core::Instant retry_at_ = core::Instant::max();
  core::Instant
      now_{};  ///< of the last turn: rows are many, and a look at the clock costs as much as one of them
  core::Instant sent_{};
  core::Instant gather_until_ = core::Instant::max();
  std::uint64_t rows_before_ = 0;  ///< of the batch in flight, all that were read
  std::size_t runs_ = 0;           ///< of the batch in flight
  /// After a long batch so much time is left as it took: events of a run that is larger than the index would
  /// each ask for all of it.
  core::Instant rested_at_{};
  /// Longer after each failure: one that begins with a long search must not be given up for ever.
  std::chrono::milliseconds silence_max_ = kSilenceMin;
  std::optional<postgres::Error> trouble_;
};

}  // namespace dupwatch::run
