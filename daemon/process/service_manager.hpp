#pragma once

#include <string>
#include <string_view>

#include "daemon/core/service_notice.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::process {

/// Speaks to systemd over $NOTIFY_SOCKET; without one it does nothing. Owned by the loop thread, and it never
/// waits: what the socket does not take goes with the next turn.
class ServiceManager {
 public:
  /// Reads the environment; before any thread.
  explicit ServiceManager(Log& log);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// The loop turned.
  void turn(bool streaming, core::Instant now);
  /// What is done, in a sentence; goes out with a turn.
  void status(std::string_view text);
  void stopping(std::string_view why);
  [[nodiscard]] core::Instant deadline() const noexcept;

 private:
  [[nodiscard]] bool send(const std::string& message);

  Log& log_;
  core::ServiceNotice notice_;
  /// Of the socket, a leading NUL for an abstract one; empty = nobody to tell.
  std::string address_;
  int fd_ = -1;
  bool complained_ = false;
};

}  // namespace dupwatch::process
