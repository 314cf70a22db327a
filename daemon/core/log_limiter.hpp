#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "daemon/core/finding.hpp"
#include "daemon/core/instant.hpp"

namespace dupwatch::core {

/// Keeps the log bounded under a storm of harmless findings: at most `per_minute` lines per rule and minute.
/// A fatal finding or a conflict always has its line.
class LogLimiter {
 public:
  /// 0 = no limit.
  explicit LogLimiter(std::uint32_t per_minute) noexcept : per_minute_(per_minute) {}

  void set_limit(std::uint32_t per_minute) noexcept { per_minute_ = per_minute; }
  [[nodiscard]] bool allow(Rule rule, Severity severity, Instant now) noexcept;
  /// Lines of a rule suppressed in minutes that have ended and not told yet; non-zero once per minute at
  /// most.
  [[nodiscard]] std::uint64_t take_suppressed(Rule rule, Instant now) noexcept;

 private:
  struct Window {
    Instant begun{};
    std::uint32_t lines = 0;
    std::uint64_t suppressed = 0;
    std::uint64_t suppressed_before = 0;
  };
  static void roll(Window& window, Instant now) noexcept;

  std::uint32_t per_minute_;
  std::array<Window, kRules> windows_{};
};

}  // namespace dupwatch::core
