#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::findings {

/// Writes findings to findings.table on the daemon's SQL connection, in order, until the server has taken
/// each; and reads the open ones at the start, so that they are known again. Nothing is read from the stream
/// before that was tried once. Owned by the loop thread; without findings.table it does nothing.
class TableWriter {
 public:
  /// Rows kept while the table refuses them; above this the stream is not read any further.
  static constexpr std::size_t kWaitingBytesMax = std::size_t{4} << 20U;

  TableWriter(const core::Config& config, postgres::SqlClient& sql, process::Log& log, std::uint64_t seed);

  /// Which row of the finding that is there is written over.
  enum class Over : std::uint8_t {
    kAny,
    kOther  ///< one that says something else of it
  };
  void add(const core::Finding& finding, Over over = Over::kAny);
  /// Submits what is due. Call while streaming.
  void pump(core::Instant now);
  /// When pump() wants to be called again; max() = when there is something new.
  [[nodiscard]] core::Instant deadline() const noexcept { return retry_at_; }

  /// Findings given to add(), and those of them that are on the server's disk.
  [[nodiscard]] std::uint64_t added() const noexcept { return recorded_ + waiting_.size(); }
  [[nodiscard]] std::uint64_t recorded() const noexcept { return recorded_; }
  /// The first attempt to read what is open is not over: nothing may be judged, or it would be told anew.
  [[nodiscard]] bool loading() const noexcept { return load_ == Load::kFirst; }
  /// Findings of before have yet to be read.
  [[nodiscard]] bool reading() const noexcept { return load_ != Load::kDone; }
  [[nodiscard]] bool accepts() const noexcept { return !loading() && waiting_bytes_ < kWaitingBytesMax; }
  /// Why the last attempt failed.
  [[nodiscard]] const std::optional<postgres::Error>& trouble() const noexcept { return trouble_; }
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }
  /// What an earlier process recorded, once it has been read; given once.
  [[nodiscard]] std::optional<std::vector<core::Finding>> take_past() {
    return std::exchange(past_, std::nullopt);
  }

 private:
  enum class Load : std::uint8_t { kFirst, kAgain, kDone };
  struct Waiting {
    std::uint64_t id;
    std::string row;
    Over over;
  };
  void load();
  void write();
  void finished(const std::optional<postgres::Error>& error, const char* what);

  const core::Config& config_;
  postgres::SqlClient& sql_;
  process::Log& log_;
  core::Backoff backoff_;
  Load load_;
  bool in_flight_ = false;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t recorded_ = 0;
  std::uint64_t failures_ = 0;
  std::optional<std::vector<core::Finding>> past_;
  core::Instant retry_at_ = core::Instant::max();
  std::optional<postgres::Error> trouble_;
};

}  // namespace dupwatch::findings
