#include "daemon/app/stream_pace.hpp"

#include <sys/socket.h>

namespace dupwatch::app {
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
constexpr std::chrono::milliseconds kWindow{2};

}  // namespace

void StreamPace::look(Instant now) {
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
  wakes_at_ = bytes;
  (void)setsockopt(socket_, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

}  // namespace dupwatch::app
