#include "daemon/process/log_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <mutex>
#include <utility>

namespace dupwatch::process {
namespace {

/// False: the descriptor refuses it.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(fd, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      // Somebody else made it non-blocking, who shares it with us.
      pollfd poll_fd{.fd = fd, .events = POLLOUT, .revents = 0};
      (void)poll(&poll_fd, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

void reserve_standard_descriptors() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDONLY);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

struct LogWriter::Shared {
  const int fd;
  const std::function<std::string(std::uint64_t)> lost;
  mutable std::mutex mutex;
  // Guarded by mutex. An empty line stands where lines were dropped.
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dropped_said = 0;
  bool gap_open = false;

  Shared(int descriptor, std::function<std::string(std::uint64_t)> lost_line)
      : fd(descriptor), lost(std::move(lost_line)) {}
};

LogWriter::LogWriter(int fd, std::function<std::string(std::uint64_t)> lost)
    : shared_(std::make_shared<Shared>(fd, std::move(lost))),
      worker_([shared = shared_] { write_out(*shared); }) {}

void LogWriter::write(std::string line) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->bytes + line.size() > kBufferBytesMax) {
      ++shared_->dropped;
      shared_->gap_open = true;
      return;
    }
    if (std::exchange(shared_->gap_open, false)) shared_->lines.emplace_back();
    shared_->bytes += line.size();
    shared_->lines.push_back(std::move(line));
  }
  worker_.wake();
}

std::uint64_t LogWriter::dropped() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->dropped;
}

void LogWriter::write_out(Shared& shared) {
  std::unique_lock lock(shared.mutex);
  while (!shared.lines.empty()) {
    const auto line = std::move(shared.lines.front());
    shared.lines.pop_front();
    shared.bytes -= line.size();
    lock.unlock();
    const bool written = write_all(shared.fd, line);
    lock.lock();
    if (!written) ++shared.dropped;
    const auto unsaid = shared.dropped - shared.dropped_said;
    if (!written || unsaid == 0 || !(line.empty() || shared.lines.empty())) continue;
    lock.unlock();
    const bool said = write_all(shared.fd, shared.lost(unsaid));
    lock.lock();
    if (said) shared.dropped_said += unsaid;
  }
}

}  // namespace dupwatch::process
