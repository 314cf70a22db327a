#include <array>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {
namespace {

void collect_outcomes(S s, Out out) {
  for (std::size_t i = 0; i < core::kWebhookOutcomes; ++i) {
    out.add(s.status.webhook.findings[i], {{"outcome", to_string(static_cast<core::WebhookOutcome>(i))}});
  }
}

constexpr auto kWebhookMetrics = std::to_array<MetricDef>({
    {"dupwatch_webhook_enabled", kGauge, "", "1", "1 with a webhook.url", 1,
     [](S s, Out out) { out.add(s.status.webhook.enabled); }},
    {"dupwatch_webhook_findings_total", kCounter, "outcome", "1",
     "Findings for the webhook; refused: by a status that is final, expired: not taken within "
     "webhook.retry_for, dropped: too many waited",
     core::kWebhookOutcomes, collect_outcomes},
    {"dupwatch_webhook_failed_attempts_total", kCounter, "", "1", "Requests that the webhook did not accept",
     1, [](S s, Out out) { out.add(s.status.webhook.failed_attempts); }},
    {"dupwatch_webhook_waiting_findings", kGauge, "", "1", "Findings waiting for the webhook", 1,
     [](S s, Out out) { out.add(s.status.webhook.waiting); }},
});

}  // namespace

std::span<const MetricDef> webhook_metrics() noexcept {
  return kWebhookMetrics;
}

}  // namespace dupwatch::web
