#include "daemon/app/stream_pace.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace dupwatch::app {
namespace {

constexpr int kPiece = 128 * 1024;
// All of these: ten thousand events of the smallest kind a second write so much, and a few large rows are no
// backlog.
constexpr double kFastBytesPerSecond = 4e6;
constexpr std::uint64_t kFewMessages = 8;
constexpr std::chrono::milliseconds kWindow{2};

/// A TCP connection whose both ends have one address.
bool is_local(int socket) {
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t here_size = sizeof here;
  socklen_t there_size = sizeof there;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&here), &here_size) != 0 ||
      getpeername(socket, reinterpret_cast<sockaddr*>(&there), &there_size) != 0 ||
      here.ss_family != there.ss_family) {
    return false;
  }
  if (here.ss_family == AF_INET) {
    const auto address = [](const sockaddr_storage& end) {
      return reinterpret_cast<const sockaddr_in*>(&end)->sin_addr.s_addr;
    };
    return address(here) == address(there);
  }
  if (here.ss_family != AF_INET6) return false;
  const auto address = [](const sockaddr_storage& end) {
    return &reinterpret_cast<const sockaddr_in6*>(&end)->sin6_addr;
  };
  return std::memcmp(address(here), address(there), sizeof(in6_addr)) == 0;
}

}  // namespace

StreamPace::StreamPace(int socket) : socket_(socket) {
  if (is_local(socket)) (void)setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &kPiece, sizeof kPiece);
}

void StreamPace::look(Instant now) {
  const std::chrono::duration<double> window = now - since_;
  if (window < kWindow) return;
  const bool gather =
      messages_ > kFewMessages && static_cast<double>(bytes_) > kFastBytesPerSecond * window.count();
  since_ = now;
  messages_ = 0;
  bytes_ = 0;
  if (gather == gathering_) return;
  gathering_ = gather;
  wake_at(gather ? kPiece : 1);
}

void StreamPace::rest() {
  gathering_ = false;
  wake_at(1);
}

/// A kernel that refuses this wakes for every message, as before.
void StreamPace::wake_at(int bytes) const noexcept {
  (void)setsockopt(socket_, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

}  // namespace dupwatch::app
