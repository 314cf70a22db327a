#include "daemon/findings/webhook_outbox.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/core/finding.hpp"

namespace dupwatch::findings {
namespace {

using core::WebhookOutcome;

/// May heal: no answer, a timeout of the server, "later", "slow down", and everything that is the server's
/// fault. The rest would be refused again.
[[nodiscard]] bool worth_repeating(long http_status) noexcept {
  return http_status == 0 || http_status == 408 || http_status == 425 || http_status == 429 ||
         http_status >= 500;
}

}  // namespace

Outbox::Outbox(const core::WebhookConfig& config, std::string_view slot_name, std::uint64_t seed)
    : retry_for_(config.retry_for), seed_(seed), backoff_(kPauseMin, kPauseMax, seed) {
  core::append_json_string(slot_, slot_name);
  stats_.enabled = !config.url.empty();
}

void Outbox::add(std::string record) {
  waiting_bytes_ += record.size();
  waiting_.push_back(std::move(record));
  while (waiting_.size() > kWaitingMax || waiting_bytes_ > kWaitingBytesMax) {
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
    ++stats_.findings[static_cast<std::size_t>(WebhookOutcome::kDropped)];
  }
}

const Delivery* Outbox::due(Instant now) {
  if (!delivery_) {
    if (waiting_.empty()) return nullptr;
    auto id = fmt::format("{:016x}-{}", seed_, ++last_number_);
    auto body = fmt::format(R"({{"version":1,"delivery":"{}","slot":{},"findings":[)", id, slot_);
    for (in_delivery_ = 0; in_delivery_ < kBatchMax && !waiting_.empty(); ++in_delivery_) {
      if (in_delivery_ > 0) body += ',';
      body += waiting_.front();
      waiting_bytes_ -= waiting_.front().size();
      waiting_.pop_front();
    }
    body += "]}";
    delivery_ = Delivery{.id = std::move(id), .body = std::move(body)};
    first_attempt_ = retry_at_ = now;
  }
  return now >= retry_at_ ? &*delivery_ : nullptr;
}

Instant Outbox::deadline() const noexcept {
  if (delivery_) return retry_at_;
  return waiting_.empty() ? Instant::max() : Instant{};
}

void Outbox::finished(const Answer& answer, Instant now) {
  if (answer.http_status >= 200 && answer.http_status < 300) {
    end_delivery(WebhookOutcome::kDelivered);
    return;
  }
  ++stats_.failed_attempts;
  if (!worth_repeating(answer.http_status)) {
    end_delivery(WebhookOutcome::kRefused);
    return;
  }
  const auto pause = std::max(backoff_.next(), std::min(answer.retry_after, kPauseMax));
  if (now + pause - first_attempt_ > retry_for_) {
    end_delivery(WebhookOutcome::kExpired);
    return;
  }
  retry_at_ = now + pause;
}

void Outbox::end_delivery(WebhookOutcome outcome) {
  stats_.findings[static_cast<std::size_t>(outcome)] += in_delivery_;
  in_delivery_ = 0;
  delivery_.reset();
  // What was given up says nothing good of the next; the pause stays as long as it has become.
  if (outcome != WebhookOutcome::kExpired) backoff_.reset();
}

core::WebhookStats Outbox::stats() const noexcept {
  auto out = stats_;
  out.waiting = waiting();
  return out;
}

}  // namespace dupwatch::findings
