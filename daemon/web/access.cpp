#include "daemon/web/access.hpp"

#include <algorithm>

namespace dupwatch::web {

RateLimit::RateLimit(std::chrono::nanoseconds interval, std::uint32_t burst) noexcept
    : interval_seconds_(std::chrono::duration<double>(interval).count()), burst_(burst), tokens_(burst) {}

bool RateLimit::take(Clock::time_point now) noexcept {
  if (interval_seconds_ <= 0) return true;
  const auto passed = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  tokens_ = std::min(burst_, tokens_ + passed / interval_seconds_);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

}  // namespace dupwatch::web
