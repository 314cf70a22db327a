#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/log_limiter.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/findings/table_writer.hpp"
#include "daemon/findings/webhook_worker.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"
#include "daemon/quarantine/worker.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::findings {

/// Where findings go: the findings file (every one, durable before its position is confirmed), the log (rate
/// limited), the table, the webhook, the quarantine, the store behind /api/findings. Owned by the loop
/// thread.
class FindingOutputs {
 public:
  /// Unwritten lines kept while the file refuses them; above this the stream is not read any further.
  static constexpr std::size_t kUnwrittenBytesMax = std::size_t{4} << 20U;

  FindingOutputs(const core::FindingsConfig& config, process::Log& log, web::StatusStore& store,
                 TableWriter& table, WebhookWorker& webhook, quarantine::QuarantineWorker& quarantine);
  ~FindingOutputs();
  FindingOutputs(const FindingOutputs&) = delete;
  FindingOutputs& operator=(const FindingOutputs&) = delete;

  void set_log_rate_max(std::uint32_t per_minute) noexcept { limiter_.set_limit(per_minute); }
  /// Opens the findings file; the reason when it can't be opened.
  [[nodiscard]] std::optional<std::string> open();

  /// Tells of the findings at once.
  void report(std::vector<core::Finding> findings, core::Instant now);
  /// Writes everything reported so far to the disk; the table takes its own time. False: the disk refused;
  /// try again later and confirm nothing meanwhile.
  [[nodiscard]] bool make_durable(core::Instant now);
  /// Writes the "suppressed" line of the log when its minute is over.
  void tick(core::Instant now);

  /// False while too much waits for the disk.
  [[nodiscard]] bool accepts() const noexcept {
    return unwritten_.size() + unsynced_.size() < kUnwrittenBytesMax && table_.accepts();
  }
  [[nodiscard]] TableWriter& table() const noexcept { return table_; }
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
  void write_out(core::Instant now);
  void complain(const char* what, int error, core::Instant now);

  core::FindingsConfig config_;
  process::Log& log_;
  web::StatusStore& store_;
  TableWriter& table_;
  WebhookWorker& webhook_;
  quarantine::QuarantineWorker& quarantine_;
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
  core::Instant next_complaint_{};
};

}  // namespace dupwatch::findings
