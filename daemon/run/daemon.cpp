#include "daemon/run/daemon.hpp"

#include <algorithm>
#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {
namespace {

using postgres::Error;

// What the stream's end has not brought to the findings file is given so long.
constexpr std::chrono::milliseconds kFarewell{500};

}  // namespace

Daemon::Daemon(core::Config config, process::StopSignals& stop, process::Log& log, ConfigReloader::Load load,
               process::ReloadSignal& reload)
    : Daemon(std::move(config), stop, log, std::move(load), reload, process::random_seed()) {}

Daemon::Daemon(core::Config config, process::StopSignals& stop, process::Log& log, ConfigReloader::Load load,
               process::ReloadSignal& reload, std::uint64_t seed)
    : config_(std::move(config)),
      stop_(stop),
      log_(log),
      status_(config_, log),
      watch_(config_, seed),
      sql_(config_.connection, seed + 1),
      waiter_(stop.fd(), [this] { turn(process::steady_now()); }),
      source_{.connection = config_.connection},
      retries_(config_, life_, waiter_, log, seed + 3),
      findings_(config_, watch_, sql_, status_.store(), wake_, log, seed + 5),
      stream_(config_, watch_, sql_, log, seed + 2),
      server_(config_, watch_, sql_, log, seed + 4),
      monitor_(config_, sql_, server_.lag(), log),
      coverage_(config_, life_, watch_, findings_.outputs(), wake_, log),
      scans_(config_, life_, watch_, coverage_, server_, wake_, log),
      polls_(config_, {.life = life_,
                       .sql = sql_,
                       .monitor = monitor_,
                       .findings = findings_,
                       .scans = scans_,
                       .wake = wake_,
                       .log = log}),
      recovery_(config_, {.source = source_,
                          .life = life_,
                          .watch = watch_,
                          .coverage = coverage_,
                          .retries = retries_,
                          .polls = polls_,
                          .waiter = waiter_,
                          .log = log}),
      recheck_(config_, {.source = source_,
                         .life = life_,
                         .watch = watch_,
                         .findings = findings_,
                         .server = server_,
                         .scans = scans_,
                         .wake = wake_,
                         .log = log}),
      upgrade_(config_, sql_, log,
               {.source = source_, .life = life_, .watch = watch_, .scans = scans_, .recheck = recheck_}),
      repeated_(config_, watch_, log),
      engine_tables_(config_, sql_, log),
      reloads_(config_, std::move(load), reload, wake_, log),
      http_(config_, status_.store(), reloads_.reloader(), findings_.acknowledger(), log) {
  status_.watch({this, &retries_, &monitor_, &stream_, &findings_, &server_, &coverage_, &scans_, &recovery_,
                 &recheck_, &upgrade_, &repeated_, &engine_tables_, &reloads_, &http_});
}

// The HTTP server, which goes first, waits for its requests.
Daemon::~Daemon() {
  reloads_.reloader().stop();
  findings_.acknowledger().stop();
}

process::ExitCode Daemon::run() {
  const auto now = process::steady_now();
  retries_.started(now);
  if (const auto problem = findings_.open()) {
    log_.error(*problem,
               {{"reason", "findings_file"}, {"remedy", "correct findings.file"}, {"exit_code", "2", true}});
    return process::ExitCode::kUsage;
  }
  coverage_.open_book();
  if (const auto* known = coverage_.known_origin())
    retries_.goes_on_with({.system_identifier = known->system_identifier, .timeline = known->timeline});
  findings_.restore_past();
  status_.publish(now);
  if (const auto failed = http_.start()) return *failed;
  const auto code = work();
  if (code == process::ExitCode::kClean) {
    stopped();
  } else {
    status_.stopping(retries_.last_error()->message);
  }
  return code;
}

process::ExitCode Daemon::work() {
  for (;;) {
    const auto error = attach_and_stream();
    if (!error || postgres::interrupted(*error)) return process::ExitCode::kClean;
    retries_.failed(*error, process::steady_now());
    const auto next = recovery_.recover(*error);
    if (next.stop || next.code != process::ExitCode::kClean) return next.code;
  }
}

