#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/run/daemon.hpp"
#include "daemon/web/verdict.hpp"

/// What the daemon does once a turn beside the stream: liveness, the baseline's mailbox, the published
/// status.
namespace dupwatch::run {
namespace {

constexpr std::chrono::milliseconds kPublishInterval{250};
// A server that has sent nothing for so long may be gone; the stream is not cut for it, since a walsender
// that decodes a large transaction is silent too, but it is not called ready.
constexpr std::chrono::seconds kSilenceMax{30};
constexpr std::chrono::seconds kLagMax{30};

}  // namespace

void Daemon::turn(core::Instant now) {
  store_.beat(now);
  if (state_ == core::StreamState::kStreaming) {
    monitor_.tick(now);
    heartbeat_.tick(now);
    witness_.tick(now);
    slot_holes_.tick(now);
    const bool scanning = baseline_ && baseline_->state() == core::BaselineState::kRunning;
    admission_.tick(now, scanning || (recheck_ && recheck_->busy()));
    table_.pump(now);
  } else if (state_ == core::StreamState::kPolling) {
    // No stream loop moves the connection on.
    table_.pump(now);
    sql_.turn(now);
  }
  sink_.turn(now);
  restore_past();
  tick_poll(now);
  for (const auto finding : quarantine_.take_done()) watch_.quarantined(finding, now);
  lag_.judged(watch_.judged());
  collect_baseline(now);
  tick_coverage(now);
  tick_recheck(now);
  tick_reload(now);
  if (now >= next_publish_) publish(now);
  service_.turn(state_ == core::StreamState::kStreaming, now);
}

core::Instant Daemon::turn_deadline() const {
  return std::min({next_publish_, monitor_.deadline(), witness_.deadline(), slot_holes_.deadline(),
                   heartbeat_.deadline(), admission_.deadline(), table_.deadline(), recheck_plan_.deadline(),
                   service_.deadline(), sink_.deadline()});
}

void Daemon::note_farewell(const postgres::Error& error) {
  if (postgres::says_goodbye(error)) farewell_ = error;
}

std::optional<postgres::Error> Daemon::take_farewell() {
  auto said = sql_.take_farewell();
  if (!said) said = heartbeat_.take_farewell();
  if (!said) said = admission_.take_farewell();
  if (!said) said = quarantine_.take_farewell();
  if (!said) said = std::exchange(farewell_, std::nullopt);
  return said;
}

std::optional<postgres::Error> Daemon::judge_stream(const StreamFacts& facts, core::Instant now) {
  // A server that shuts down waits for what its walsender has sent to be confirmed, and answers no query that
  // this may need: the stream ends first, and the slot keeps its position. A session that ends may be one
  // that somebody terminated: a new one tells, for a server refuses it before it ends those that it has.
  if (auto farewell = take_farewell()) {
    if (postgres::refuses_sessions(*farewell)) return farewell;
    admission_.hurry(now);
  }
  if (sql_.trouble()) {
    const auto held =
        static_cast<std::int64_t>(decoder::bytes_between(watch_.confirmed(), watch_.received()));
    monitor_.note_held_back(held);
  }
  const auto& slot = monitor_.slot();
  if (auto fuse = blown_fuse(slot)) return fuse;
  return heartbeat_.lost(facts.heard, slot ? std::optional(slot->active) : std::nullopt, now);
}

void Daemon::collect_baseline(core::Instant now) {
  if (!baseline_ || sink_.loading()) return;
  for (auto& finding : baseline_->take_findings()) watch_.baseline_finding(std::move(finding), scan_began_);
  const auto state = baseline_->state();
  if (state == core::BaselineState::kRunning) {
    log_.progress(
        fmt::format("judging existing runs: {}{} ({} rows)", baseline_->runs(),
                    baseline_->runs_total() != 0 ? fmt::format(" of {}", baseline_->runs_total()) : "",
                    baseline_->rows()));
    return;
  }
  if (baseline_told_) return;
  baseline_told_ = true;
  log_.progress({});
  scan_is_over(state, now);
  // The scan's last findings are in the mailbox before its state changes; they were taken above or come next
  // turn.
  for (auto& finding : baseline_->take_findings()) watch_.baseline_finding(std::move(finding), scan_began_);
  const process::Log::Fields counts{{"event", "baseline"},
                                    {"state", std::string(to_string(state))},
                                    {"runs", std::to_string(baseline_->runs()), true},
                                    {"rows", std::to_string(baseline_->rows()), true}};
  if (const auto error = baseline_->error()) {
    note_farewell(*error);
    auto fields = counts;
    fields.push_back({"reason", std::string(to_string(error->cause))});
    fields.push_back({"error", error->message});
    fields.push_back({"remedy", error->remedy});
    log_.error("existing rows could not all be judged; this is tried again", fields);
  } else {
    log_.info("existing rows are judged", counts);
  }
}

void Daemon::tick_recheck(core::Instant now) {
  if (!recheck_ || sink_.loading()) return;
  if (auto answers = recheck_->take()) {
    const auto trouble = answers->error ? answers->error->message : std::string{};
    if (answers->error && trouble != recheck_trouble_) {
      log_.warn("the periodic look at the tables failed; it is tried again after recheck.interval",
                {{"reason", std::string(to_string(answers->error->cause))},
                 {"sqlstate", answers->error->sqlstate},
                 {"error", trouble},
                 {"remedy", answers->error->remedy}});
    }
    recheck_trouble_ = trouble;
    if (answers->error) note_farewell(*answers->error);
    if (!answers->error) guard_ = answers->guard;
    for (auto& view : answers->views) watch_.rechecked(std::move(view), answers->asked);
  }
  recheck_plan_.request(watch_.take_look_requests(), now, Recheck::kRunsMax);
  if (now < recheck_plan_.deadline()) return;
  const auto interval = config_.recheck.interval;
  // One of the two at a time, so that three connections are the most.
  const bool scanning = baseline_ && baseline_->state() == core::BaselineState::kRunning;
  if (state_ != core::StreamState::kStreaming || recheck_->busy() || scanning) {
    recheck_plan_.postpone(now, interval);
    return;
  }
  admission_.rest();
  recheck_->remember(std::exchange(restored_, {}));
  auto runs = recheck_plan_.begin(now, interval);
  for (auto& run : watch_.next_rechecks(Recheck::kRunsMax - runs.size(), now)) runs.push_back(std::move(run));
  recheck_->begin(connection_, std::move(runs), read_back_copy_, traits_, config_.recheck);
}

void Daemon::schedule_recheck(core::Instant now) {
  const bool on = config_.recheck.interval.count() != 0;
  if (on && !recheck_) recheck_ = std::make_unique<Recheck>(config_, wake_);
  recheck_plan_.schedule(on ? now + config_.recheck.interval : core::Instant::max());
}

std::string Daemon::not_ready_reason(core::Instant now) const {
  if (state_ != core::StreamState::kStreaming || !stream_) {
    const auto state = to_string(state_);
    if (mode_ == core::WatchMode::kPolling) {
      return fmt::format("polling every {} s in place of streaming: {}",
                         std::chrono::ceil<std::chrono::seconds>(config_.poll.interval).count(),
                         last_error_ ? last_error_->message : "no slot");
    }
    return last_error_ ? fmt::format("not streaming ({}): {}", state, last_error_->message)
                       : fmt::format("not streaming ({})", state);
  }
  if (!monitor_.table_trouble().empty()) return monitor_.table_trouble();
  if (now - stream_->facts().last_received > kSilenceMax) return "the server has sent nothing for 30 s";
  if (watch_.judged() < catch_up_target_) {
    return fmt::format("catching up: {} bytes of WAL to judge",
                       decoder::bytes_between(watch_.judged(), catch_up_target_));
  }
  if (read_backs_.trouble()) return "runs can't be read back: " + read_backs_.trouble()->message;
  if (sql_.trouble()) return "no SQL connection: " + sql_.trouble()->message;
  if (table_.trouble()) {
    return fmt::format("findings.table can't be {}: {}", table_.reading() ? "read" : "written",
                       table_.trouble()->message);
  }
  if (const auto trouble = sink_.file_trouble(now); !trouble.empty()) {
    return "findings.file can't be written: " + trouble;
  }
  if (sink_.loading()) return "reading the known findings";
  if (!sink_.accepts()) return "findings wait for findings.file or findings.table";
  if (lag_.lag(now) > kLagMax) return fmt::format("behind the server for {:.0f} s", lag_.lag(now).count());
  if (auto trouble = heartbeat_.trouble(now); !trouble.empty()) return trouble;
  if (auto trouble = witness_trouble(); !trouble.empty()) return trouble;
  if (auto trouble = book_.trouble(); !trouble.empty()) return "coverage can't be remembered: " + trouble;
  if (const auto gap = coverage_.open_reason()) {
    return fmt::format(
        "coverage gap ({}): a scan of the table is {}", to_string(*gap),
        baseline_ && baseline_->state() == core::BaselineState::kRunning ? "under way" : "due");
  }
  if (baseline_ && baseline_->state() == core::BaselineState::kRunning) return "judging existing runs";
  if (baseline_ && baseline_->state() == core::BaselineState::kFailed)
    return "existing rows could not all be judged";
  return {};
}

core::StatusSnapshot Daemon::snapshot(core::Instant now) const {
  core::StatusSnapshot out;
  out.counters = watch_.counters();
  out.counters.evictions = watch_.index().evictions();
  out.counters.findings_log_suppressed = sink_.log_suppressed();
  out.counters.log_lines_lost = log_.dropped();
  out.counters.commit_to_flag = sink_.commit_to_flag();
  out.disconnects = disconnects_;
  out.state = state_;
  out.not_ready_reason = not_ready_reason(now);
  out.ready = out.not_ready_reason.empty();
  out.slot_name = config_.slot.name;
  out.plugin = plugin_;
  out.server_version = server_version_;
  out.engine = config_.rules.engine;
  out.auto_engines = traits_.engines;
  out.system_identifier = system_.system_identifier;
  out.timeline = system_.timeline;
  out.received_lsn = watch_.received();
  out.confirmed_lsn = watch_.confirmed();
  out.server_lsn = std::max(lag_.tip(), watch_.received());
  out.lag_seconds = lag_.lag(now).count();
  if (stream_ && stream_->facts().received_any) {
    const std::chrono::duration<double> age = now - stream_->facts().last_received;
    out.last_message_unix_seconds = static_cast<double>(process::wall_now().micros) / 1e6 - age.count();
  }
  out.index_runs = watch_.index().size();
  out.index_rows = watch_.index().rows();
  out.index_bytes = watch_.index().bytes();
  out.index_bytes_max = watch_.index().bytes_max();
  out.read_back_pending_runs = watch_.pending_runs();
  out.open_findings = watch_.reported().open();
  out.open_may_return = watch_.reported().open_may_return();
  if (baseline_) {
    out.baseline = baseline_->state();
    out.baseline_rows = baseline_->rows();
    out.baseline_runs = baseline_->runs();
    out.baseline_runs_total = baseline_->runs_total();
  }
  if (const auto& slot = monitor_.slot()) {
    out.slot_retained_bytes = slot->retained_bytes;
    out.slot_safe_bytes = slot->safe_wal_size.value_or(-1);
    out.slot_wal_status = slot->wal_status;
  }
  out.slot_seconds_to_lost = monitor_.seconds_to_lost();
  out.mode = mode_;
  out.fuse_blown = fuse_blown_;
  out.slots_lost = slots_lost_;
  out.poison_rows = poison_rows_;
  out.polls = polls_;
  out.findings_durable = !table_.trouble() && sink_.file_trouble(now).empty();
  out.findings_waiting = table_.added() - table_.recorded();
  out.findings_write_failures = {sink_.file_failures(), table_.failures()};
  out.heartbeat = heartbeat_.status(now);
  out.gaps = coverage_.gaps();
  out.gaps_opened = coverage_.opened_total();
  out.gaps_open = coverage_.open_now();
  out.coverage_complete_since = coverage_.complete_since();
  out.guard_enabled = guard_ && guard_->enabled;
  if (guard_) out.guard_suppressed = guard_->suppressed.value_or(0);
  out.webhook = webhook_.stats();
  out.quarantine = quarantine_.stats();
  if (http_) out.http = http_->stats();
  out.config_reload = config_reload_;
  out.witness = watch_.witness().stats();
  out.table_identity_ok = monitor_.table_trouble().empty();
  return out;
}

void Daemon::publish(core::Instant now) {
  next_publish_ = now + kPublishInterval;
  auto status = snapshot(now);
  service_.status(web::judge(status, true).sentence);
  store_.publish(std::move(status));
}

}  // namespace dupwatch::run
