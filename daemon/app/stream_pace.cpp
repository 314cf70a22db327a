#include "daemon/app/stream_pace.hpp"

#include <sys/socket.h>

namespace dupwatch::app {
namespace {

constexpr int kPiece = 192 * 1024;
// All of these: ten thousand events of the smallest kind a second write so much, and a few large rows are no
// backlog.
constexpr double kFastBytesPerSecond = 4e6;
constexpr std::uint64_t kFewMessages = 8;
// Larger ones cost more than the waking: in pieces, rows of 20 KB by wal2json (42 KB a message) took 1.56
// times the processor time of a client that throws them away, and 1.40 one by one; rows of 2 KB (4.7 KB)
// 1.45, and 1.56 one by one.
constexpr std::uint64_t kSmallMessage = 8192;
constexpr std::chrono::milliseconds kWindow{2};

}  // namespace

void StreamPace::look(Instant now) {
  const std::chrono::duration<double> window = now - since_;
  if (window < kWindow) return;
  backlog_ = messages_ > kFewMessages && static_cast<double>(bytes_) > kFastBytesPerSecond * window.count();
  const bool gather = backlog_ && bytes_ < kSmallMessage * messages_;
  since_ = now;
  messages_ = 0;
  bytes_ = 0;
  if (gather == gathering_) return;
  gathering_ = gather;
  wake_at(gather ? kPiece : 1);
}

void StreamPace::rest() {
  backlog_ = false;
  gathering_ = false;
  wake_at(1);
}

/// A kernel that refuses this wakes for every message, as before.
void StreamPace::wake_at(int bytes) const noexcept {
  (void)setsockopt(socket_, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

}  // namespace dupwatch::app
