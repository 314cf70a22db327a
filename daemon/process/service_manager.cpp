#include "daemon/process/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace dupwatch::process {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no thread yet
  return value == nullptr ? std::string{} : value;
}

}  // namespace

ServiceManager::ServiceManager(Log& log)
    : log_(log),
      notice_(core::ServiceNotice::watchdog_of(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"),
                                               std::to_string(getpid()))),
      address_(variable("NOTIFY_SOCKET")) {
  if (address_.empty()) return;
  if ((address_[0] != '/' && address_[0] != '@') || address_.size() >= sizeof(sockaddr_un::sun_path)) {
    log_.warn("cannot notify the service manager: NOTIFY_SOCKET is neither a path nor an abstract name",
              {{"reason", "notify_socket"},
               {"found", address_},
               {"remedy", "start dupwatch under systemd with Type=notify, or unset NOTIFY_SOCKET"}});
    address_.clear();
    return;
  }
  if (address_[0] == '@') address_[0] = '\0';
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

ServiceManager::~ServiceManager() {
  if (fd_ >= 0) close(fd_);
}

void ServiceManager::turn(bool streaming, core::Instant now) {
  if (address_.empty()) return;
  if (streaming) notice_.streaming();
  if (const auto message = notice_.due(now); !message.empty() && send(message)) notice_.sent(now);
}

void ServiceManager::status(std::string_view text) {
  notice_.status(text);
}

void ServiceManager::stopping(std::string_view why) {
  if (!address_.empty()) (void)send(core::ServiceNotice::farewell(why));
}

core::Instant ServiceManager::deadline() const noexcept {
  return address_.empty() ? core::Instant::max() : notice_.deadline();
}

bool ServiceManager::send(const std::string& message) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::ranges::copy(address_, std::begin(to.sun_path));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const auto sent =
      sendto(fd_, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), size);
  // EAGAIN: the manager is busy and reads later.
  if (sent < 0 && errno != EAGAIN && !std::exchange(complained_, true)) {
    log_.warn("the service manager does not accept notifications; this is retried",
              // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe
              {{"reason", "notify_socket"}, {"error", std::strerror(errno)}});
  }
  return sent >= 0;
}

}  // namespace dupwatch::process
