#include "tests/sim/inspector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace dupwatch::sim {
namespace {

std::string describe(const oracle::Key& key, const oracle::Verdict& verdict) {
  std::ostringstream out;
  out << verdict;
  return fmt::format("run {}, {}: {}", std::get<0>(key), std::get<1>(key), out.str());
}

/// Nobody looks again at a run that has ended: what a scan or the stream could have corrected stays.
bool is_past(const oracle::Verdict& state, const oracle::Verdict& truth) {
  return state.state == "run_ended" && truth.state == "run_ended";
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
    const auto before = std::exchange(truth_[run], judged(committed_, run));
    // What the stream does not bring is a scan's matter.
    if (!transaction.published) continue;
    for (const auto& [key, verdict] : truth_[run]) {
      const auto known = before.find(key);
      if (known == before.end() || !(known->second == verdict)) required.emplace(key, verdict);
    }
  }
}

void Inspector::restored() {
  cause(core::GapReason::kRestored);
  cause(core::GapReason::kOtherHistory);
  required_.erase(required_.upper_bound(server_.wal_end()), required_.end());
  committed_.clear();
  for (const auto& transaction : server_.transactions()) {
    for (const auto& row : transaction.rows) committed_[row.run_id].emplace(row.id, row);
  }
  for (auto& [run, findings] : truth_) {
    findings = committed_.contains(run) ? judged(committed_, run) : oracle::Findings{};
  }
  // Rows that are gone and rows that came later were never there together.
  for (auto& [run, rows] : given_) {
    const auto left = committed_.find(run);
    const bool gone = left == committed_.end();
    std::erase_if(rows, [&left, gone](const auto& row) { return gone || !left->second.contains(row.first); });
  }
}

void Inspector::attached(std::optional<decoder::Lsn> known, const std::vector<core::FoundGap>& gaps) {
  const bool behind = known && server_.wal_end() < known->value;
  const bool said = std::ranges::any_of(gaps, [](const core::FoundGap& gap) {
    return gap.reason == core::GapReason::kRestored || gap.reason == core::GapReason::kOtherHistory;
  });
  if (behind && !said) violated("I6 a server that was put back to an earlier point is no gap");
}

void Inspector::gap_opened(core::GapReason reason) {
  disturbed_ = true;
  if (!causes_.contains(reason)) violated(fmt::format("I6 a gap without a cause: {}", to_string(reason)));
}

void Inspector::process_started() {
  told_.clear();
  given_.clear();
}

void Inspector::given(const oracle::Event& row) {
  if (given_[row.run_id].emplace(row.id, row).second) (void)judged(given_, row.run_id);
}

void Inspector::shown(const std::vector<oracle::Event>& rows) {
  Rows runs;
  for (const auto& row : rows) runs[row.run_id].emplace(row.id, row);
  for (const auto& [run, of_run] : runs) (void)judged(runs, run);
}

void Inspector::reported(const core::Finding& finding) {
  if (finding.state == core::FindingState::kGone) {
    if (truth_[finding.run_id].contains(core::key_of(finding)))
      violated("I2 gone and still there: " + describe(finding));
    return;
  }
  const bool news = finding.change == core::FindingChange::kNew;
  if (finding.origin == core::Origin::kRecheck && (news || !disturbed_))
    violated("I2 told by a recheck and not before: " + describe(finding));
  const auto once = true_once_.find(core::key_of(finding));
  // Of a run of which a part is hidden nobody can tell better before that is noticed.
  if (lies_) {
    told_.insert(finding.id);
    return;
  }
  if (once == true_once_.end() || !once->second.contains(core::verdict_of(finding))) {
    violated("I2 a false alarm: " + describe(finding));
  }
  if (told_.insert(finding.id).second != news) {
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
  if (lies_) {
    confirmed_ = position;
    return;
  }
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
  const auto& transactions = server_.transactions();
  if (!transactions.empty() && slot < transactions.back().end_lsn) {
    violated(fmt::format("I1 the slot stays at {:X} although nothing is in its way", slot));
  }
  finished("file", file_states(false));
  if (options_.findings_table) finished("table", table_states());
}

bool Inspector::is_told_somewhere(const oracle::Key& key) const {
  return file_states(false).states().contains(key) || table_states().states().contains(key);
}

void Inspector::finished(const char* where, const core::LastStates& last) {
  oracle::Findings expected;
  for (const auto& [run, findings] : truth_) expected.insert(findings.begin(), findings.end());
  const auto states = last.current(expected);
  for (const auto& [key, verdict] : expected) {
    const auto state = states.find(key);
    if (state == states.end()) {
      // A store is not given what is older than its oldest record: that may have been rotated out of it.
      // After a gap the stream does not bring it again.
      if (disturbed_ && options_.findings_table && is_told_somewhere(key)) continue;
      violated(fmt::format("I1 missed in the {}: {}", where, describe(key, verdict)));
    } else if (!(state->second == verdict) && !(disturbed_ && is_past(state->second, verdict))) {
      violated(fmt::format("I1 the last record in the {} is not the truth: {}; it is {}", where,
                           describe(key, state->second), describe(key, verdict)));
    }
  }
  for (const auto& [key, verdict] : states) {
    const bool stale = past_unknown_ && true_once_.contains(key) && true_once_.at(key).contains(verdict);
    if (!expected.contains(key) && !stale) violated("I2 a false alarm: " + describe(key, verdict));
  }
}

}  // namespace dupwatch::sim
