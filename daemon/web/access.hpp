#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "daemon/web/answer.hpp"
#include "daemon/web/password_gate.hpp"
#include "daemon/web/request_rules.hpp"
#include "daemon/web/tls_context.hpp"

namespace dupwatch::web {

/// Who may come, by which door. Immutable; replaced as a whole when a part of it changes.
struct Access {
  /// nullptr = plain HTTP.
  std::shared_ptr<TlsContext> tls;
  /// Never null.
  std::shared_ptr<const PasswordGate> gate;
  HostRules hosts;
  /// A client has shown a password or a certificate, or it is of this host: it may change what is known of
  /// findings.
  bool may_change = false;
  Headers headers;
  std::chrono::nanoseconds rate_interval{0};
  std::uint32_t rate_burst = 0;
};

/// A token bucket, as Go's rate.Limiter: full at first. One thread.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;

  /// Interval 0 = no limit.
  RateLimit(std::chrono::nanoseconds interval, std::uint32_t burst) noexcept;
  /// Takes a token at `now`; false when there is none.
  [[nodiscard]] bool take(Clock::time_point now) noexcept;

 private:
  double interval_seconds_;
  double burst_;
  double tokens_;
  Clock::time_point last_{};
};

}  // namespace dupwatch::web
