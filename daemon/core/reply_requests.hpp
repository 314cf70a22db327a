#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "decoder/change.hpp"

namespace dupwatch::core {

/// The server's requests for a status update. A walsender asks for one when it has heard nothing for half of
/// wal_sender_timeout, and again as soon as it is answered when the server shuts down and the position it
/// waits for has not come: that tells the two apart.
class ReplyRequests {
 public:
  /// So many within kWindow are no sign of silence: status goes out far more often than wal_sender_timeout.
  static constexpr std::uint32_t kInsistent = 3;
  static constexpr std::chrono::microseconds kWindow{500'000};

  void stream_started() noexcept { *this = {}; }
  /// A request that the server sent at `sent`, by its clock.
  void asked(decoder::Timestamp sent) noexcept {
    pending_ = true;
    // Unsigned, for a clock may say anything.
    const auto since = static_cast<std::uint64_t>(sent.micros) - static_cast<std::uint64_t>(first_.micros);
    if (count_ == 0 || since > static_cast<std::uint64_t>(kWindow.count())) {
      first_ = sent;
      count_ = 0;
    }
    ++count_;
  }
  /// Whether an answer is due; once.
  [[nodiscard]] bool take() noexcept { return std::exchange(pending_, false); }
  /// The server does nothing but wait for a position that it has not been given.
  [[nodiscard]] bool insistent() const noexcept { return count_ >= kInsistent; }

 private:
  bool pending_ = false;
  std::uint32_t count_ = 0;
  decoder::Timestamp first_{};
};

}  // namespace dupwatch::core
