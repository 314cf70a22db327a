#include "daemon/core/reported_findings.hpp"

namespace dupwatch::core {

bool ReportedFindings::admit(Finding& finding) {
  const auto [place, inserted] = states_.try_emplace(
      finding.id,
      State{.rule = finding.rule, .after_close = finding.after_close, .canonical_id = finding.canonical.id});
  auto& state = place->second;
  if (inserted) {
    finding.change = FindingChange::kNew;
    ++count(state);
    order_.push_back(finding.id);
    if (order_.size() > findings_max_) forget_oldest();
    return true;
  }
  const bool worse = finding.after_close && !state.after_close;
  const bool earlier = finding.canonical.id < state.canonical_id;
  if (!worse && !earlier) return false;
  --count(state);
  if (earlier) state.canonical_id = finding.canonical.id;
  if (worse) state.after_close = true;
  ++count(state);
  finding.change = FindingChange::kChanged;
  return true;
}

std::uint64_t& ReportedFindings::count(const State& state) noexcept {
  return open_[static_cast<std::size_t>(state.rule)][state.after_close ? 1 : 0];
}

void ReportedFindings::forget_oldest() {
  const auto oldest = states_.find(order_.front());
  --count(oldest->second);
  states_.erase(oldest);
  order_.pop_front();
}

}  // namespace dupwatch::core
