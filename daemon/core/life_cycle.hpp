#pragma once

#include <optional>
#include <variant>

#include "daemon/core/coverage.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::core {

/// What the daemon is about: one state at a time, each with what is known in it alone. Pure.
class LifeCycle {
 public:
  LifeCycle();

  /// An attempt to stream begins; one that stands by says so until something else is known.
  void attempts();
  /// A server was looked over, and its slot is there.
  void attached();
  /// The stream has begun: whatever was before it is over.
  void streams() { state_ = Streaming{}; }
  /// It has ended. Until it is known what comes next the state is called streaming.
  void stream_ended();
  /// The slot is given up, or moved past what it can't deliver: the next one begins after what was seen.
  /// False: that was known.
  bool gives_up(GapReason reason);
  /// There is no slot, so the open runs are scanned at intervals. `waits`: no attempt follows at once.
  void polls(bool waits);
  void backs_off();
  /// Another dupwatch has the slot. False: that was known, and no stream has begun since.
  bool stands_by();
  void stops() { state_ = Stopping{}; }

  [[nodiscard]] StreamState state() const;
  [[nodiscard]] bool streaming() const { return std::holds_alternative<Streaming>(state_); }
  /// Streaming, and the stream has not ended.
  [[nodiscard]] bool stream_open() const;
  /// A stream of this process has begun once.
  [[nodiscard]] bool has_streamed() const;
  [[nodiscard]] WatchMode mode() const;
  /// Open runs are to be scanned at intervals: there is no slot, and none that is about to stream.
  [[nodiscard]] bool scans_for_want_of_slot() const;
  /// Why the next slot begins after what was seen.
  [[nodiscard]] std::optional<GapReason> pending_gap() const;

 private:
  /// Before the first stream, and between two.
  struct Apart {
    /// kConnecting, kStarting, kBackingOff, kStandby or kPolling.
    StreamState step = StreamState::kConnecting;
    bool has_streamed = false;
    bool stood_by = false;
    bool without_slot = false;
    std::optional<GapReason> gap{};
  };
  struct Streaming {
    bool ended = false;
    std::optional<GapReason> gap{};
  };
  struct Stopping {};

  /// What follows the stream if there was one.
  Apart& apart();

  std::variant<Apart, Streaming, Stopping> state_;
};

}  // namespace dupwatch::core
