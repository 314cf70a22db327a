#include "daemon/core/finding_reporter.hpp"

#include <algorithm>
#include <utility>

#include "daemon/core/profile_rules.hpp"

namespace dupwatch::core {
namespace {

/// It is known, and this is what has become of it.
Finding over(Finding finding, FindingState state, const Profile& profile) {
  finding.set_table(profile);
  finding.state = state;
  finding.pending = Pending::kNone;
  finding.origin = Origin::kRecheck;
  return finding;
}

}  // namespace

FindingReporter::FindingReporter(const Config& config, Counters& counters, std::uint64_t seed)
    : profile_(config.profile),
      config_(config.findings),
      counters_(counters),
      reported_(ReportedFindings::kFindingsMax, seed) {}

bool FindingReporter::report(Finding finding, Instant now) {
  reported_.resolve(finding);
  // A row that came through the stream while its run was read back was flagged because of the stream.
  if (finding.origin == Origin::kReadBack && finding.duplicate.commit_lsn) finding.origin = Origin::kStream;
  note_acknowledgement(finding);
  if (!reported_.admit(finding, now)) return false;
  tell(std::move(finding));
  return true;
}

void FindingReporter::report_of_scan(Finding finding, Instant began, Instant now) {
  reported_.resolve(finding);
  note_acknowledgement(finding);
  // The scan's snapshot may be older than what the stream has told of the run since. What was told before may
  // rest on rows that are gone with an earlier history, or lack some that were not seen.
  const bool newer = reported_.is_settled(finding.id, began - kSettled);
  if (newer ? reported_.admit(finding, now) : reported_.admit_older(finding, now)) tell(std::move(finding));
}

void FindingReporter::tell(Finding finding) {
  const auto rule = static_cast<std::size_t>(finding.rule);
  const auto severity = static_cast<std::size_t>(finding.severity);
  const auto origin = static_cast<std::size_t>(finding.origin);
  const bool streamed = finding.origin == Origin::kStream || finding.origin == Origin::kReadBack;
  if (finding.change != FindingChange::kNew) {
    ++counters_.finding_changes;
  } else if (finding.severity == Severity::kFatal && streamed && finding.came_too_late()) {
    ++counters_.findings_after_end[rule];
  } else {
    ++counters_.findings[rule][severity][origin];
    if (finding.pending == Pending::kMayReturn) ++counters_.findings_may_return[rule][origin];
  }
  complete_reason(profile_, finding);
  findings_.push_back(std::move(finding));
}

bool FindingReporter::restore(Finding& finding) {
  // A byte that JSON can't hold was replaced: looking the run up would find nothing.
  const bool exact = finding.run_id.find("\xEF\xBF\xBD") == std::string::npos;
  if (!exact || finding.table != profile_.qualified_name()) return false;
  restore_acknowledgement(finding);
  return reported_.restore(finding);
}

std::optional<std::string> FindingReporter::report_quarantined(std::uint64_t finding_id, Instant now) {
  auto known = reported_.find(finding_id);
  if (!known) return std::nullopt;
  auto finding = over(*std::move(known), FindingState::kQuarantined, profile_);
  reported_.acknowledgements().remove(finding_id);
  auto run_id = finding.run_id;
  if (reported_.admit(finding, now)) tell(std::move(finding));
  return run_id;
}

void FindingReporter::report_gone(std::uint64_t finding_id, Instant now) {
  if (auto known = reported_.find(finding_id)) {
    report(over(*std::move(known), FindingState::kGone, profile_), now);
  }
}

bool FindingReporter::rechecked(RunView view, Instant asked, bool slots_watched, Instant now) {
  const auto settled = asked - kSettled;
  std::vector<std::uint64_t> present;
  for (auto& finding : view.findings) {
    reported_.resolve(finding);
    present.push_back(finding.id);
  }
  auto missing = reported_.missing(view.run_id, present, settled);
  std::erase_if(missing, [&](const Finding& finding) {
    // The round may not have seen it long enough to call it one.
    if (finding.rule == Rule::kSlotGap && slots_watched) return true;
    if (finding.shape && is_of_the_stream(*finding.shape)) return true;
    return is_table_rule(finding.rule) ? !view.tables_read : !view.log_read;
  });
  std::vector<std::string_view> rows;
  for (const auto& finding : missing) {
    if (finding.rule == Rule::kDuplicateCreated) rows.push_back(finding.duplicate.id);
  }
  std::ranges::sort(rows);
  // What the events show and is new is the stream's to tell, but not of a row that was a second creation and
  // is late alone: no row that comes makes that of it. The first one was deleted, of which no stream tells.
  std::erase_if(view.findings, [&](const Finding& finding) {
    if (is_table_rule(finding.rule) || reported_.is_settled(finding.id, settled)) return false;
    return finding.rule != Rule::kLifecycleAfterClose ||
           !std::ranges::binary_search(rows, std::string_view(finding.duplicate.id));
  });
  bool log_changed = false;
  const auto apply = [&](Finding finding) {
    const bool of_the_log = !is_table_rule(finding.rule);
    log_changed = (report(std::move(finding), now) && of_the_log) || log_changed;
  };
  for (auto& finding : missing) apply(over(std::move(finding), FindingState::kGone, profile_));
  for (auto& finding : view.findings) apply(std::move(finding));
  if (view.log_read) confirm_doubted(view.run_id, settled);
  return log_changed;
}

void FindingReporter::confirm_doubted(const std::string& run_id, Instant settled) {
  for (const auto id : reported_.take_doubted(run_id, kConfirmedMax - confirmed_.size(), settled)) {
    confirmed_.push_back(*known(id));
  }
}

}  // namespace dupwatch::core
