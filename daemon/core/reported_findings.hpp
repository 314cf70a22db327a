#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "daemon/core/finding.hpp"

namespace dupwatch::core {

/// What has been reported, so that a finding seen again (redelivery, read-back, baseline) is told once.
/// Bounded: at `findings_max` the oldest is forgotten, and would be reported again as new if its run were
/// judged again.
class ReportedFindings {
 public:
  static constexpr std::size_t kFindingsMax = 100'000;
  explicit ReportedFindings(std::size_t findings_max = kFindingsMax) : findings_max_(findings_max) {}

  /// True when the finding is new or says more than its last report; sets finding.change. What was reported
  /// can only get worse (see DuplicateRule), so the view of an older snapshot is merged with what is known,
  /// in `finding` as well: the last record of a finding is always its worst state.
  [[nodiscard]] bool admit(Finding& finding);
  /// Findings known, by rule and after_close.
  [[nodiscard]] const std::array<std::array<std::uint64_t, 2>, kRules>& open() const noexcept {
    return open_;
  }

 private:
  struct State {
    Rule rule = Rule::kDuplicate;
    bool after_close = false;
    std::string canonical_id;
    std::string closing_id;  ///< with after_close
  };
  static void close(State& state, const Finding& finding);
  [[nodiscard]] std::uint64_t& count(const State& state) noexcept;
  void forget_oldest();

  std::size_t findings_max_;
  std::unordered_map<std::uint64_t, State> states_;
  std::deque<std::uint64_t> order_;
  std::array<std::array<std::uint64_t, 2>, kRules> open_{};
};

}  // namespace dupwatch::core
