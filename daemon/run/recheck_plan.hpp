#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/core/reported_findings.hpp"

namespace dupwatch::run {

/// When the tables are looked at next, and which runs somebody has asked to be looked at before their turn.
/// Pure; one thread.
class RecheckPlan {
 public:
  /// Between two looks that somebody asked for.
  static constexpr std::chrono::seconds kPause{1};

  /// The next look; max() = none.
  void schedule(core::Instant next) noexcept { next_ = next; }
  [[nodiscard]] core::Instant deadline() const noexcept { return next_; }

  /// `runs` are to be looked at as soon as may be, and once more when a finding of this moment is old enough
  /// to be closed by a look. More than `runs_max` at a time wait for their turn.
  void request(std::vector<std::string> runs, core::Instant now, std::size_t runs_max) {
    if (runs.empty()) return;
    runs_.insert(runs_.end(), std::make_move_iterator(runs.begin()), std::make_move_iterator(runs.end()));
    runs_.resize(std::min(runs_.size(), runs_max));
    next_ = std::min(next_, std::max(now, last_ + kPause));
    again_ = now + core::ReportedFindings::kViewAge + kPause;
  }

  /// Of so many looks each is as soon as may be after the one before.
  void hurry(core::Instant now, std::size_t looks) noexcept {
    hurried_ = looks;
    // Findings of this moment are too new to be closed by a look.
    if (next_ != core::Instant::max())
      next_ = std::min(next_, now + core::ReportedFindings::kViewAge + kPause);
  }

  /// A look was due and cannot be.
  void postpone(core::Instant now, core::Milliseconds interval) noexcept {
    next_ = now + (runs_.empty() && hurried_ == 0 ? interval : core::Milliseconds(kPause));
  }

  /// A look begins: the runs that were asked for.
  [[nodiscard]] std::vector<std::string> begin(core::Instant now, core::Milliseconds interval) {
    last_ = now;
    next_ = now + (hurried_ == 0 ? interval : std::min(interval, core::Milliseconds(kPause)));
    hurried_ -= hurried_ == 0 ? 0U : 1U;
    if (now >= again_) return std::exchange(runs_, {});
    next_ = std::min(next_, again_);
    return runs_;
  }

 private:
  core::Instant next_ = core::Instant::max();
  core::Instant last_{};
  core::Instant again_{};
  std::size_t hurried_ = 0;
  std::vector<std::string> runs_;
};

}  // namespace dupwatch::run