void Daemon::stopped() {
  life_.stops();
  findings_.finish(kFarewell);
  status_.stopping("Stopped by a signal, the position is confirmed.");
  const int signal = stop_.take();
  log_.info("stopped", {{"event", "stopped"},
                        {"signal", std::to_string(signal), true},
                        {"confirmed_lsn", decoder::to_string(watch_.confirmed())}});
}

std::optional<Error> Daemon::attach_and_stream() {
  life_.attempts();
  auto attached = attach(config_, retries_.history(process::steady_now()), waiter_, log_);
  if (auto* error = std::get_if<Error>(&attached)) return std::move(*error);
  auto& attachment = std::get<Attachment>(attached);
  life_.attached();
  note_source(attachment);
  scans_.prepare(attachment, source_);
  if (auto error = attachment.lost ? attachment.lost : recovery_.blown_fuse(attachment.slot)) return error;
  if (auto error = start_stream(attachment)) {
    if (attachment.created && !config_.slot.temporary)
      drop_created_slot(source_.connection, config_.slot.name, waiter_, log_);
    return error;
  }
  auto end = stream_.run({.watch = watch_,
                          .sql = sql_,
                          .read_backs = stream_.read_backs(),
                          .sink = findings_.outputs(),
                          .book = coverage_.book(),
                          .log = log_,
                          .stop_fd = stop_.fd(),
                          .wake = wake_,
                          .host = *this,
                          .heartbeat = server_.heartbeat_client()},
                         attachment);
  life_.stream_ended();
  retries_.stream_ended(end.lasted);
  if (end.error && end.error->cause == postgres::Cause::kFuse && sql_.trouble()) {
    recovery_.drop_by_stream(attachment.replication);
  }
  leave_server(end.error);
  return std::move(end.error);
}

void Daemon::leave_server(const std::optional<Error>& why) {
  server_.leave_server(source_.connection, process::steady_now());
  findings_.leave_server();
  if (why && postgres::says_goodbye(*why) && !postgres::ends_session(*why)) scans_.leave_server();
}

std::optional<Error> Daemon::start_stream(Attachment& attachment) {
  if (coverage_.attached(attachment)) recheck_.hurry(process::steady_now());
  scans_.stream_starts(attachment);
  // The exported snapshot is gone with the next command on this connection.
  if (attachment.created) {
    if (auto error = scans_.take_snapshot(waiter_)) return error;
  }
  coverage_.stream_starts(attachment.from);
  const auto tables = core::Watch::watched_tables(config_.profile);
  const auto options = decoder::start_options(attachment.plugin, tables, config_.slot.publication);
  if (auto error = postgres::start_replication(attachment.replication, config_.slot.name, attachment.from,
                                               options, waiter_)) {
    return error;
  }
  streaming(attachment);
  return std::nullopt;
}

void Daemon::note_source(const Attachment& attachment) {
  source_.connection = config_.connection;
  source_.connection.server = attachment.server;
  findings_.attached(attachment.server);
  source_.plugin = to_string(attachment.plugin);
  source_.server_version = attachment.server_version;
  source_.system = attachment.system;
  source_.key_types = attachment.table.key_types(config_.profile);
  source_.read_back_copy = postgres::read_back_copy(config_.profile, attachment.extras, source_.key_types);
  source_.walsender_pid = attachment.replication.backend_pid();
  stream_.configure(source_.read_back_copy);
  upgrade_.attached(attachment.traits, !life_.has_streamed());
}

void Daemon::streaming(const Attachment& attachment) {
  const auto now = process::steady_now();
  sql_.renew(attachment.server, now);
  server_.forget_farewells();
  static_cast<void>(findings_.take_farewell());  // of the time without a stream
  recheck_.streaming(now);
  stream_.started(attachment, now);
  monitor_.started(attachment.plugin, attachment.table, now);
  server_.streaming(attachment, source_, now);
  upgrade_.streaming(attachment.table, now);
  engine_tables_.streaming(now);
  coverage_.streaming();
  recovery_.streaming(now);
  retries_.streaming();
  retries_.goes_on_with(
      {.system_identifier = source_.system.system_identifier, .timeline = source_.system.timeline});
  life_.streams();
  log_.info("streaming", {{"event", "streaming"},
                          {"slot", config_.slot.name},
                          {"plugin", source_.plugin},
                          {"from", decoder::to_string(attachment.from)},
                          {"server_version", source_.server_version},
                          {"system_identifier", source_.system.system_identifier},
                          {"timeline", std::to_string(source_.system.timeline), true}});
}

