#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/core/reattachment.hpp"
#include "daemon/run/daemon.hpp"

/// What the daemon does about commits that it may not have seen: it opens a gap, scans the table, and closes
/// it.
namespace dupwatch::run {
namespace {

// A scan reads all open runs. Where the cause of gaps persists, scanning takes a tenth of the time at most.
constexpr int kPauseFactor = 9;
constexpr std::chrono::seconds kPauseMin{1};
constexpr std::chrono::minutes kPauseMax{5};
constexpr std::chrono::minutes kPauseAfterFailure{1};

std::string_view words(core::GapReason reason) noexcept {
  if (reason == core::GapReason::kOtherHistory)
    return "another server or timeline answers: commits around the change may not have been seen";
  if (reason == core::GapReason::kPositionAhead)
    return "the slot is ahead of what was confirmed: commits in between were not seen";
  if (reason == core::GapReason::kRestored)
    return "the server's WAL ends before what was confirmed: it was put back to an earlier point";
  if (reason == core::GapReason::kUnknownPast) return "what was seen before this start is not known";
  if (reason == core::GapReason::kSlotCreated)
    return "the slot is another than the one that was read before: commits in between may not have been seen";
  if (reason == core::GapReason::kTableChanged)
    return "table or publication was replaced while nobody looked: what was committed meanwhile may not have "
           "been seen";
  return "commits may not have been seen";
}

}  // namespace

void Daemon::open_book() {
  auto path = CoverageBook::path_for(config_);
  if (path.empty()) {
    log_.info("coverage is not remembered across restarts: each start is a gap until a scan has closed it",
              {{"event", "coverage_not_kept"},
               {"remedy", "set findings.file to a regular file, or run under systemd with StateDirectory"}});
  }
  if (const auto problem = book_.open(std::move(path))) {
    log_.warn(*problem, {{"reason", "coverage_file"},
                         {"remedy", "none needed: this start is a gap, which a scan closes"}});
  }
  if (!book_.known()) return;
  for (const auto& gap : book_.known()->open_gaps) {
    coverage_.open(gap.reason, gap.from, gap.to, gap.opened);
    log_.warn("a gap of before is still open: a scan closes it", {{"event", "coverage_gap"},
                                                                  {"gap", std::string(to_string(gap.reason))},
                                                                  {"from", decoder::to_string(gap.from)},
                                                                  {"to", decoder::to_string(gap.to)}});
  }
  noted_revision_ = coverage_.revision();
}

void Daemon::open_gap(core::GapReason reason, decoder::Lsn from, decoder::Lsn to) {
  coverage_.open(reason, from, to, process::wall_now());
  const process::Log::Fields fields{{"event", "coverage_gap"},
                                    {"reason", "coverage_gap"},
                                    {"gap", std::string(to_string(reason))},
                                    {"confirmed_lsn", decoder::to_string(from)},
                                    {"from", decoder::to_string(to)},
                                    {"timeline", std::to_string(system_.timeline), true},
                                    {"remedy", "none needed: a scan closes the gap"}};
  // A first start of this version, or one whose findings go nowhere: nothing has happened.
  if (reason == core::GapReason::kUnknownPast) {
    log_.warn(std::string(words(reason)), fields);
  } else {
    log_.error(std::string(words(reason)), fields);
  }
}

void Daemon::note_server(const Attachment& attachment) {
  system_ = attachment.system;
  plugin_ = to_string(attachment.plugin);
  server_version_ = attachment.server_version;
  const auto& publication = attachment.table.publication;
  const bool published = attachment.plugin == decoder::Plugin::kPgoutput && publication;
  origin_.coverage = {.system_identifier = system_.system_identifier,
                      .timeline = system_.timeline,
                      .slot = config_.slot.name,
                      .plugin = plugin_,
                      .two_phase = attachment.slot && attachment.slot->two_phase,
                      .table = attachment.table.oid,
                      .publication = published ? publication->oid : 0};
  const bool restarted =
      std::exchange(origin_.postmaster, attachment.server.started) != attachment.server.started;
  const auto judged = judge_reattachment(book_.known(),
                                         {.origin = origin_.coverage,
                                          .from = attachment.from,
                                          .wal_end = system_.wal_position,
                                          .slot_created = attachment.created.has_value(),
                                          .standby = postgres::in_recovery(attachment.replication)},
                                         {.streamed = ever_attached_,
                                          .confirmed = watch_.confirmed(),
                                          .restarted = restarted,
                                          .pending = pending_gap_});
  for (const auto& gap : judged.gaps) open_gap(gap.reason, gap.from, gap.to);
  if (judged.other_rows) {
    watch_.forget_rows();
  } else if (judged.doubts_runs) {
    watch_.doubt_runs();
  }
}

void Daemon::tick_witness() {
  for (const auto& verdict : witness_.take()) {
    const bool deaf = verdict.kind == core::Disagreement::kDeaf;
    coverage_.open(deaf ? core::GapReason::kDeaf : core::GapReason::kBlind, verdict.since, decoder::Lsn{},
                   process::wall_now());
    watch_.doubt_runs();
    log_.error(
        witness_trouble(),
        {{"event", "coverage_gap"},
         {"gap", deaf ? "deaf" : "blind"},
         {"run_id", verdict.row.run_id},
         {"event_id", verdict.row.id},
         {"from", decoder::to_string(verdict.since)},
         {"remedy", "dupwatch check may name the cause; the runbook of DupwatchDisagreement goes on"}});
  }
  tick_recovery();
}

void Daemon::tick_recovery() {
  const auto over = watch_.witness().take_recovery();
  if (!over) return;
  const bool deaf = over->kind == core::Disagreement::kDeaf;
  coverage_.open(deaf ? core::GapReason::kDeaf : core::GapReason::kBlind, over->since, watch_.received(),
                 process::wall_now());
  watch_.doubt_runs();
  log_.info("stream and table agree again: a scan looks for what was missed meanwhile",
            {{"event", "coverage_gap"},
             {"gap", deaf ? "deaf" : "blind"},
             {"from", decoder::to_string(over->since)}});
}

std::string Daemon::witness_trouble() const {
  const auto& standing = watch_.witness().standing();
  if (!standing) return {};
  const auto& table = config_.profile.qualified_name();
  return *standing == core::Disagreement::kDeaf
             ? fmt::format(
                   "deaf: {} has rows, committed since streaming began, that the stream did not bring", table)
             : fmt::format("blind: the stream brought rows of {} that a query does not show", table);
}

void Daemon::start_baseline(const Attachment& attachment) {
  const bool first = !ever_attached_ && !book_.known();
  const bool trusted = config_.baseline == core::Baseline::kNone && first && !pending_gap_;
  if (attachment.created && !trusted) {
    const auto reason = gap_before_slot(book_.known(), {.streamed = ever_attached_, .pending = pending_gap_});
    const auto known = book_.known() ? book_.known()->confirmed : decoder::Lsn{};
    coverage_.open(reason, ever_attached_ ? watch_.confirmed() : known, attachment.from, process::wall_now());
    const process::Log::Fields fields{{"event", "coverage_gap"},
                                      {"gap", std::string(to_string(reason))},
                                      {"to", decoder::to_string(attachment.from)}};
    if (reason == core::GapReason::kFirstStart) {
      log_.info("rows from before the first start are judged by a scan", fields);
    } else {
      log_.warn("the slot was recreated: a scan looks for what was committed meanwhile", fields);
    }
    begin_scan(config_.baseline, attachment.created->snapshot);
    return;
  }
  // Open gaps have a scan of their own.
  if (baseline_ || config_.baseline == core::Baseline::kNone) return;
  // Open runs are few and found by their state, so they are judged at every start: that also completes a
  // first scan that was killed. Reading the whole log is for the first start alone.
  if (config_.baseline == core::Baseline::kActive && attachment.runs_table) {
    begin_scan(core::Baseline::kActive, {});
  } else if (coverage_.complete()) {
    log_.info("rows from before this start are not judged again", {{"baseline", "first start only"}});
  }
}

void Daemon::begin_scan(core::Baseline scope, std::string snapshot, ScanFor purpose) {
  baseline_.reset();
  admission_.rest();
  baseline_told_ = false;
  scan_again_ = false;
  coverage_.scan_failed();  // what the one before it did not finish
  if (purpose == ScanFor::kGaps) {
    // Of the runs in memory some may lack rows of the gap, which the scan judges and forgets: a later
    // duplicate of such a row is found only if its run is read back.
    if (!coverage_.complete()) watch_.doubt_runs();
    coverage_.scan_begins();
  }
  auto task = scan_task_;
  // Without a slot there is no server to keep to: the one that is up will do.
  if (purpose == ScanFor::kPoll) task.connection = config_.connection;
  // The rows of ended runs are not replayed: after the first start only open runs matter.
  task.scope = scope == core::Baseline::kNone ? core::Baseline::kActive : scope;
  task.unlisted = std::ranges::any_of(coverage_.open_gaps(), [](const core::CoverageGap& gap) {
    return gap.reason != core::GapReason::kFirstStart && gap.reason != core::GapReason::kUnknownPast;
  });
  task.snapshot = std::move(snapshot);
  scan_began_ = process::steady_now();
  baseline_ = std::make_unique<BaselineScan>(config_, std::move(task), wake_);
}

void Daemon::tick_coverage(core::Instant now) {
  std::uint64_t decode_errors = 0;
  for (const auto count : watch_.counters().decode_errors) decode_errors += count;
  if (decode_errors != std::exchange(decode_errors_, decode_errors)) {
    coverage_.open(core::GapReason::kDecodeError, watch_.judged(), watch_.received(), process::wall_now());
  }
  const bool trouble = !monitor_.table_trouble().empty();
  if (const auto reason = monitor_.take_gap()) {
    coverage_.open(*reason, watch_.judged(), decoder::Lsn{}, process::wall_now());
    watch_.doubt_runs();
  }
  // What the catalogue explains needs no witness.
  if (trouble) watch_.witness().explain();
  tick_witness();
  coverage_.settle(!watch_.has_findings(), sink_.durability());
  if (noted_revision_ != coverage_.revision()) {
    noted_revision_ = coverage_.revision();
    book_.note_gaps(coverage_.recorded_gaps());
    next_publish_ = now;  // readiness and status speak of it at once
  }
  // While the slot is being given up the state still says streaming; only the next slot's own scan covers
  // what is committed from here on.
  if (state_ != core::StreamState::kStreaming || pending_gap_ || trouble || now < next_scan_) return;
  if (baseline_ && baseline_->state() == core::BaselineState::kRunning) return;
  if (coverage_.needs_scan() || scan_again_) begin_scan(core::Baseline::kActive, {});
}

void Daemon::scan_is_over(core::BaselineState state, core::Instant now) {
  next_scan_ =
      now + std::clamp<core::Instant::duration>((now - scan_began_) * kPauseFactor, kPauseMin, kPauseMax);
  if (state != core::BaselineState::kComplete) {
    next_scan_ = now + kPauseAfterFailure;
    coverage_.scan_failed();
    scan_again_ = true;
    return;
  }
  for (const auto& gap : coverage_.scan_ended(process::wall_now())) {
    log_.info("coverage gap closed", {{"event", "coverage_gap_closed"},
                                      {"gap", std::string(to_string(gap.reason))},
                                      {"from", decoder::to_string(gap.from)},
                                      {"to", decoder::to_string(gap.to)}});
  }
}

}  // namespace dupwatch::run
