#include "tests/sim/inspector.hpp"

#include <fmt/format.h>

namespace dupwatch::sim {
namespace {

oracle::Verdict verdict_of(const core::Finding& finding) {
  return {.canonical_id = finding.canonical.id,
          .closed_by = finding.after_close ? finding.closing_id : std::nullopt};
}

void take(oracle::Verdicts& states, const core::Finding& finding) {
  states[{finding.run_id, finding.duplicate.id}] = verdict_of(finding);
}

std::string describe(const std::pair<std::string, std::string>& key, const oracle::Verdict& verdict) {
  return fmt::format("run {}, duplicate {}, canonical {}{}", key.first, key.second, verdict.canonical_id,
                     verdict.closed_by ? ", closed by " + *verdict.closed_by : "");
}

/// A finding's state gets worse as rows arrive: says at least what `required` says.
bool says(const oracle::Verdict& state, const oracle::Verdict& required) {
  if (state.canonical_id > required.canonical_id) return false;
  return !required.closed_by || (state.closed_by && *state.closed_by <= *required.closed_by);
}

}  // namespace

void Inspector::violated(std::string text) {
  if (!violation_) violation_ = std::move(text);
}

void Inspector::committed(const Transaction& transaction) {
  std::set<std::string> runs;
  for (const auto& row : transaction.rows) {
    rows_by_run_[row.run_id].push_back(row);
    runs.insert(row.run_id);
  }
  auto& required = required_[transaction.end_lsn];
  for (const auto& run : runs) required.merge(oracle::duplicates(rows_by_run_[run], rules_));
}

void Inspector::reported(const core::Finding& finding) {
  const std::pair key(finding.run_id, finding.duplicate.id);
  const auto told = verdict_of(finding);
  const auto truth = oracle::duplicates(rows_by_run_[finding.run_id], rules_);
  const auto found = truth.find(key);
  if (found == truth.end() || !says(found->second, told)) {
    violated("I2 a false alarm: " + describe(key, told));
  }
  if (told_.insert(finding.id).second != (finding.change == core::FindingChange::kNew)) {
    violated("I2 told as new twice, or as changed before it was new: " + describe(key, told));
  }
}

oracle::Verdicts Inspector::on_disk() const {
  oracle::Verdicts states;
  for (const auto& record : file_.records()) {
    if (record.on_disk) take(states, record.finding);
  }
  return states;
}

void Inspector::confirming(std::uint64_t position) {
  if (position < confirmed_) violated(fmt::format("I3 the position went back to {:X}", position));
  if (position == confirmed_) return;
  const auto states = on_disk();
  for (auto next = required_.upper_bound(confirmed_); next != required_.end() && next->first <= position;
       ++next) {
    for (const auto& [key, verdict] : next->second) {
      const auto state = states.find(key);
      if (state == states.end() || !says(state->second, verdict)) {
        violated(
            fmt::format("I3 confirmed {:X} while this is not on disk: {}", position, describe(key, verdict)));
      }
    }
  }
  // A position within a transaction would skip it as well.
  confirmed_ = position;
}

void Inspector::evicted(const core::Watch& watch) {
  if (watch.pending_runs() == 0 && watch.index().over_bound() && watch.index().size() != 0) {
    violated(
        fmt::format("I5 {} bytes in memory, {} allowed", watch.index().bytes(), watch.index().bytes_max()));
  }
}

void Inspector::finished(std::uint64_t slot) {
  if (slot < server_.transactions().back().end_lsn) {
    violated(fmt::format("I1 the slot stays at {:X} although nothing is in its way", slot));
  }
  std::vector<oracle::Event> rows;
  for (const auto& [run, of_run] : rows_by_run_) rows.insert(rows.end(), of_run.begin(), of_run.end());
  const auto expected = oracle::duplicates(rows, rules_);
  oracle::Verdicts states;
  for (const auto& record : file_.records()) take(states, record.finding);
  for (const auto& [key, verdict] : expected) {
    const auto state = states.find(key);
    if (state == states.end()) {
      violated("I1 missed: " + describe(key, verdict));
    } else if (!(state->second == verdict)) {
      violated("I1 the last record is not the truth: " + describe(key, state->second) + "; it is " +
               describe(key, verdict));
    }
  }
  for (const auto& [key, verdict] : states) {
    if (!expected.contains(key)) violated("I2 a false alarm: " + describe(key, verdict));
  }
}

}  // namespace dupwatch::sim
