#include "daemon/process/event_fd.hpp"

#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <system_error>

namespace dupwatch::process {
namespace {

int checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return fd;
}

}  // namespace

EventFd::EventFd() : fd_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {}
EventFd::~EventFd() {
  close(fd_);
}

// NOLINTBEGIN(readability-make-member-function-const): what stands behind the descriptor changes
void EventFd::signal() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is at its maximum, and then the loop is awake anyway.
  [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

void EventFd::clear() noexcept {
  std::uint64_t value = 0;
  [[maybe_unused]] const auto got = read(fd_, &value, sizeof value);
}
// NOLINTEND(readability-make-member-function-const)

namespace {

int make_signal_fd(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return checked(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
}

int take_signal(int fd) noexcept {
  signalfd_siginfo info{};
  return read(fd, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace

StopSignals::StopSignals() : fd_(make_signal_fd({SIGTERM, SIGINT})) {
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGXFSZ, SIG_IGN);
}
StopSignals::~StopSignals() {
  close(fd_);
}

// NOLINTNEXTLINE(readability-make-member-function-const): the signal is gone afterwards
int StopSignals::take() noexcept {
  return take_signal(fd_);
}

ReloadSignal::ReloadSignal() : fd_(make_signal_fd({SIGHUP})) {}
ReloadSignal::~ReloadSignal() {
  close(fd_);
}

// NOLINTNEXTLINE(readability-make-member-function-const): as of StopSignals
bool ReloadSignal::take() noexcept {
  return take_signal(fd_) != 0;
}

}  // namespace dupwatch::process
