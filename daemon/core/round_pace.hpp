#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/core/instant.hpp"

namespace dupwatch::core {

/// When a question that is asked at intervals comes next, and for how long it has had no answer. One that
/// takes its session with it is asked less and less often, across restarts of the stream too: it may be what
/// brings the server down. No clock. Not thread-safe.
class RoundPace {
 public:
  static constexpr std::chrono::seconds kPauseMax{60};
  /// Before it is told; a migration may hold a lock for minutes.
  static constexpr std::chrono::minutes kSilenceMax{5};

  explicit RoundPace(std::chrono::milliseconds interval) noexcept : interval_(interval), pause_(interval) {}

  /// A stream has started: the first question comes after `first`, unless the one before took a session.
  void started(Instant now, std::chrono::milliseconds first) noexcept {
    if (pause_ == interval_) next_ = now + first;
    if (why_.empty()) answered_ = now;
  }
  [[nodiscard]] bool due(Instant now) const noexcept { return now >= next_; }
  [[nodiscard]] Instant deadline() const noexcept { return next_; }
  void asked(Instant now) noexcept { next_ = now + interval_; }
  /// There is something to see at `at`.
  void hurry(Instant at) noexcept {
    if (pause_ == interval_) next_ = std::min(next_, at);
  }
  void answered(Instant now) noexcept {
    pause_ = interval_;
    answered_ = now;
    why_.clear();
  }
  void failed(Instant now, std::string_view why, bool took_session) {
    why_ = why.empty() ? "no reason is given" : why;
    pause_ = took_session ? std::min(2 * pause_, std::max<std::chrono::milliseconds>(kPauseMax, interval_))
                          : interval_;
    if (took_session) next_ = now + pause_;
  }

  /// Why the last question failed; empty: it did not.
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  /// For how long there has been no answer, where that is longer than `patience`.
  [[nodiscard]] std::optional<std::chrono::seconds> silence(Instant now,
                                                            std::chrono::seconds patience) const noexcept {
    if (why_.empty() || now - answered_ <= patience) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::seconds>(now - answered_);
  }

 private:
  std::chrono::milliseconds interval_;
  std::chrono::milliseconds pause_;
  Instant next_ = Instant::max();
  Instant answered_;
  std::string why_;
};

}  // namespace dupwatch::core
