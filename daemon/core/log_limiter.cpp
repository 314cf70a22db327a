#include "daemon/core/log_limiter.hpp"

#include <utility>

namespace dupwatch::core {

namespace {
constexpr std::chrono::minutes kWindow{1};
}

void LogLimiter::roll(Window& window, Instant now) noexcept {
  if (window.begun == Instant{} || now - window.begun >= kWindow) {
    window.begun = now;
    window.lines = 0;
    window.suppressed_before += std::exchange(window.suppressed, 0);
  }
}

bool LogLimiter::allow(Rule rule, Severity severity, Instant now) noexcept {
  if (per_minute_ == 0 || severity == Severity::kFatal || severity == Severity::kConflict) return true;
  auto& window = windows_[static_cast<std::size_t>(rule)];
  roll(window, now);
  if (window.lines < per_minute_) {
    ++window.lines;
    return true;
  }
  ++window.suppressed;
  return false;
}

std::uint64_t LogLimiter::take_suppressed(Rule rule, Instant now) noexcept {
  auto& window = windows_[static_cast<std::size_t>(rule)];
  roll(window, now);
  return std::exchange(window.suppressed_before, 0);
}

}  // namespace dupwatch::core
