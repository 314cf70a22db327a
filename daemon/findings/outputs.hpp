#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/durability.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/log_limiter.hpp"
#include "daemon/core/restored_findings.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/findings/file_output.hpp"
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

  /// `wake` is signalled when the disk has answered. References must outlive it.
  FindingOutputs(const core::FindingsConfig& config, process::Log& log, web::StatusStore& store,
                 TableWriter& table, WebhookWorker& webhook, quarantine::QuarantineWorker& quarantine,
                 process::EventFd& wake);

  void set_log_rate_max(std::uint32_t per_minute) noexcept { limiter_.set_limit(per_minute); }
  /// See FileOutput.
  [[nodiscard]] std::optional<std::string> open() { return file_.open(); }
  /// What an earlier process found is not known yet: nothing may be judged, or it would be reported as new.
  [[nodiscard]] bool loading() const noexcept { return file_.opening() || table_.loading(); }
  /// What an earlier process found, once file and table have been read; given once.
  [[nodiscard]] std::optional<std::vector<core::RestoredFinding>> take_past();
  /// The findings file may have been rotated.
  void check_file() noexcept { file_.check(); }

  /// Tells of the findings at once.
  void report(std::vector<core::Finding> findings, core::Instant now);
  /// Gives the store that lacks a finding of an earlier process its record.
  void complete(const core::RestoredFinding& restored);
  /// Writes the record of a finding once more into the file, where it is not at hand any more.
  void record_again(core::Finding finding);
  /// Writes the record of a finding into the table where that does not say the same of it.
  void record_in_table(core::Finding finding);
  /// True once after another findings file has been begun: records that must be at hand are to be repeated.
  [[nodiscard]] bool take_replaced() noexcept { return file_.take_replaced(); }
  /// A new stream: positions of another one say nothing in it.
  void stream_started() noexcept { durability_.stream_started(); }
  /// Everything reported so far is to be brought to the disk; durable() tells when it is.
  void sync(core::Instant now);
  /// With all findings up to `taken` reported: up to where they are durable now; nullopt = no further than
  /// before.
  [[nodiscard]] std::optional<decoder::Lsn> durable(decoder::Lsn taken);
  [[nodiscard]] const core::Durability& durability() const noexcept { return durability_; }
  /// What was reported up to `findings` outlives the process; false where there is neither a file nor a
  /// table.
  [[nodiscard]] bool is_durable(const core::AddedFindings& findings) noexcept;
  /// There is a findings file or a findings table.
  [[nodiscard]] bool keeps_findings() const noexcept {
    return !config_.file.empty() || !config_.table_name.empty();
  }
  /// The last report of a finding, nullptr = it is not kept.
  [[nodiscard]] std::shared_ptr<const core::Finding> reported(std::uint64_t finding_id) const {
    return store_.find(finding_id);
  }
  /// True once after each sync that succeeded: durable() may know more.
  [[nodiscard]] bool take_progress() noexcept { return file_.take_progress(); }
  /// Something is not durable yet, and nothing is known to stand in its way.
  [[nodiscard]] bool may_settle(core::Instant now);
  /// Gives the disk the rest of what is for it, for `patience` at most: the end of the process.
  void finish(std::chrono::milliseconds patience);
  /// Moves the file on, and writes the "suppressed" line of the log when its minute is over.
  void turn(core::Instant now);
  [[nodiscard]] core::Instant deadline() const noexcept { return file_.deadline(); }

  /// False while too much waits for the disk, or loading().
  [[nodiscard]] bool accepts() const noexcept {
    return durability_.waiting_bytes() < kUnwrittenBytesMax && !loading() && table_.accepts();
  }
  [[nodiscard]] TableWriter& table() const noexcept { return table_; }
  /// Why the file takes nothing; empty when it does.
  [[nodiscard]] std::string file_trouble(core::Instant now) const { return file_.trouble(now); }
  [[nodiscard]] std::uint64_t file_failures() const noexcept { return file_.failures(); }
  [[nodiscard]] std::uint64_t log_suppressed() const noexcept { return log_suppressed_; }
  /// From the later of the two commits to the flag, new findings of the stream.
  [[nodiscard]] const core::LatencyHistogram& commit_to_flag() const noexcept { return commit_to_flag_; }

 private:
  void store(const core::Finding& finding, bool in_file, bool in_table);
  void measure(const core::Finding& finding);
  /// Of a finding that was told, with what is known of it.
  [[nodiscard]] core::Finding record_of(core::Finding finding) const;
  /// What the last report said of the same rows, and this one does not know.
  void complete_evidence(core::Finding& finding) const;

  core::FindingsConfig config_;
  process::Log& log_;
  web::StatusStore& store_;
  TableWriter& table_;
  WebhookWorker& webhook_;
  quarantine::QuarantineWorker& quarantine_;
  core::LogLimiter limiter_;
  core::Durability durability_;
  FileOutput file_;
  bool past_given_ = false;
  std::uint64_t log_suppressed_ = 0;
  core::LatencyHistogram commit_to_flag_;
};

}  // namespace dupwatch::findings
