#include "daemon/core/stats.hpp"

namespace dupwatch::core {

void LatencyHistogram::observe(double seconds) noexcept {
  std::size_t i = 0;
  while (i < kLatencyBounds.size() && seconds > kLatencyBounds[i]) ++i;
  ++buckets[i];
  sum_seconds += seconds;
}

std::string_view to_string(Eviction eviction) noexcept {
  switch (eviction) {
    case Eviction::kRunEnded:
      return "run_ended";
    case Eviction::kMemory:
      return "memory";
    case Eviction::kInvalidated:
      return "invalidated";
  }
  return "?";
}

std::string_view to_string(StreamState state) noexcept {
  switch (state) {
    case StreamState::kConnecting:
      return "connecting";
    case StreamState::kStarting:
      return "starting";
    case StreamState::kStreaming:
      return "streaming";
    case StreamState::kBackingOff:
      return "backing_off";
    case StreamState::kStopping:
      return "stopping";
    case StreamState::kPolling:
      return "polling";
    case StreamState::kStandby:
      return "standby";
  }
  return "?";
}

std::string_view to_string(WatchMode mode) noexcept {
  switch (mode) {
    case WatchMode::kStreaming:
      return "streaming";
    case WatchMode::kPolling:
      return "polling";
  }
  return "?";
}

std::string_view to_string(WebhookOutcome outcome) noexcept {
  switch (outcome) {
    case WebhookOutcome::kDelivered:
      return "delivered";
    case WebhookOutcome::kRefused:
      return "refused";
    case WebhookOutcome::kExpired:
      return "expired";
    case WebhookOutcome::kDropped:
      return "dropped";
  }
  return "?";
}

std::string_view to_string(BaselineState state) noexcept {
  switch (state) {
    case BaselineState::kNotNeeded:
      return "not_needed";
    case BaselineState::kRunning:
      return "running";
    case BaselineState::kComplete:
      return "complete";
    case BaselineState::kFailed:
      return "failed";
  }
  return "?";
}

std::string_view to_string(Disconnect reason) noexcept {
  switch (reason) {
    case Disconnect::kConnectFailed:
      return "connect_failed";
    case Disconnect::kServerClosed:
      return "server_closed";
    case Disconnect::kNetwork:
      return "network";
    case Disconnect::kError:
      return "error";
    case Disconnect::kHeartbeatLost:
      return "heartbeat_lost";
  }
  return "?";
}

}  // namespace dupwatch::core
