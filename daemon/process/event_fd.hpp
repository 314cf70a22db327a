#pragma once

namespace dupwatch::process {

/// Wakes a poll loop from another thread. signal() may be called from any thread.
class EventFd {
 public:
  EventFd();
  ~EventFd();
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;

  void signal() noexcept;
  void clear() noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

/// SIGTERM and SIGINT as a file descriptor. Make it before any thread exists: the signals are blocked in the
/// calling thread and in those it starts later. Also ignores SIGPIPE and SIGXFSZ, so that a closed
/// socket and a file at its limit are error values.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// Number of the signal received since the last call, 0 = none.
  [[nodiscard]] int take() noexcept;

 private:
  int fd_;
};

/// SIGHUP as a file descriptor; to be made as StopSignals are. Without one SIGHUP ends the process.
class ReloadSignal {
 public:
  ReloadSignal();
  ~ReloadSignal();
  ReloadSignal(const ReloadSignal&) = delete;
  ReloadSignal& operator=(const ReloadSignal&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// Whether it was received since the last call.
  [[nodiscard]] bool take() noexcept;

 private:
  int fd_;
};

}  // namespace dupwatch::process