void Daemon::turn(core::Instant now) {
  status_.beat(now);
  if (life_.streaming()) {
    monitor_.tick(now);
    server_.turn(scans_.running() || recheck_.busy(), now);
    findings_.turn_table(now);
  } else if (life_.state() == core::StreamState::kPolling) {
    // No stream loop moves the connection on.
    findings_.turn_table(now);
    sql_.turn(now);
  }
  if (findings_.turn(now)) status_.hurry(now);
  polls_.turn(now);
  server_.judged(watch_.judged());
  if (!findings_.loading()) scans_.collect(now);
  // Readiness and status speak of a gap at once.
  if (coverage_.turn(monitor_, server_)) status_.hurry(now);
  scans_.turn(!monitor_.table_trouble().empty(), now);
  upgrade_.turn(now);
  repeated_.turn(now);
  if (life_.streaming()) engine_tables_.turn(now);
  recheck_.turn(now);
  tick_reload(now);
  status_.turn(life_.streaming(), now);
}

core::Instant Daemon::turn_deadline() const {
  return std::min({status_.deadline(), monitor_.deadline(), server_.deadline(), recheck_.deadline(),
                   upgrade_.deadline(), engine_tables_.deadline(), findings_.deadline()});
}

std::optional<Error> Daemon::judge(const StreamFacts& facts, core::Instant now) {
  // A server that shuts down waits for what its walsender has sent to be confirmed, and answers no query that
  // this may need: the stream ends first, and the slot keeps its position. A session that ends may be one
  // that somebody terminated: a new one tells, for a server refuses it before it ends those that it has.
  auto farewell = server_.take_farewell();
  if (!farewell) farewell = findings_.take_farewell();
  if (farewell) {
    if (postgres::refuses_sessions(*farewell)) return farewell;
    server_.hurry(now);
  }
  if (sql_.trouble() || monitor_.slot_unknown()) {
    const auto held =
        static_cast<std::int64_t>(decoder::bytes_between(watch_.confirmed(), watch_.received()));
    monitor_.note_held_back(held);
  }
  const auto& slot = monitor_.slot();
  if (auto fuse = recovery_.blown_fuse(slot)) return fuse;
  return server_.heartbeat_lost(facts.heard, slot ? std::optional(slot->active) : std::nullopt, now);
}

void Daemon::tick_reload(core::Instant now) {
  const auto loaded = reloads_.take();
  if (!loaded) return;
  // Whatever the configuration says by now: a rotation asks in the same way.
  findings_.outputs().check_file();
  auto answer = reloads_.apply(*loaded, *this, now);
  // Whoever asked finds the metrics as they are now.
  status_.publish(now);
  reloads_.answer(std::move(answer));
}

core::ConfigChange Daemon::put_in_force(const core::Config& wanted, core::Instant now) {
  const auto acknowledged = config_.findings.acknowledged;
  const auto recheck_interval = config_.recheck.interval;
  const auto http = config_.http;
  auto change = core::take_over(config_, wanted);
  findings_.outputs().set_log_rate_max(config_.findings.log_rate_max);
  watch_.acknowledged_changed(acknowledged);
  watch_.heartbeat().configure(config_.heartbeat, now);
  recovery_.interval_changed();
  polls_.interval_changed(now);
  if (config_.recheck.interval != recheck_interval) recheck_.interval_changed(now);
  http_.config_changed(http);
  return change;
}

void Daemon::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  out.slot.name = config_.slot.name;
  out.slot.plugin = source_.plugin;
  out.server.version = source_.server_version;
  out.engine = config_.rules.engine;
  out.auto_engines = source_.traits.engines;
  out.server.system_identifier = source_.system.system_identifier;
  out.server.timeline = source_.system.timeline;
}

}  // namespace dupwatch::run
