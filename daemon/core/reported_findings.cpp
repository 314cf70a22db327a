#include "daemon/core/reported_findings.hpp"

#include <algorithm>

namespace dupwatch::core {

namespace {

/// Its rows may go, and then it is closed.
bool is_in_log(FindingState state) noexcept {
  return state == FindingState::kOpen || state == FindingState::kAcknowledged;
}

}  // namespace

void ReportedFindings::say(State& state, const Finding& finding) {
  state.severity = finding.severity;
  state.engine = finding.engine;
  state.state = finding.state;
  state.after_close = finding.after_close;
  state.reason = finding.reason;
  state.canonical_id = finding.canonical.id;
  state.duplicate_id = finding.duplicate.id;
  if (finding.duplicate.xid) state.duplicate_xid = finding.duplicate.xid;
  state.closing_id = finding.closing ? finding.closing->id : std::string{};
}

bool ReportedFindings::add(const Finding& finding, Instant now) {
  const auto [place, inserted] = states_.try_emplace(finding.id);
  if (!inserted) return false;
  auto& state = place->second;
  state.rule = finding.rule;
  const auto run = by_run_.try_emplace(finding.run_id).first;
  run->second.push_back(finding.id);
  state.run_id = &run->first;
  state.identity = finding.identity;
  state.type = finding.type;
  state.reported = now;
  say(state, finding);
  count(state, 1);
  order_.push_back(finding.id);
  if (order_.size() > findings_max_) forget_oldest();
  return true;
}

bool ReportedFindings::admit(Finding& finding, Instant now) {
  if (add(finding, now)) {
    finding.change = FindingChange::kNew;
    return true;
  }
  auto& state = states_.find(finding.id)->second;
  if (is_left_over(state, finding, now)) return false;
  // The closing event matters once it stands before the row; until then it may change without a word.
  const bool same_closing =
      !finding.after_close || (state.after_close && finding.closing->id == state.closing_id);
  if (state.severity == finding.severity && state.state == finding.state &&
      state.after_close == finding.after_close && same_closing &&
      state.canonical_id == finding.canonical.id && state.duplicate_id == finding.duplicate.id) {
    return false;
  }
  finding.change = FindingChange::kChanged;
  count(state, -1);
  say(state, finding);
  state.reported = now;
  count(state, 1);
  return true;
}

bool ReportedFindings::is_left_over(const State& state, const Finding& finding, Instant now) noexcept {
  if (state.state != FindingState::kQuarantined || finding.state == FindingState::kQuarantined) return false;
  if (state.duplicate_xid && finding.duplicate.xid) return *state.duplicate_xid == *finding.duplicate.xid;
  return now - state.reported < kViewAge;
}

bool ReportedFindings::admit_older(Finding& finding, Instant now) {
  finding.change = FindingChange::kNew;
  return add(finding, now);
}

std::optional<Finding> ReportedFindings::find(std::uint64_t id) const {
  const auto state = states_.find(id);
  if (state == states_.end()) return std::nullopt;
  return rebuild(id, state->second);
}

bool ReportedFindings::is_settled(std::uint64_t id, Instant before) const {
  const auto state = states_.find(id);
  return state != states_.end() && state->second.reported < before;
}

std::vector<std::string> ReportedFindings::next_open_runs(std::size_t count, Instant before) {
  if (round_.empty()) {
    for (const auto& [run, ids] : by_run_) {
      const bool due = std::ranges::all_of(ids, [&](auto id) { return states_.at(id).reported < before; });
      const bool open = std::ranges::any_of(ids, [&](auto id) { return is_in_log(states_.at(id).state); });
      if (due && open) round_.push_back(run);
    }
  }
  const auto first = round_.size() - std::min(count, round_.size());
  std::vector<std::string> out(round_.begin() + static_cast<std::ptrdiff_t>(first), round_.end());
  round_.resize(first);
  return out;
}

std::vector<Finding> ReportedFindings::missing(const std::string& run_id,
                                               std::span<const std::uint64_t> present, Instant before) const {
  std::vector<Finding> out;
  const auto run = by_run_.find(run_id);
  if (run == by_run_.end()) return out;
  for (const auto id : run->second) {
    const auto& state = states_.at(id);
    if (!is_in_log(state.state) || state.reported >= before || std::ranges::count(present, id) != 0) continue;
    out.push_back(rebuild(id, state));
  }
  return out;
}

Finding ReportedFindings::rebuild(std::uint64_t id, const State& state) {
  Finding finding;
  finding.id = id;
  finding.rule = state.rule;
  finding.severity = state.severity;
  finding.reason = state.reason;
  finding.engine = state.engine;
  finding.state = state.state;
  finding.after_close = state.after_close;
  finding.run_id = *state.run_id;
  finding.identity = state.identity;
  finding.type = state.type;
  finding.canonical.id = state.canonical_id;
  finding.duplicate.id = state.duplicate_id;
  finding.duplicate.xid = state.duplicate_xid;
  if (!state.closing_id.empty())
    finding.closing = RowEvidence{.id = state.closing_id, .xid = {}, .commit_lsn = {}, .commit_time = {}};
  return finding;
}

void ReportedFindings::count(const State& state, int difference) noexcept {
  if (state.state != FindingState::kOpen) return;
  open_[static_cast<std::size_t>(state.rule)][static_cast<std::size_t>(state.severity)] +=
      static_cast<std::uint64_t>(difference);
}

void ReportedFindings::forget_oldest() {
  const auto oldest = states_.find(order_.front());
  count(oldest->second, -1);
  const auto run = by_run_.find(*oldest->second.run_id);
  std::erase(run->second, oldest->first);
  if (run->second.empty()) by_run_.erase(run);
  states_.erase(oldest);
  order_.pop_front();
}

}  // namespace dupwatch::core
