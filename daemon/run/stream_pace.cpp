#include "daemon/run/stream_pace.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

namespace dupwatch::run {
namespace {

// All of these: ten thousand events of the smallest kind a second write so much, and a few large rows are no
// backlog.
constexpr double kFastBytesPerSecond = 4e6;
constexpr std::uint64_t kFewMessages = 8;
// Smaller messages are better taken from a socket that stays full: the walsender waits for room, and what it
// writes meanwhile goes into few buffers of the kernel instead of one each. Emptied, the socket costs 1.2 us
// an event of 166 bytes by pgoutput, kept full 0.8. From 407 bytes on it is the other way round, and at 4.7
// KB 2.5 and 6.1 us: whoever makes a little room in a full socket does the sending for the walsender.
constexpr std::uint64_t kTinyMessage = 256;
// What wakes the reader. More is no gain for tiny messages (1.0 us with 1 MiB); of others, rows of 20 KB by
// wal2json take 10.6 us with 512 KiB and 13.6 with 192.
constexpr int kTinyPiece = 192 * 1024;
constexpr int kPiece = 512 * 1024;
// Room in the socket for tiny messages; the kernel doubles it, and allows no more than net.core.rmem_max.
// Left to itself it makes more and more room, and then nothing waits: 1,000,000 events took 1.2 us each (0.85
// to 1.35) and with this 0.85 (0.83 to 0.88).
constexpr int kTinyRoom = 512 * 1024;
// So much room holds up a server that is further away.
constexpr std::uint32_t kNearMicroseconds = 500;
constexpr std::chrono::milliseconds kWindow{2};

int option(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(socket, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

void set_option(int socket, int name, int value) {
  (void)setsockopt(socket, SOL_SOCKET, name, &value, sizeof value);
}

bool is_near(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_min_rtt < kNearMicroseconds;
}

}  // namespace

void StreamPace::look(core::Instant now) {
  const std::chrono::duration<double> window = now - since_;
  if (window < kWindow) return;
  const bool fast =
      messages_ > kFewMessages && static_cast<double>(bytes_) > kFastBytesPerSecond * window.count();
  if (!fast) {
    wake_at(1);
  } else {
    wake_at(bytes_ < kTinyMessage * messages_ ? kTinyPiece : kPiece);
  }
  since_ = now;
  messages_ = 0;
  bytes_ = 0;
}

void StreamPace::rest() {
  wake_at(1);
}

bool StreamPace::empties() const noexcept {
  return wakes_at_ == kPiece;
}

/// A kernel that refuses this wakes for every message, as before.
void StreamPace::wake_at(int bytes) noexcept {
  if (bytes == wakes_at_) return;
  if (bytes == kTinyPiece) {
    narrow();
  } else {
    widen();
  }
  wakes_at_ = bytes;
  set_option(socket_, SO_RCVLOWAT, bytes);
}

/// Only where widen() can take it back: Linux 5.14 and later.
void StreamPace::narrow() noexcept {
  if (option(socket_, SO_BUF_LOCK) != 0 || !is_near(socket_)) return;
  room_ = option(socket_, SO_RCVBUF);
  set_option(socket_, SO_RCVBUF, kTinyRoom);
}

void StreamPace::widen() noexcept {
  if (room_ == 0) return;
  set_option(socket_, SO_RCVBUF, std::exchange(room_, 0) / 2);
  set_option(socket_, SO_BUF_LOCK, 0);
}

}  // namespace dupwatch::run
