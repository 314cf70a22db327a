#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "daemon/core/instant.hpp"

namespace dupwatch::core {

/// What the service manager is told by sd_notify(3), and when. Pure and single-threaded; the loop asks due()
/// every turn, so that a loop that is stuck feeds no watchdog. What could not be sent stays due.
///
/// Before the first stream the start's time limit is extended with every ping: waiting for a server is no
/// failed start, and how long it may take is connection.startup_timeout's matter.
class ServiceNotice {
 public:
  using Microseconds = std::chrono::microseconds;
  /// A lag that counts down would otherwise be a message every turn.
  static constexpr std::chrono::seconds kStatusInterval{1};
  /// The manager drops what is longer than 4096 bytes.
  static constexpr std::size_t kStatusBytesMax = 1000;

  /// `watchdog`: the silence after which the manager ends the process; zero = it does not watch.
  explicit ServiceNotice(Microseconds watchdog) : watchdog_(watchdog) {}

  /// It streams: ready from now on, whatever comes.
  void streaming() noexcept { ready_ = true; }
  /// What it does, for people.
  void status(std::string_view text);
  /// The message to send now, empty when none is due. To be followed by sent() when it went out.
  [[nodiscard]] std::string due(Instant now) const;
  void sent(Instant now);
  /// When there is something to send at the latest; max() = not before something changes.
  [[nodiscard]] Instant deadline() const noexcept;

  /// The last message: it is about to end, and why.
  [[nodiscard]] static std::string farewell(std::string_view why);
  /// The watchdog's time limit by $WATCHDOG_USEC and $WATCHDOG_PID, either may be empty; zero when it is not
  /// for the process `own`.
  [[nodiscard]] static Microseconds watchdog_of(std::string_view microseconds, std::string_view pid,
                                                std::string_view own) noexcept;

 private:
  [[nodiscard]] bool ping_due(Instant now) const noexcept;
  [[nodiscard]] bool status_due(Instant now) const noexcept;

  Microseconds watchdog_;
  bool ready_ = false;
  bool ready_told_ = false;
  std::string status_;
  std::string status_told_;
  Instant next_ping_{};
  Instant next_status_{};
};

}  // namespace dupwatch::core
