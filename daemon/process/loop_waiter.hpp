#pragma once

#include <poll.h>

#include <functional>

#include "daemon/postgres/connection.hpp"
#include "daemon/process/event_fd.hpp"

namespace dupwatch::process {

/// Waits on one descriptor while watching for a stop request, and calls `turn` four times a second so that
/// a wait for an unresponsive server does not look like a dead process.
class LoopWaiter final : public postgres::Waiter {
 public:
  /// `stop_fd` becomes readable when the wait is to be given up; it is left readable.
  LoopWaiter(int stop_fd, std::function<void()> turn) : stop_fd_(stop_fd), turn_(std::move(turn)) {}

  [[nodiscard]] Outcome wait(int fd, short events, postgres::Instant deadline) override;

 private:
  int stop_fd_;
  std::function<void()> turn_;
};

/// poll(2)'s timeout until `deadline`, rounded up, at most `most`.
[[nodiscard]] int poll_timeout(postgres::Instant now, postgres::Instant deadline,
                               std::chrono::milliseconds most);

}  // namespace dupwatch::process
