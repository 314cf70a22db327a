#include "daemon/process/loop_waiter.hpp"

#include <algorithm>
#include <array>

#include "daemon/process/clock.hpp"

namespace dupwatch::process {
namespace {

// As in the stream's loop: a watchdog with a limit of a second is fed in time.
constexpr std::chrono::milliseconds kTurnMax{250};

}  // namespace

int poll_timeout(postgres::Instant now, postgres::Instant deadline, std::chrono::milliseconds most) {
  if (deadline <= now) return 0;
  if (deadline - now >= most) return static_cast<int>(most.count());
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count());
}

postgres::Waiter::Outcome LoopWaiter::wait(int fd, short events, postgres::Instant deadline) {
  for (;;) {
    turn_();
    const auto now = steady_now();
    std::array<pollfd, 2> fds{
        {{.fd = stop_fd_, .events = POLLIN, .revents = 0}, {.fd = fd, .events = events, .revents = 0}}};
    // A negative descriptor is ignored by poll(2).
    (void)poll(fds.data(), fds.size(), poll_timeout(now, deadline, kTurnMax));
    if (fds[0].revents != 0) return Outcome::kInterrupted;
    if (fds[1].revents != 0) return Outcome::kReady;
    if (steady_now() >= deadline) return Outcome::kTimeout;
  }
}

}  // namespace dupwatch::process
