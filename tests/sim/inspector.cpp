#include "tests/sim/inspector.hpp"

#include <fmt/format.h>

#include <sstream>

namespace dupwatch::sim {
namespace {

std::string describe(const oracle::Key& key, const oracle::Verdict& verdict) {
  std::ostringstream out;
  out << verdict;
  return fmt::format("run {}, {}: {}", std::get<0>(key), std::get<1>(key), out.str());
}

std::string describe(const core::Finding& finding) {
  return describe(core::key_of(finding), core::verdict_of(finding));
}

/// With more rows the row at fault of the run, the canonical row and the closing event can only become
/// earlier ones, and a run that has ended stays ended.
bool is_no_older(const oracle::Verdict& state, const oracle::Verdict& required) {
  if (state.row_id > required.row_id || state.canonical_id > required.canonical_id) return false;
  if (required.closed_by && (!state.closed_by || *state.closed_by > *required.closed_by)) return false;
  return required.state != "run_ended" || state.state == "run_ended";
}

}  // namespace

void Inspector::violated(std::string text) {
  if (!violation_) violation_ = std::move(text);
}

oracle::Findings Inspector::judged(const Rows& rows, const std::string& run) {
  std::vector<oracle::Event> of_run;
  for (const auto& [id, row] : rows.at(run)) of_run.push_back(row);
  auto findings = oracle::findings(of_run, log_, settings_);
  for (const auto& [key, verdict] : findings) true_once_[key].insert(verdict);
  return findings;
}

void Inspector::committed(const Transaction& transaction) {
  std::set<std::string> runs;
  for (const auto& row : transaction.rows) {
    committed_[row.run_id].emplace(row.id, row);
    runs.insert(row.run_id);
  }
  auto& required = required_[transaction.end_lsn];
  for (const auto& run : runs) {
    truth_[run] = judged(committed_, run);
    required.insert(truth_[run].begin(), truth_[run].end());
  }
}

void Inspector::process_started() {
  told_.clear();
  given_.clear();
}

void Inspector::given(const oracle::Event& row) {
  if (given_[row.run_id].emplace(row.id, row).second) (void)judged(given_, row.run_id);
}

void Inspector::reported(const core::Finding& finding) {
  if (finding.state == core::FindingState::kGone) {
    if (truth_[finding.run_id].contains(core::key_of(finding)))
      violated("I2 gone and still there: " + describe(finding));
    return;
  }
  if (finding.origin == core::Origin::kRecheck)
    violated("I2 told by a recheck and not before: " + describe(finding));
  const auto once = true_once_.find(core::key_of(finding));
  if (once == true_once_.end() || !once->second.contains(core::verdict_of(finding))) {
    violated("I2 a false alarm: " + describe(finding));
  }
  if (told_.insert(finding.id).second != (finding.change == core::FindingChange::kNew)) {
    violated("I2 told as new twice, or as changed before it was new: " + describe(finding));
  }
}

bool Inspector::is_covered(const oracle::Findings& on_disk, const oracle::Key& key,
                           const oracle::Verdict& required) const {
  const auto& [run, rule, row] = key;
  const auto& now = truth_.at(run);
  const auto state = on_disk.find(key);
  // What the run as a whole is told of may name other rows than before.
  if (state != on_disk.end() && (row.empty() || is_no_older(state->second, required))) return true;
  // Rows that committed later, but that the read-back saw, may have taken its place.
  const bool late = rule == "lifecycle_after_close";
  return oracle::is_superseded(key, now) &&
         (!late || on_disk.contains(oracle::Key{run, "duplicate_created", row}));
}

core::LastStates Inspector::file_states(bool on_disk) const {
  core::LastStates states;
  for (const auto& record : file_.records()) {
    if (record.on_disk || !on_disk) states.take(record.finding);
  }
  return states;
}

core::LastStates Inspector::table_states() const {
  core::LastStates states;
  for (const auto& [id, finding] : table_.rows()) states.take(finding);
  return states;
}

void Inspector::confirming(std::uint64_t position) {
  if (position < confirmed_) violated(fmt::format("I3 the position went back to {:X}", position));
  if (position == confirmed_) return;
  confirming(position, "on disk", file_states(true));
  if (options_.findings_table) confirming(position, "in the table", table_states());
  // A position within a transaction would skip it as well.
  confirmed_ = position;
}

void Inspector::confirming(std::uint64_t position, const char* where, const core::LastStates& states) {
  for (auto next = required_.upper_bound(confirmed_); next != required_.end() && next->first <= position;
       ++next) {
    for (const auto& [key, verdict] : next->second) {
      if (is_covered(states.states(), key, verdict)) continue;
      violated(
          fmt::format("I3 confirmed {:X} while this is not {}: {}", position, where, describe(key, verdict)));
    }
  }
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
  finished("file", file_states(false));
  if (options_.findings_table) finished("table", table_states());
}

void Inspector::finished(const char* where, const core::LastStates& last) {
  oracle::Findings expected;
  for (const auto& [run, findings] : truth_) expected.insert(findings.begin(), findings.end());
  const auto states = last.current(expected);
  for (const auto& [key, verdict] : expected) {
    const auto state = states.find(key);
    if (state == states.end()) {
      violated(fmt::format("I1 missed in the {}: {}", where, describe(key, verdict)));
    } else if (!(state->second == verdict)) {
      violated(fmt::format("I1 the last record in the {} is not the truth: {}; it is {}", where,
                           describe(key, state->second), describe(key, verdict)));
    }
  }
  for (const auto& [key, verdict] : states) {
    if (!expected.contains(key)) violated("I2 a false alarm: " + describe(key, verdict));
  }
}

}  // namespace dupwatch::sim
