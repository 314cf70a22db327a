#include "daemon/run/daemon.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace dupwatch::run {
namespace {

using postgres::Error;
using postgres::Fault;

// A stream that held this long was healthy: the next failure starts the backoff anew.
constexpr std::chrono::seconds kHealthyStream{10};
// A standby asks so often; it takes over within that and the time of a start.
constexpr std::chrono::milliseconds kStandbyInterval{500};
// What the stream's end has not brought to the findings file is given so long.
constexpr std::chrono::milliseconds kFarewell{500};

std::string read_back_copy_for(const Attachment& attachment, const core::Profile& profile) {
  return postgres::read_back_copy(profile, attachment.commit_time, attachment.table.run_type,
                                  attachment.xmin);
}

core::Disconnect disconnect_kind(const Error& error, bool streamed) {
  if (!streamed) return core::Disconnect::kConnectFailed;
  if (error.cause == postgres::Cause::kServerClosed || postgres::says_goodbye(error)) {
    return core::Disconnect::kServerClosed;
  }
  if (error.fault == Fault::kSlotLost) return core::Disconnect::kError;
  if (error.cause == postgres::Cause::kHeartbeatLost) return core::Disconnect::kHeartbeatLost;
  return error.sqlstate.empty() ? core::Disconnect::kNetwork : core::Disconnect::kError;
}

}  // namespace

Daemon::Daemon(core::Config config, process::StopSignals& stop, process::Log& log, ConfigReloader::Load load,
               process::ReloadSignal& reload)
    : config_(std::move(config)),
      stop_(stop),
      log_(log),
      service_(log),
      seed_(process::random_seed()),
      store_(config_.findings.keep),
      watch_(config_, seed_),
      sql_(config_.connection, seed_ + 1),
      table_(config_, sql_, log, seed_ + 5),
      webhook_(config_, log, seed_ + 6),
      quarantine_(config_, log, wake_),
      sink_(config_.findings, log, store_, table_, webhook_, quarantine_, wake_),
      read_backs_(config_, watch_, sql_, log, seed_ + 2),
      monitor_(config_, sql_, lag_, log),
      heartbeat_(config_, watch_, sql_, log, seed_ + 4),
      reloader_(std::move(load), reload, wake_),
      waiter_(stop.fd(), [this] { turn(process::steady_now()); }),
      backoff_(config_.connection.backoff_min, config_.connection.backoff_max, seed_ + 3),
      book_(wake_),
      witness_(config_, watch_, sql_),
      slot_holes_(config_, watch_, sql_) {}

// The HTTP server, which goes first, waits for its requests.
Daemon::~Daemon() {
  reloader_.stop();
}

process::ExitCode Daemon::run() {
  started_ = process::steady_now();
  config_reload_.succeeded_unix_seconds = static_cast<double>(process::wall_now().micros) / 1e6;
  if (const auto problem = sink_.open()) {
    log_.error(*problem,
               {{"reason", "findings_file"}, {"remedy", "correct findings.file"}, {"exit_code", "2", true}});
    return process::ExitCode::kUsage;
  }
  open_book();
  restore_past();
  publish(started_);
  if (config_.http.enabled()) {
    if (const auto failed = start_http()) return *failed;
  }
  for (;;) {
    const auto error = attach_and_stream();
    if (!error || postgres::interrupted(*error)) break;
    last_error_ = error;
    if (error->cause != postgres::Cause::kStandby) count_disconnect(*error);
    const auto recovery = recover(*error);
    if (recovery.code != process::ExitCode::kClean) {
      service_.stopping(last_error_->message);
      return recovery.code;
    }
    if (recovery.stop) break;
  }
  state_ = core::StreamState::kStopping;
  sink_.finish(kFarewell);
  service_.stopping("Stopped by a signal, the position is confirmed.");
  const int signal = stop_.take();
  log_.info("stopped", {{"event", "stopped"},
                        {"signal", std::to_string(signal), true},
                        {"confirmed_lsn", decoder::to_string(watch_.confirmed())}});
  return process::ExitCode::kClean;
}

void Daemon::restore_past() {
  auto known = sink_.take_past();
  if (!known) return;
  std::size_t count = 0;
  for (auto& past : *known) {
    auto& finding = past.finding;
    if (!watch_.restore(finding)) continue;
    ++count;
    sink_.complete(past);
    if (core::is_table_rule(finding.rule)) restored_.push_back(finding.id);
    if (finding.state == core::FindingState::kOpen) store_.restore(std::move(finding));
  }
  if (count == 0 && config_.findings.table_name.empty()) return;
  log_.info("restored the known findings",
            {{"event", "findings_restored"}, {"count", std::to_string(count), true}});
}

