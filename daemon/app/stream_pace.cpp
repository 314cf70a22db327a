#include "daemon/app/stream_pace.hpp"

#include <sys/socket.h>

namespace dupwatch::app {
namespace {

constexpr int kPiece = 192 * 1024;
// All of these: ten thousand events of the smallest kind a second write so much, and a few large rows are no
// backlog.
constexpr double kFastBytesPerSecond = 4e6;
constexpr std::uint64_t kFewMessages = 8;
constexpr std::chrono::milliseconds kWindow{2};

}  // namespace

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
