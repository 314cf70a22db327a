#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {

/// Whether the stream comes so fast that it is read in larger pieces. The walsender sends message by message,
/// and waking a reader for each costs both more than the message does (5.2 instead of 2.4 us of the walsender
/// an event of 200 bytes by pgoutput): while a backlog drains, the kernel wakes this process for some hundred
/// KiB, or after a millisecond. At a lower rate nothing is held back.
class StreamPace {
 public:
  explicit StreamPace(int socket) : socket_(socket) {}
  ~StreamPace() { wake_at(1); }
  StreamPace(const StreamPace&) = delete;
  StreamPace& operator=(const StreamPace&) = delete;

  void received(std::size_t bytes) noexcept {
    ++messages_;
    bytes_ += bytes;
  }
  /// Once a turn: looks at what came since the last look, if that is long enough ago.
  void look(core::Instant now);
  /// Every message wakes again.
  void rest();
  /// The stream comes as fast as a backlog does.
  [[nodiscard]] bool backlog() const noexcept { return wakes_at_ != 1; }
  /// The socket is read until it is empty, a buffer of libpq after the other; else one buffer a turn.
  [[nodiscard]] bool empties() const noexcept;
  /// The socket is read now.
  void reads(core::Instant now) noexcept { read_ = now; }
  /// In a backlog the socket may hold what poll(2) does not tell of: it is to be read at this time at the
  /// latest.
  [[nodiscard]] core::Instant deadline() const noexcept {
    return backlog() ? read_ + kPatience : core::Instant::max();
  }

 private:
  static constexpr std::chrono::milliseconds kPatience{1};

  void wake_at(int bytes) noexcept;
  /// The kernel is no longer free to make room for more.
  void narrow() noexcept;
  void widen() noexcept;

  int socket_;
  int wakes_at_ = 1;  ///< bytes
  int room_ = 0;      ///< SO_RCVBUF before it was narrowed; 0 = it is not
  core::Instant read_{};
  core::Instant since_{};
  std::uint64_t messages_ = 0;  ///< since `since_`, as the bytes
  std::uint64_t bytes_ = 0;
};

}  // namespace dupwatch::run