std::optional<Error> Daemon::attach_and_stream() {
  if (!standing_by_) state_ = core::StreamState::kConnecting;
  auto attached = attach(config_, waiter_, log_);
  if (auto* error = std::get_if<Error>(&attached)) return std::move(*error);
  auto& attachment = std::get<Attachment>(attached);
  walsender_pid_ = attachment.replication.backend_pid();
  state_ = core::StreamState::kStarting;
  if (auto error = attachment.lost ? attachment.lost : blown_fuse(attachment.slot)) {
    prepare_scans(attachment);
    plugin_ = to_string(attachment.plugin);
    system_ = attachment.system;
    return error;
  }
  if (auto error = start_stream(attachment)) {
    if (attachment.created && !config_.slot.temporary)
      drop_created_slot(connection_, config_.slot.name, waiter_, log_);
    return error;
  }
  state_ = core::StreamState::kStreaming;
  stream_.emplace(StreamLoop::Parts{.watch = watch_,
                                    .sql = sql_,
                                    .read_backs = read_backs_,
                                    .sink = sink_,
                                    .book = book_,
                                    .log = log_,
                                    .stop_fd = stop_.fd(),
                                    .wake = wake_,
                                    .turn = [this](core::Instant now) { turn(now); },
                                    .turn_deadline = [this] { return turn_deadline(); },
                                    .judge = [this](const StreamFacts& facts,
                                                    core::Instant now) { return judge_stream(facts, now); },
                                    .heartbeat = heartbeat_.client()},
                  attachment.replication, attachment.wal_sender_timeout);
  auto error = stream_->run();
  if (process::steady_now() - stream_->facts().started >= kHealthyStream) backoff_.reset();
  stream_.reset();
  if (error && error->cause == postgres::Cause::kFuse && sql_.trouble())
    drop_by_stream(attachment.replication);
  leave_server(error);
  return error;
}

void Daemon::leave_server(const std::optional<Error>& why) {
  const auto now = process::steady_now();
  sql_.renew(connection_.server, now);
  heartbeat_.rest(now);
  admission_.rest();
  quarantine_.rest();
  const bool going = why && postgres::says_goodbye(*why) && !postgres::ends_session(*why);
  if (!going || !baseline_ || baseline_->state() != core::BaselineState::kRunning) return;
  baseline_.reset();
  scan_is_over(core::BaselineState::kFailed, now);
}

std::optional<Error> Daemon::start_stream(Attachment& attachment) {
  note_server(attachment);
  prepare_scans(attachment);
  start_baseline(attachment);
  // The exported snapshot is gone with the next command on this connection.
  if (attachment.created && baseline_ && !baseline_->wait_for_snapshot(waiter_)) {
    const auto error = baseline_->error();
    baseline_.reset();
    coverage_.scan_failed();
    return error.value_or(Error{.fault = Fault::kTransient,
                                .cause = postgres::Cause::kSnapshot,
                                .sqlstate = {},
                                .message = "the slot's snapshot was not taken over in time",
                                .remedy = {}});
  }
  // Before the first position is confirmed, what is known of the gaps is on its way to the disk.
  book_.begin(origin_.coverage, attachment.from, coverage_.recorded_gaps());
  noted_revision_ = coverage_.revision();
  const auto tables = core::Watch::watched_tables(config_.profile);
  const auto options = decoder::start_options(attachment.plugin, tables, config_.slot.publication);
  if (auto error = postgres::start_replication(attachment.replication, config_.slot.name, attachment.from,
                                               options, waiter_)) {
    return error;
  }
  sql_.renew(attachment.server, process::steady_now());
  farewell_.reset();
  static_cast<void>(quarantine_.take_farewell());  // of the time without a stream
  if (!recheck_) schedule_recheck(process::steady_now());
  watch_.stream_started(attachment.plugin, attachment.from, attachment.table.columns_of_type("bytea"));
  watch_.server_wal(attachment.system.wal_position, process::steady_now());
  lag_.reset();
  monitor_.started(attachment.plugin, attachment.table, process::steady_now());
  witness_.started(attachment.table, attachment.xmin, process::steady_now());
  heartbeat_.started(process::steady_now());
  admission_.started(connection_, process::steady_now());
  catch_up_target_ = attachment.system.wal_position;
  ever_attached_ = true;
  coverage_.started(process::wall_now());
  slot_in_use_since_.reset();
  slot_return_.streaming(process::steady_now());
  pending_gap_.reset();
  mode_ = core::WatchMode::kStreaming;
  last_error_.reset();
  standing_by_ = false;
  log_.info("streaming", {{"event", "streaming"},
                          {"slot", config_.slot.name},
                          {"plugin", plugin_},
                          {"from", decoder::to_string(attachment.from)},
                          {"server_version", server_version_},
                          {"system_identifier", system_.system_identifier},
                          {"timeline", std::to_string(system_.timeline), true}});
  return std::nullopt;
}

