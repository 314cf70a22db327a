#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "daemon/app/clock.hpp"
#include "daemon/app/log.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/webhook/outbox.hpp"
#include "daemon/webhook/sender.hpp"

namespace dupwatch::app {

/// Sends findings to webhook.url, on a thread of its own that exists only where there is one. Nothing waits
/// for it: not the stream, not the slot's position. What a receiver did not take is lost with the process;
/// findings.file and findings.table are the record.
class WebhookPump {
 public:
  /// At the end one last attempt is given so long.
  static constexpr core::Milliseconds kFarewell{2'000};

  /// References must outlive it.
  WebhookPump(const core::Config& config, Log& log, std::uint64_t seed);
  /// Tries once more to send what waits, for kFarewell at the most, and tells what was not taken.
  ~WebhookPump();
  WebhookPump(const WebhookPump&) = delete;
  WebhookPump& operator=(const WebhookPump&) = delete;

  /// Takes the finding if its severity is one of webhook.severities. Never blocks for long.
  void add(const core::Finding& finding);
  /// From any thread.
  [[nodiscard]] core::WebhookStats stats() const;

 private:
  void work();
  void tell(const webhook::Attempt& attempt, const core::WebhookStats& stats, Instant now);

  const core::WebhookConfig& config_;
  Log& log_;
  webhook::Outbox outbox_;  // guarded by mutex_
  bool stop_ = false;       // guarded by mutex_
  Instant stop_at_ = Instant::max();
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  /// Of the thread alone.
  bool failing_ = false;
  Instant next_complaint_{};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::app
