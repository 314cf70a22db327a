#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

}  // namespace

void Daemon::start_baseline(const Attachment& attachment) {
  const bool trusted = config_.baseline == core::Baseline::kNone && !ever_attached_ && !pending_gap_;
  if (attachment.created && !trusted) {
    const auto reason =
        pending_gap_.value_or(ever_attached_ ? core::GapReason::kSlotCreated : core::GapReason::kFirstStart);
    coverage_.open(reason, pending_gap_ ? watch_.confirmed() : decoder::Lsn{}, attachment.from,
                   process::wall_now());
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
  if (baseline_ || config_.baseline == core::Baseline::kNone) return;
  // Open runs are few and found by their state, so they are judged at every start: that also completes a
  // first scan that was killed. Reading the whole log is for the first start alone.
  if (config_.baseline == core::Baseline::kActive && attachment.runs_table) {
    begin_scan(core::Baseline::kActive, {});
  } else {
    log_.info("rows from before this start are not judged again", {{"baseline", "first start only"}});
  }
}

void Daemon::begin_scan(core::Baseline scope, std::string snapshot, ScanFor purpose) {
  baseline_.reset();
  admission_.rest();
  baseline_told_ = false;
  scan_again_ = false;
  coverage_.scan_failed();  // what the one before it did not finish
  if (purpose == ScanFor::kGaps) coverage_.scan_begins();
  auto task = scan_task_;
  // Without a slot there is no server to keep to: the one that is up will do.
  if (purpose == ScanFor::kPoll) task.connection = config_.connection;
  // The rows of ended runs are not replayed: after the first start only open runs matter.
  task.scope = scope == core::Baseline::kNone ? core::Baseline::kActive : scope;
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
  if (trouble && !std::exchange(table_in_trouble_, trouble)) {
    coverage_.open(core::GapReason::kTableChanged, watch_.judged(), decoder::Lsn{}, process::wall_now());
  }
  table_in_trouble_ = trouble;
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