void Daemon::prepare_scans(const Attachment& attachment) {
  connection_ = config_.connection;
  connection_.server = attachment.server;
  read_back_copy_ = read_back_copy_for(attachment, config_.profile);
  const bool told = std::exchange(traits_, attachment.traits).engines == attachment.traits.engines;
  if (!config_.rules.engine && config_.profile.runs && (!told || !ever_attached_)) {
    log_.info("engine: auto", {{"event", "engine"},
                               {"ulids", std::string(to_string(traits_.engines.ulids))},
                               {"slots", std::string(to_string(traits_.engines.slots))},
                               {"why", std::string(traits_.engines.why)}});
  }
  read_backs_.configure(read_back_copy_);
  watch_.set_traits(traits_);
  scan_task_ = {.connection = connection_,
                .scope = config_.baseline,
                .snapshot = {},
                .runs_table = attachment.runs_table,
                .commit_time = attachment.commit_time,
                .xmin = attachment.xmin,
                .traits = attachment.traits,
                .read_back_copy = read_back_copy_};
}

process::ExitCode Daemon::judge_error(const Error& error) {
  if (error.cause == postgres::Cause::kStandby) return judge_obstacle(core::Obstacle::kStandby, error);
  if (error.cause == postgres::Cause::kSlotInUse) return judge_obstacle(core::Obstacle::kSlotInUse, error);
  return judge_obstacle(error.fault == Fault::kTransient ? core::Obstacle::kPassing : core::Obstacle::kAccess,
                        error);
}

process::ExitCode Daemon::judge_obstacle(core::Obstacle obstacle, const Error& error) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const auto now = process::steady_now();
  if (obstacle == core::Obstacle::kSlotInUse && !slot_in_use_since_) slot_in_use_since_ = now;
  const auto verdict = core::after_failure(
      obstacle, {.ever_streamed = ever_attached_,
                 .since_start = duration_cast<milliseconds>(now - started_),
                 .in_use = duration_cast<milliseconds>(now - slot_in_use_since_.value_or(now)),
                 .patience = config_.connection.startup_timeout});
  if (verdict == core::Verdict::kTryAgain) return process::ExitCode::kClean;
  const auto code =
      verdict == core::Verdict::kTemporary ? process::ExitCode::kTemporary : process::ExitCode::kOperator;
  log_.error(error.message, {{"reason", std::string(to_string(error.cause))},
                             {"sqlstate", error.sqlstate},
                             {"remedy", error.remedy},
                             {"exit_code", std::to_string(value(code)), true}});
  return code;
}

bool Daemon::stand_by(const Error& error) {
  if (!std::exchange(standing_by_, true)) {
    log_.info(error.message, {{"event", "standby"}, {"slot", config_.slot.name}, {"remedy", error.remedy}});
  }
  state_ = core::StreamState::kStandby;
  return waiter_.wait(-1, 0, process::steady_now() + kStandbyInterval) !=
         postgres::Waiter::Outcome::kInterrupted;
}

bool Daemon::pause(const Error& error) {
  state_ = core::StreamState::kBackingOff;
  auto delay = backoff_.next();
  if (const auto patience = config_.connection.startup_timeout; !ever_attached_ && patience.count() != 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(started_ + patience - process::steady_now());
    delay = std::clamp(left, std::chrono::milliseconds{1}, delay);
  }
  log_.warn(error.message, {{"event", "disconnected"},
                            {"reason", std::string(to_string(error.cause))},
                            {"sqlstate", error.sqlstate},
                            {"remedy", error.remedy},
                            {"retry_in_ms", std::to_string(delay.count()), true}});
  return waiter_.wait(-1, 0, process::steady_now() + delay) != postgres::Waiter::Outcome::kInterrupted;
}

void Daemon::count_disconnect(const Error& error) {
  const bool streamed = state_ == core::StreamState::kStreaming;
  ++disconnects_[static_cast<std::size_t>(disconnect_kind(error, streamed))];
}

}  // namespace dupwatch::run
