#include "daemon/core/reported_findings.hpp"

namespace dupwatch::core {

void ReportedFindings::close(State& state, const Finding& finding) {
  state.after_close = finding.after_close;
  state.closing_id = finding.after_close ? finding.closing_id.value_or("") : std::string{};
}

bool ReportedFindings::admit(Finding& finding) {
  const auto [place, inserted] = states_.try_emplace(finding.id);
  auto& state = place->second;
  if (inserted) {
    finding.change = FindingChange::kNew;
    state.rule = finding.rule;
    state.canonical_id = finding.canonical.id;
    close(state, finding);
    ++count(state);
    order_.push_back(finding.id);
    if (order_.size() > findings_max_) forget_oldest();
    return true;
  }
  // A smaller closing event than the one reported is what replay meets first.
  const bool closed_earlier =
      finding.after_close && (!state.after_close || finding.closing_id.value_or("") < state.closing_id);
  const bool earlier = finding.canonical.id < state.canonical_id;
  if (!closed_earlier && !earlier) return false;
  finding.change = FindingChange::kChanged;
  --count(state);
  if (earlier) {
    state.canonical_id = finding.canonical.id;
  } else if (finding.canonical.id != state.canonical_id) {
    finding.canonical = RowEvidence{.id = state.canonical_id, .xid = {}, .commit_lsn = {}, .commit_time = {}};
  }
  if (closed_earlier) {
    close(state, finding);
  } else if (state.after_close) {
    finding.after_close = true;
    finding.closing_id = state.closing_id;
  }
  ++count(state);
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
