#include "tests/sim/shell.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "tests/sim/judge_runs.hpp"

namespace dupwatch::sim {
namespace {

/// Read-back rows that arrive together.
constexpr std::size_t kRowsPerTurn = 5;
constexpr std::uint64_t kStaleSteps = 60;

}  // namespace

Shell::Shell(World world, Bug bug)
    : world_(world), bug_(bug), now_(core::Instant{} + std::chrono::hours{1}), coverage_(world, config_) {
  config_.index.memory_max_bytes = world_.options.memory_max;
  config_.rules.engine = world_.options.engine;
  config_.index.run_grace = std::chrono::milliseconds{world_.options.run_grace_ms};
  start_process();
}

void Shell::start_process() {
  disconnect();
  in_flight_.reset();
  // What was being written is in the file, or a part of it.
  if (file_task_) {
    file_task_->sync = false;
    (void)world_.file.perform(*file_task_, {.room = world_.random.below(file_task_->bytes.size() + 1)});
    file_task_.reset();
  }
  durability_ = core::BasicDurability<PlantedBug>(PlantedBug{bug_});
  rows_.clear();
  rows_under_way_ = 0;
  rows_recorded_ = 0;
  watch_ = std::make_unique<core::Watch>(config_, ++processes_);
  watch_->set_traits({.engines = auto_engines(world_.options)});
  world_.inspector.process_started();
  coverage_.process_started(*watch_);
  read_past();
}

void Shell::read_past() {
  past_.clear();
  if (world_.file.present().size() < world_.file.records().size()) world_.inspector.past_unknown();
  // A sync at the start that fails leaves the file's past unknown.
  if (bug_ == Bug::kRestoreUnsynced || world_.file.sync(once_in(4))) {
    std::map<std::uint64_t, core::Finding> last;
    for (const auto& record : world_.file.present()) {
      if (!record.given_up) last.insert_or_assign(record.finding.id, record.finding);
    }
    for (auto& [id, finding] : last) {
      if (finding.state != core::FindingState::kGone) past_.push_back(finding);
    }
  } else {
    world_.inspector.past_unknown();
  }
  table_read_ = !world_.options.findings_table;
  // Where the first look at the table fails, the stream begins without its past.
  if (table_read_ || !once_in(4)) restore();
}

void Shell::restore() {
  std::vector<core::Finding> recorded;
  for (const auto& [id, finding] : world_.table.rows()) {
    if (finding.state != core::FindingState::kGone) recorded.push_back(finding);
  }
  if (bug_ == Bug::kRestoreOneStore && !table_read_) past_ = recorded;
  for (auto& past : core::restored_findings(std::move(past_), std::move(recorded))) {
    if (!watch_->restore(past.finding)) continue;
    world_.inspector.restored(past.finding.id);
    add(past.finding, past.file_lacks, past.table_lacks && world_.options.findings_table);
  }
  past_.clear();
  table_read_ = true;
}

void Shell::connect() {
  // The session for queries is renewed with the stream.
  fail_read_back();
  if (!coverage_.attach(now_)) return;
  const bool resumes = bug_ == Bug::kResumeAtReceived && watch_->received().valid();
  const auto from = world_.server.start_stream(resumes ? watch_->received().value : 0);
  connected_ = true;
  durability_.stream_started();
  watch_->stream_started(world_.options.plugin, decoder::Lsn{from});
  world_.inspector.stream_started(from);
  keepalive_position_ = from;
  heartbeat_position_ = from;
  watch_->heartbeat().stream_started(now_);
  coverage_.stream_started(from);
  world_.trace("connect", "from {}", from);
}

void Shell::disconnect() {
  if (!connected_) return;
  connected_ = false;
  statuses_.clear();
  world_.server.end_stream();
  coverage_.stream_ended();
  if (bug_ == Bug::kDropFindingsOnDisconnect) (void)watch_->take_findings();
  world_.trace("disconnect");
}

void Shell::server_crashed() {
  disconnect();
  rows_under_way_ = 0;
  fail_read_back();
  coverage_.fail_scan();
}

void Shell::receive(const std::string& copy_data) {
  watch_->receive(walsender::bytes_of(copy_data), now_);
}

void Shell::read_message() {
  if (!connected_ || !watch_->may_read() || sink_stalled) return;
  const auto message = world_.server.next_message();
  if (!message) return;
  world_.trace("message", "{}", std::string_view(*message).substr(25, 1));
  if (const auto* row = world_.server.sent_row()) {
    world_.inspector.given(*row);
    if (is_ignored(*row)) return;
  }
  if (bug_ == Bug::kDropMessage && once_in(50)) return;
  receive(*message);
}

void Shell::read_keepalive() {
  if (!connected_ || !watch_->may_read() || sink_stalled) return;
  receive(world_.server.keepalive(keepalive_position_));
  world_.trace("keepalive", "{}", keepalive_position_);
}

void Shell::read_heartbeat() {
  if (!connected_ || !watch_->may_read() || sink_stalled) return;
  auto& heartbeat = watch_->heartbeat();
  const auto beat = heartbeat.next(now_);
  receive(world_.server.message(heartbeat_position_, beat.value_or("beat of another")));
  world_.trace("heartbeat", "{}", heartbeat_position_);
}

void Shell::turn_read_back() {
  (void)watch_->judge_on(now_);
  if (!in_flight_) {
    auto batch = watch_->next_read_back();
    if (!batch) return;
    world_.trace("read back", "batch {}, {} runs", batch->number, std::uint64_t{batch->run_ids.size()});
    in_flight_ = InFlight{.batch = std::move(*batch), .rows = std::nullopt, .delivered = 0};
    if (bug_ == Bug::kSkipReadBack) finish_read_back();
    return;
  }
  if (!in_flight_->rows) {
    // The snapshot is taken some time after the request: it may see what the stream has yet to deliver.
    if (once_in(2)) return;
    auto step = world_.trace.step;
    if (bug_ == Bug::kStaleReadBack) step -= std::min(step, kStaleSteps);
    const std::set<std::string> runs(in_flight_->batch.run_ids.begin(), in_flight_->batch.run_ids.end());
    in_flight_->rows = world_.server.snapshot(runs, step);
    world_.trace("snapshot", "{} rows", std::uint64_t{in_flight_->rows->size()});
    return;
  }
  auto& rows = *in_flight_->rows;
  for (std::size_t i = 0; i < kRowsPerTurn && in_flight_->delivered < rows.size(); ++i) {
    const auto& row = rows[in_flight_->delivered++];
    world_.inspector.given(row);
    if (is_ignored(row) || (bug_ == Bug::kDropReadBackRow && once_in(20))) continue;
    watch_->read_back_row(row.run_id, row.id, row.type, core::values_of(row.identity), {}, now_,
                          spec_of_run(world_.options, row.run_id));
  }
  if (in_flight_->delivered == rows.size()) finish_read_back();
}

bool Shell::is_ignored(const oracle::Event& row) const {
  if (bug_ == Bug::kIgnoreStarts) return row.type == "step_started";
  return bug_ == Bug::kIgnoreRunEnds &&
         (row.type == "run_completed" || row.type == "run_failed" || row.type == "run_cancelled");
}

void Shell::finish_read_back() {
  world_.trace("read back done");
  in_flight_.reset();
  watch_->read_back_done();
  world_.inspector.evicted(*watch_);
}

void Shell::fail_read_back() {
  if (!in_flight_) return;
  world_.trace("read back failed");
  if (bug_ == Bug::kPartialReadBack) return finish_read_back();
  in_flight_.reset();
  watch_->read_back_failed();
}

void Shell::recheck() {
  now_ += core::FindingReporter::kSettled + std::chrono::seconds{1};
  // By then every commit is visible.
  const auto step = world_.trace.step + world_.options.visibility_lag;
  for (const auto& run : watch_->next_rechecks(core::ReportedFindings::kFindingsMax, now_)) {
    JudgedRuns judged(config_, world_.options);
    const auto rows = world_.server.snapshot({run}, step);
    world_.inspector.shown(rows);
    for (const auto& row : rows) judged.add(row);
    world_.trace("recheck", "{}", run);
    watch_->rechecked({.run_id = run,
                       .findings = judged.findings(core::Origin::kRecheck),
                       .log_read = true,
                       .tables_read = false},
                      now_);
  }
}

void Shell::turn_coverage_file(bool fails) {
  coverage_.turn_file(fails, durability_);
}

void Shell::turn_scan() {
  coverage_.turn_scan(now_);
}

void Shell::turn_witness(std::chrono::milliseconds time) {
  advance(time);
  coverage_.turn_witness(now_);
}

void Shell::report() {
  auto findings = watch_->take_findings();
  if (bug_ == Bug::kDropFindings && once_in(10)) findings.clear();
  for (auto& finding : findings) {
    world_.trace("finding", "{} {} {} {} {} canonical {}", to_string(finding.rule),
                 to_string(finding.severity), to_string(finding.state), finding.run_id, finding.duplicate.id,
                 finding.canonical.id);
    finding.flagged_at.micros = ++flagged_;
    world_.inspector.reported(finding);
    add(finding, true, world_.options.findings_table);
  }
}

void Shell::add(const core::Finding& finding, bool to_file, bool to_table) {
  if (to_file) durability_.add_line(world_.file.line(finding));
  if (!to_table) return;
  durability_.add_row();
  rows_.push_back(finding);
}

void Shell::turn_file(FindingsFile::Fate fate) {
  if (!file_task_) {
    file_task_ = durability_.next_task();
    return;
  }
  if (sink_stalled) fate.room = 0;
  const auto outcome = world_.file.perform(*std::exchange(file_task_, std::nullopt), fate);
  world_.trace("file", "{} bytes, sync {}, replaced {}", std::uint64_t{outcome.written},
               static_cast<std::uint64_t>(outcome.sync), std::uint64_t{outcome.replaced});
  durability_.finished(outcome);
}

void Shell::turn_table(TableFate fate) {
  if (!table_read_) {
    if (fate == TableFate::kDone) restore();
    return;
  }
  if (rows_under_way_ == 0) {
    rows_under_way_ = std::min<std::size_t>(rows_.size(), 1 + world_.random.below(3));
    return;
  }
  const auto count = std::exchange(rows_under_way_, 0);
  if (fate == TableFate::kFailed) return;
  const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(count);
  for (auto row = rows_.begin(); row != end; ++row) world_.table.upsert(*row);
  world_.trace("table", "{} rows", std::uint64_t{count});
  if (fate == TableFate::kAnswerLost) return;
  rows_.erase(rows_.begin(), end);
  rows_recorded_ += count;
  durability_.rows_recorded(rows_recorded_);
}

void Shell::send_status() {
  if (!connected_) return;
  // Not always: what was judged since the last report must not pass for written.
  if (once_in(2)) report();
  if (const auto durable = durability_.durable(watch_->taken())) watch_->findings_durable(*durable);
  durability_.request_sync();
  auto position = watch_->confirmed().value;
  if (bug_ == Bug::kConfirmReceived) position = watch_->received().value;
  if (bug_ == Bug::kConfirmKeepalive) position = std::max(position, keepalive_position_);
  if (bug_ == Bug::kConfirmHeartbeat) position = std::max(position, heartbeat_position_);
  (void)watch_->reply_requests().take();
  position = coverage_.confirmable(position, now_);
  world_.inspector.confirming(position);
  statuses_.push_back(position);
  world_.trace("status", "{}", position);
}

bool Shell::deliver_status() {
  if (statuses_.empty()) return false;
  world_.server.receive_status(statuses_.front());
  statuses_.pop_front();
  return true;
}

void Shell::advance(std::chrono::milliseconds time) {
  now_ += time;
  watch_->evict(now_);
  world_.inspector.evicted(*watch_);
}

bool Shell::idle() const {
  return watch_->pending_runs() == 0 && watch_->next_judging(now_) == core::Instant::max() &&
         !watch_->has_findings() && durability_.settled() && table_read_ && statuses_.empty() &&
         coverage_.idle();
}

}  // namespace dupwatch::sim
