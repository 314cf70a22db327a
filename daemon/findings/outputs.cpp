#include "daemon/findings/outputs.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::findings {

namespace {

void complete_row(core::RowEvidence& row, const core::RowEvidence& known) {
  if (row.id != known.id) return;
  // A row that was written again has another transaction.
  if (row.xid && known.xid && *row.xid != *known.xid) return;
  if (!row.xid) row.xid = known.xid;
  if (!row.commit_lsn) row.commit_lsn = known.commit_lsn;
  if (!row.commit_time) row.commit_time = known.commit_time;
}

}  // namespace

FindingOutputs::FindingOutputs(const core::FindingsConfig& config, process::Log& log, web::StatusStore& store,
                               TableWriter& table, WebhookWorker& webhook,
                               quarantine::QuarantineWorker& quarantine, process::EventFd& wake)
    : config_(config),
      log_(log),
      store_(store),
      table_(table),
      webhook_(webhook),
      quarantine_(quarantine),
      limiter_(config.log_rate_max),
      file_(config.file, durability_, log, wake) {}

std::optional<std::vector<core::RestoredFinding>> FindingOutputs::take_past() {
  if (past_given_ || file_.opening()) return std::nullopt;
  std::vector<core::Finding> of_table;
  if (!config_.table_name.empty()) {
    auto past = table_.take_past();
    if (!past) return std::nullopt;
    of_table = std::move(*past);
  }
  past_given_ = true;
  return core::restored_findings(file_.take_past(), std::move(of_table));
}

void FindingOutputs::report(std::vector<core::Finding> findings, core::Instant now) {
  // Before anything is written: some 100 ms decide whether a run survives.
  for (const auto& finding : findings) quarantine_.add(finding);
  for (auto& finding : findings) {
    finding.flagged_at = process::wall_now();
    if (finding.change == core::FindingChange::kChanged) complete_evidence(finding);
    measure(finding);
    store(finding, true, true);
    if (limiter_.allow(finding.rule, finding.severity, now)) {
      log_.finding(finding);
    } else {
      ++log_suppressed_;
    }
    webhook_.add(finding);
    store_.add(std::move(finding));
  }
  file_.turn(now);
}

void FindingOutputs::store(const core::Finding& finding, bool in_file, bool in_table) {
  if (in_file && !config_.file.empty()) durability_.add_line(core::to_json(finding));
  if (!in_table || config_.table_name.empty()) return;
  durability_.add_row();
  table_.add(finding);
}

void FindingOutputs::complete_evidence(core::Finding& finding) const {
  const auto known = store_.find(finding.id);
  if (!known) return;
  complete_row(finding.canonical, known->canonical);
  complete_row(finding.duplicate, known->duplicate);
  if (finding.closing && known->closing) complete_row(*finding.closing, *known->closing);
}

core::Finding FindingOutputs::record_of(core::Finding finding) const {
  const auto known = store_.find(finding.id);
  finding.flagged_at = known ? known->flagged_at : process::wall_now();
  finding.change = core::FindingChange::kChanged;
  complete_evidence(finding);
  return finding;
}

void FindingOutputs::record_again(core::Finding finding) {
  store(record_of(std::move(finding)), true, false);
}

void FindingOutputs::record_in_table(core::Finding finding) {
  if (config_.table_name.empty()) return;
  durability_.add_row();
  table_.add(record_of(std::move(finding)), TableWriter::Over::kOther);
}

bool FindingOutputs::is_durable(const core::AddedFindings& findings) noexcept {
  if (!keeps_findings()) return false;
  durability_.rows_recorded(table_.recorded());
  return durability_.is_durable(findings);
}

void FindingOutputs::complete(const core::RestoredFinding& restored) {
  store(restored.finding, restored.file_lacks, restored.table_lacks);
}

void FindingOutputs::measure(const core::Finding& finding) {
  if (finding.change != core::FindingChange::kNew || finding.origin != core::Origin::kStream) return;
  const auto last =
      std::max(finding.duplicate.commit_time, finding.canonical.commit_time);  // nullopt is less
  if (!last) return;
  // Two clocks: a server ahead of us by more than the latency must not count as negative time.
  commit_to_flag_.observe(std::max(0.0, static_cast<double>(finding.flagged_at.micros - last->micros) / 1e6));
}

void FindingOutputs::sync(core::Instant now) {
  durability_.request_sync();
  file_.turn(now);
}

std::optional<decoder::Lsn> FindingOutputs::durable(decoder::Lsn taken) {
  durability_.rows_recorded(table_.recorded());
  return durability_.durable(taken);
}

bool FindingOutputs::may_settle(core::Instant now) {
  durability_.rows_recorded(table_.recorded());
  return !durability_.settled() && !table_.trouble() && file_.trouble(now).empty();
}

void FindingOutputs::finish(std::chrono::milliseconds patience) {
  const auto deadline = process::steady_now() + patience;
  for (auto now = process::steady_now(); now < deadline; now = process::steady_now()) {
    sync(now);
    if (durability_.waiting_bytes() == 0 || !file_.trouble(now).empty()) return;
    file_.wait(std::chrono::ceil<std::chrono::milliseconds>(deadline - now));
  }
}

void FindingOutputs::turn(core::Instant now) {
  file_.turn(now);
  for (std::size_t i = 0; i < core::kRules; ++i) {
    const auto rule = static_cast<core::Rule>(i);
    const auto suppressed = limiter_.take_suppressed(rule, now);
    if (suppressed == 0) continue;
    log_.warn("findings suppressed in the log",
              {{"event", "findings_suppressed"},
               {"rule", std::string(core::to_string(rule))},
               {"suppressed", std::to_string(suppressed), true},
               {"remedy", "see findings.file or /api/findings for all of them"}});
  }
}

}  // namespace dupwatch::findings
