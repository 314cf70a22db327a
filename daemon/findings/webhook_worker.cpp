#include "daemon/findings/webhook_worker.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/page_link.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::findings {
namespace {

constexpr std::chrono::seconds kWebhookComplaintInterval{60};

std::uint64_t lost(const core::WebhookStats& stats) {
  const auto of = [&](core::WebhookOutcome outcome) {
    return stats.findings[static_cast<std::size_t>(outcome)];
  };
  return of(core::WebhookOutcome::kRefused) + of(core::WebhookOutcome::kExpired) +
         of(core::WebhookOutcome::kDropped);
}

}  // namespace

WebhookWorker::WebhookWorker(const core::Config& config, process::Log& log, std::uint64_t seed)
    : config_(config.webhook),
      external_url_(config.http.external_url),
      log_(log),
      outbox_(config.webhook, config.slot.name, seed) {
  if (!config_.url.empty()) thread_ = std::thread([this] { work(); });
}

WebhookWorker::~WebhookWorker() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    stop_at_ = process::steady_now() + kFarewell;
  }
  changed_.notify_all();
  thread_.join();
  const auto left = outbox_.waiting();
  if (left == 0) return;
  log_.warn("findings that the webhook did not take are given up",
            {{"reason", "webhook"},
             {"findings", std::to_string(left), true},
             {"remedy", "see findings.file or findings.table for all of them"}});
}

void WebhookWorker::add(const core::Finding& finding) {
  if (config_.url.empty() || !config_.severities[static_cast<std::size_t>(finding.severity)]) return;
  if (finding.severity == core::Severity::kFatal && finding.came_too_late()) return;
  auto record = core::to_json(finding);
  if (const auto link = core::finding_link(external_url_, finding.id); !link.empty()) {
    record.pop_back();  // the brace
    record += R"(,"page":)" + core::json_string(link) + '}';
  }
  {
    const std::lock_guard lock(mutex_);
    outbox_.add(std::move(record));
  }
  changed_.notify_all();
}

core::WebhookStats WebhookWorker::stats() const {
  const std::lock_guard lock(mutex_);
  return outbox_.stats();
}

void WebhookWorker::work() {
  Sender sender(config_);
  const auto give_up = [this] {
    const std::lock_guard lock(mutex_);
    return process::steady_now() >= stop_at_;
  };
  std::unique_lock lock(mutex_);
  // Once more at the end, whatever the pause says.
  for (bool last = false; !last;) {
    last = stop_;
    const auto* delivery =
        outbox_.due(last ? std::max(process::steady_now(), outbox_.deadline()) : process::steady_now());
    if (delivery != nullptr) {
      // due() leaves it where it is until finished(), so it can be read without the lock.
      lock.unlock();
      const auto attempt = sender.send(*delivery, process::wall_now().micros / 1'000'000, give_up);
      lock.lock();
      const auto now = process::steady_now();
      outbox_.finished(attempt.answer, now);
      const auto stats = outbox_.stats();
      lock.unlock();
      tell(attempt, stats, now);
      lock.lock();
      // What is taken at the end makes room for the next request.
      if (last && attempt.error.empty()) last = false;
      continue;
    }
    if (last) return;
    const auto deadline = outbox_.deadline();
    const auto wake = [&] { return stop_ || outbox_.deadline() < deadline; };
    if (deadline == core::Instant::max()) {
      changed_.wait(lock, wake);
    } else {
      changed_.wait_until(lock, deadline, wake);
    }
  }
}

void WebhookWorker::tell(const Attempt& attempt, const core::WebhookStats& stats, core::Instant now) {
  if (attempt.error.empty()) {
    if (std::exchange(failing_, false)) log_.info("the webhook takes findings again");
    return;
  }
  if (std::exchange(failing_, true) && now < next_complaint_) return;
  next_complaint_ = now + kWebhookComplaintInterval;
  log_.warn("the webhook did not take findings",
            {{"reason", "webhook"},
             {"error", attempt.error},
             {"waiting", std::to_string(stats.waiting), true},
             {"lost", std::to_string(lost(stats)), true},
             {"remedy",
              "look at the receiver and at webhook.url; findings.file and findings.table have all of "
              "them"}});
}

}  // namespace dupwatch::findings
