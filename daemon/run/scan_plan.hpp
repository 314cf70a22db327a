#pragma once

#include <algorithm>
#include <chrono>

#include "daemon/core/instant.hpp"

namespace dupwatch::run {

/// When the table is scanned next. A scan reads all open runs, so where the cause of gaps persists, scanning
/// takes a tenth of the time at most. Pure; one thread.
class ScanPlan {
 public:
  static constexpr int kPauseFactor = 9;
  static constexpr std::chrono::seconds kPauseMin{1};
  static constexpr std::chrono::minutes kPauseMax{5};
  static constexpr std::chrono::minutes kPauseAfterFailure{1};

  void begins(core::Instant now) noexcept {
    began_ = now;
    again_ = false;
  }
  /// One that is not complete is wanted again.
  void ends(bool complete, core::Instant now) noexcept {
    next_ = now + std::clamp<core::Instant::duration>((now - began_) * kPauseFactor, kPauseMin, kPauseMax);
    if (complete) return;
    next_ = now + kPauseAfterFailure;
    again_ = true;
  }
  /// One more is wanted.
  void wants() noexcept { again_ = true; }
  /// The pause after the last one is over.
  [[nodiscard]] bool may_begin(core::Instant now) const noexcept { return now >= next_; }
  /// The last one was not complete, or one more is wanted.
  [[nodiscard]] bool again() const noexcept { return again_; }
  /// When the last one began.
  [[nodiscard]] core::Instant began() const noexcept { return began_; }

 private:
  core::Instant began_{};
  core::Instant next_{};
  bool again_ = false;
};

}  // namespace dupwatch::run
