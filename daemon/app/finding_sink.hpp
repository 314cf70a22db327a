#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/app/clock.hpp"
#include "daemon/app/findings_table.hpp"
#include "daemon/app/log.hpp"
#include "daemon/app/quarantine_pump.hpp"
#include "daemon/app/webhook_pump.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/log_limiter.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/web/status_board.hpp"

namespace dupwatch::app {

/// Where findings go: the findings file (every one, durable before its position is confirmed), the log (rate
/// limited), the table, the webhook, the quarantine, the board behind /api/findings. Owned by the loop
/// thread.
class FindingSink {
 public:
  /// Unwritten lines kept while the file refuses them; above this the stream is not read any further.
  static constexpr std::size_t kUnwrittenBytesMax = std::size_t{4} << 20U;

  FindingSink(const core::FindingsConfig& config, Log& log, web::StatusBoard& board, FindingsTable& table,
              WebhookPump& webhook, QuarantinePump& quarantine);
  ~FindingSink();
  FindingSink(const FindingSink&) = delete;
  FindingSink& operator=(const FindingSink&) = delete;

  void set_log_rate_max(std::uint32_t per_minute) noexcept { limiter_.set_limit(per_minute); }
  /// Opens the findings file; the reason when it can't be opened.
  [[nodiscard]] std::optional<std::string> open();

  /// Tells of the findings at once.
  void report(std::vector<core::Finding> findings, Instant now);
  /// Writes everything reported so far to the disk; the table takes its own time. False: the disk refused;
  /// try again later and confirm nothing meanwhile.
  [[nodiscard]] bool make_durable(Instant now);
  /// Writes the "suppressed" line of the log when its minute is over.
  void tick(Instant now);

  /// False while too much waits for the disk.
  [[nodiscard]] bool accepts() const noexcept {
    return unwritten_.size() + unsynced_.size() < kUnwrittenBytesMax && table_.accepts();
  }
  [[nodiscard]] FindingsTable& table() const noexcept { return table_; }
  /// What the file held when it was opened is on disk: findings in it need not be written again.
  [[nodiscard]] bool past_is_on_disk() const noexcept { return past_is_on_disk_; }
  /// Why the file's last write or sync failed; empty when it did not.
  [[nodiscard]] const std::string& file_trouble() const noexcept { return file_trouble_; }
  [[nodiscard]] std::uint64_t file_failures() const noexcept { return file_failures_; }
  [[nodiscard]] std::uint64_t log_suppressed() const noexcept { return log_suppressed_; }
  /// From the later of the two commits to the flag, new findings of the stream.
  [[nodiscard]] const core::LatencyHistogram& commit_to_flag() const noexcept { return commit_to_flag_; }

 private:
  void measure(const core::Finding& finding);
  void write_out(Instant now);
  void complain(const char* what, int error, Instant now);

  core::FindingsConfig config_;
  Log& log_;
  web::StatusBoard& board_;
  FindingsTable& table_;
  WebhookPump& webhook_;
  QuarantinePump& quarantine_;
  core::LogLimiter limiter_;
  int fd_ = -1;
  std::string unwritten_;
  /// Written and not known to be on disk: after a sync that failed Linux has given them up, so they are
  /// written again.
  std::string unsynced_;
  bool sync_due_ = false;
  bool past_is_on_disk_ = false;
  std::string file_trouble_;
  std::uint64_t file_failures_ = 0;
  std::uint64_t log_suppressed_ = 0;
  core::LatencyHistogram commit_to_flag_;
  Instant next_complaint_{};
};

}  // namespace dupwatch::app
