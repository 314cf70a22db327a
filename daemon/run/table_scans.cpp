#include "daemon/run/table_scans.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {

TableScans::TableScans(const core::Config& config, const core::LifeCycle& life, core::Watch& watch,
                       CoverageKeeper& coverage, ServerWatch& server, process::EventFd& wake,
                       process::Log& log)
    : config_(config),
      life_(life),
      watch_(watch),
      coverage_(coverage.coverage()),
      keeper_(coverage),
      server_(server),
      wake_(wake),
      log_(log) {}

void TableScans::prepare(const Attachment& attachment, const Source& source) {
  if (source.connection.server.started != task_.connection.server.started) forget_unfinished();
  task_ = {.connection = source.connection,
           .scope = config_.baseline,
           .snapshot = {},
           .runs_table = attachment.runs_table,
           .extras = attachment.extras,
           .traits = attachment.traits,
           .read_back_copy = source.read_back_copy};
}

void TableScans::stream_starts(const Attachment& attachment) {
  if (attachment.created && keeper_.slot_created(attachment)) {
    begin(config_.baseline, attachment.created->snapshot);
    return;
  }
  // Open gaps have a scan of their own.
  if (scan_ || config_.baseline == core::Baseline::kNone) return;
  // Open runs are few and found by their state, so they are judged at every start: that also completes a
  // first scan that was killed. Reading the whole log is for the first start alone.
  if (config_.baseline == core::Baseline::kActive && attachment.runs_table) {
    begin(core::Baseline::kActive, {});
  } else if (coverage_.complete()) {
    log_.info("rows from before this start are not judged again", {{"baseline", "first start only"}});
  }
}

std::optional<postgres::Error> TableScans::take_snapshot(postgres::Waiter& waiter) {
  if (!scan_ || scan_->wait_for_snapshot(waiter)) return std::nullopt;
  const auto error = scan_->error();
  scan_.reset();
  coverage_.scan_failed();
  return error.value_or(postgres::Error{.fault = postgres::Fault::kTransient,
                                        .cause = postgres::Cause::kSnapshot,
                                        .sqlstate = {},
                                        .message = "the slot's snapshot was not taken over in time",
                                        .remedy = {}});
}

void TableScans::poll() {
  begin(core::Baseline::kActive, {}, Closes::kNothing, config_.connection);
}

void TableScans::begin(core::Baseline scope, std::string snapshot) {
  begin(scope, std::move(snapshot), Closes::kGaps, task_.connection);
}

void TableScans::begin(core::Baseline scope, std::string snapshot, Closes closes,
                       core::ConnectionConfig connection) {
  scan_.reset();
  server_.session_comes();
  told_ = false;
  coverage_.scan_failed();  // what the one before it did not finish
  if (closes == Closes::kGaps) {
    // Of the runs in memory some may lack rows of the gap, which the scan judges and forgets: a later
    // duplicate of such a row is found only if its run is read back.
    if (!coverage_.complete()) watch_.doubt_runs();
    coverage_.scan_begins();
  }
  auto task = task_;
  task.connection = std::move(connection);
  // The rows of ended runs are not replayed: after the first start only open runs matter.
  task.scope = scope == core::Baseline::kNone ? core::Baseline::kActive : scope;
  task.unlisted = std::ranges::any_of(coverage_.open_gaps(), [](const core::CoverageGap& gap) {
    return gap.reason != core::GapReason::kFirstStart && gap.reason != core::GapReason::kUnknownPast;
  });
  task.snapshot = std::move(snapshot);
  plan_.begins(process::steady_now());
  scan_ = std::make_unique<BaselineScan>(config_, std::move(task), wake_);
}

void TableScans::judge_again(const core::LogTraits& traits) {
  task_.traits = traits;
  task_.again = true;
  plan_.wants();
}

void TableScans::leave_server() {
  if (!running()) return;
  scan_.reset();
  is_over(core::BaselineState::kFailed, process::steady_now());
}

void TableScans::forget_unfinished() {
  if (!scan_ || scan_->state() == core::BaselineState::kComplete) return;
  // Where one failed of the old server, stream_starts() need not wait for the pause to be over.
  scan_.reset();
  if (!std::exchange(told_, true)) is_over(core::BaselineState::kFailed, process::steady_now());
}

bool TableScans::running() const {
  return scan_ && scan_->state() == core::BaselineState::kRunning;
}

void TableScans::take_findings() {
  for (auto& finding : scan_->take_findings()) watch_.baseline_finding(std::move(finding), plan_.began());
}

void TableScans::collect(core::Instant now) {
  if (!scan_) return;
  take_findings();
  const auto state = scan_->state();
  if (state == core::BaselineState::kRunning) {
    log_.progress(fmt::format("judging existing runs: {}{} ({} rows)", scan_->runs(),
                              scan_->runs_total() != 0 ? fmt::format(" of {}", scan_->runs_total()) : "",
                              scan_->rows()));
    return;
  }
  if (std::exchange(told_, true)) return;
  log_.progress({});
  is_over(state, now);
  // The scan's last findings are in the mailbox before its state changes; they were taken above or come next
  // turn.
  take_findings();
  const process::Log::Fields counts{{"event", "baseline"},
                                    {"state", std::string(to_string(state))},
                                    {"runs", std::to_string(scan_->runs()), true},
                                    {"rows", std::to_string(scan_->rows()), true}};
  if (const auto error = scan_->error()) {
    server_.note_farewell(*error);
    auto fields = counts;
    fields.push_back({"reason", std::string(to_string(error->cause))});
    fields.push_back({"error", error->message});
    fields.push_back({"remedy", error->remedy});
    log_.error("existing rows could not all be judged; this is tried again", fields);
  } else {
    log_.info("existing rows are judged", counts);
  }
}

void TableScans::turn(bool trouble, core::Instant now) {
  // While the slot is being given up the state still says streaming; only the next slot's own scan covers
  // what is committed from here on.
  if (!life_.streaming() || life_.pending_gap() || trouble || !may_begin(now)) return;
  if (coverage_.needs_scan() || plan_.again()) begin(core::Baseline::kActive, {});
}

void TableScans::is_over(core::BaselineState state, core::Instant now) {
  const bool complete = state == core::BaselineState::kComplete;
  plan_.ends(complete, now);
  if (!complete) {
    coverage_.scan_failed();
    return;
  }
  task_.again = task_.again && plan_.again();  // of a scan that is yet to come
  for (const auto& gap : coverage_.scan_ended(process::wall_now())) {
    log_.info("coverage gap closed", {{"event", "coverage_gap_closed"},
                                      {"gap", std::string(to_string(gap.reason))},
                                      {"from", decoder::to_string(gap.from)},
                                      {"to", decoder::to_string(gap.to)}});
  }
}

void TableScans::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  if (!scan_) return;
  out.baseline.state = scan_->state();
  out.baseline.rows = scan_->rows();
  out.baseline.runs = scan_->runs();
  out.baseline.runs_total = scan_->runs_total();
}

std::string TableScans::trouble(core::Instant /*now*/) const {
  if (const auto gap = coverage_.open_reason()) {
    return fmt::format("coverage gap ({}): a scan of the table is {}", to_string(*gap),
                       running() ? "under way" : "due");
  }
  if (running() && !task_.again) return "judging existing runs";
  if (scan_ && scan_->state() == core::BaselineState::kFailed) {
    return "existing rows could not all be judged";
  }
  return {};
}

}  // namespace dupwatch::run
