#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/findings/webhook_outbox.hpp"
#include "daemon/findings/webhook_sender.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::findings {

/// Sends findings to webhook.url, on a thread of its own that exists only where there is one. Nothing waits
/// for it: not the stream, not the slot's position. What a receiver did not take is lost with the process;
/// findings.file and findings.table are the record.
class WebhookWorker {
 public:
  /// At the end one last attempt is given so long.
  static constexpr core::Milliseconds kFarewell{2'000};

  /// References must outlive it.
  WebhookWorker(const core::Config& config, process::Log& log, std::uint64_t seed);
  /// Tries once more to send what waits, for kFarewell at the most, and tells what was not taken.
  ~WebhookWorker();
  WebhookWorker(const WebhookWorker&) = delete;
  WebhookWorker& operator=(const WebhookWorker&) = delete;

  /// Takes the finding if its severity is one of webhook.severities. Never blocks for long.
  void add(const core::Finding& finding);
  /// From any thread.
  [[nodiscard]] core::WebhookStats stats() const;

 private:
  void work();
  void tell(const Attempt& attempt, const core::WebhookStats& stats, core::Instant now);

  const core::WebhookConfig& config_;
  /// Read by add() alone, on the thread that reloads the configuration.
  const std::string& external_url_;
  process::Log& log_;
  Outbox outbox_;      // guarded by mutex_
  bool stop_ = false;  // guarded by mutex_
  core::Instant stop_at_ = core::Instant::max();
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  /// Of the thread alone.
  bool failing_ = false;
  core::Instant next_complaint_{};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::findings
