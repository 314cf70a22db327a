#include "daemon/quarantine/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/quarantine/eligibility.hpp"
#include "daemon/quarantine/limits.hpp"
#include "daemon/quarantine/queries.hpp"

namespace dupwatch::quarantine {
namespace {

using core::QuarantineMode;
using core::QuarantineOutcome;
using core::QuarantineRefusal;
using core::QuarantineState;
using postgres::Connection;
using postgres::Error;
using quarantine::Task;
using Kind = ActOutcome::Kind;

// How old what is known of the table and the circuit may be while there is nothing to do.
constexpr std::chrono::seconds kLookInterval{10};

/// The error table's remedies are about reading.
std::string act_remedy(const Error& error) {
  if (postgres::lacks_setup(error)) {
    return "run what `dupwatch setup --print-sql --quarantine` prints; dupwatch goes on observing meanwhile";
  }
  if (postgres::cannot_be_written(error)) return "the server is a standby: set quarantine.dsn to its primary";
  return error.remedy;
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

}  // namespace

QuarantineWorker::QuarantineWorker(const core::Config& config, process::Log& log, process::EventFd& wake)
    : config_(config), log_(log), wake_(wake), waiter_(stop_fd_.fd(), [] {}), connection_(config.connection) {
  stats_.mode = config.quarantine.mode;
  if (!config.quarantine.dsn.empty()) connection_.dsn = config.quarantine.dsn;
  if (stats_.mode == QuarantineMode::kObserve) return;
  stats_.state = QuarantineState::kReady;
  thread_ = std::thread([this] { work(); });
}

QuarantineWorker::~QuarantineWorker() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_fd_.signal();
  changed_.notify_all();
  thread_.join();
}

void QuarantineWorker::add(const core::Finding& finding) {
  if (config_.quarantine.mode == QuarantineMode::kObserve) return;
  const bool streamed = finding.origin == core::Origin::kStream || finding.origin == core::Origin::kReadBack;
  if (!streamed || finding.state != core::FindingState::kOpen || finding.severity != core::Severity::kFatal ||
      !config_.quarantine.rules[static_cast<std::size_t>(finding.rule)]) {
    return;
  }
  const auto why = quarantine::refusal(finding, false);
  {
    const std::lock_guard lock(mutex_);
    if (why) {
      ++stats_.refused[static_cast<std::size_t>(*why)];
      ++stats_.findings[static_cast<std::size_t>(QuarantineOutcome::kRefused)];
      return;
    }
    if (!tasks_.add({.finding = finding.id,
                     .run_id = finding.run_id,
                     .event_id = finding.duplicate.id,
                     .commit_time = finding.duplicate.commit_time,
                     .xid = finding.duplicate.xid})) {
      ++stats_.findings[static_cast<std::size_t>(QuarantineOutcome::kDropped)];
      return;
    }
  }
  changed_.notify_all();
}

std::vector<std::uint64_t> QuarantineWorker::take_done() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void QuarantineWorker::attached(core::ServerPin server) {
  if (!config_.quarantine.dsn.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    rest_ = rest_ || connection_.server.started != server.started;
    connection_.server = std::move(server);
  }
  changed_.notify_all();
}

void QuarantineWorker::rest() {
  {
    const std::lock_guard lock(mutex_);
    rest_ = true;
  }
  changed_.notify_all();
}

std::optional<Error> QuarantineWorker::take_farewell() {
  const std::lock_guard lock(mutex_);
  return std::exchange(farewell_, std::nullopt);
}

core::QuarantineStats QuarantineWorker::stats() const {
  const std::lock_guard lock(mutex_);
  auto stats = stats_;
  stats.waiting = tasks_.size();
  return stats;
}

void QuarantineWorker::work() {
  for (;;) {
    std::optional<Task> task;
    {
      std::unique_lock lock(mutex_);
      const auto ready = [&] { return stop_ || (task = tasks_.take(process::steady_now())).has_value(); };
      while (!ready()) {
        const auto until = std::min(tasks_.deadline(), next_look_);
        if (std::exchange(rest_, false)) session_.reset();
        if (until <= process::steady_now()) break;
        changed_.wait_until(lock, until);
      }
      if (stop_) return;
      // The act that is due may be for another server than the session.
      if (std::exchange(rest_, false)) session_.reset();
    }
    const auto error = prepare(process::steady_now());
    if (!task) continue;
    if (error) {
      failed(std::move(*task), *error);
    } else {
      act(std::move(*task));
    }
  }
}

std::optional<Error> QuarantineWorker::prepare(core::Instant now) {
  if (session_ && now < next_look_) return std::nullopt;
  next_look_ = now + kLookInterval;
  auto error = session_ ? std::nullopt : connect();
  if (!error) error = look();
  if (!error) return std::nullopt;
  note_farewell(*error);
  unavailable(*error);
  // A missing right is no matter of the connection; anything else may be.
  if (error->cause != postgres::Cause::kNoQuarantineRight) session_.reset();
  return error;
}

std::optional<Error> QuarantineWorker::connect() {
  core::ConnectionConfig connection;
  {
    const std::lock_guard lock(mutex_);
    connection = connection_;
  }
  auto opened = Connection::open(connection, Connection::Kind::kSql, waiter_);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  session_ = Session{.sql = std::get<Connection>(std::move(opened)), .table = {}};
  return std::nullopt;
}

std::optional<Error> QuarantineWorker::look() {
  auto& sql = session_->sql;
  auto looked = table::read_table_facts(config_, sql, waiter_);
  if (auto* error = std::get_if<Error>(&looked)) return std::move(*error);
  session_->table = std::get<table::TableFacts>(std::move(looked));
  const bool removes = config_.quarantine.mode == QuarantineMode::kRemove;
  auto rights =
      sql.execute(missing_rights_query(), {quoted_table(config_.profile), removes ? "true" : "false"},
                  waiter_, postgres::kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&rights)) return std::move(*error);
  if (const auto missing = postgres::cell(*std::get<postgres::Result>(rights), 0, 0); !missing->empty()) {
    return Error{.fault = postgres::Fault::kNeedsOperator,
                 .cause = postgres::Cause::kNoQuarantineRight,
                 .sqlstate = "42501",
                 .message = fmt::format("the role has no right to {}", *missing),
                 .remedy = {}};
  }
  auto answer =
      sql.execute(status_query(), {config_.profile.qualified_name()}, waiter_, postgres::kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<postgres::Result>(answer);
  if (const auto since = postgres::cell(result, 0, 0)) {
    set_state(QuarantineState::kTripped,
              fmt::format("{} since {}", postgres::cell(result, 0, 1).value_or(""), *since));
  } else {
    set_state(QuarantineState::kReady, {});
  }
  return std::nullopt;
}

void QuarantineWorker::act(Task task) {
  const ActRequest request{
      .run_id = task.run_id,
      .finding_id = core::finding_id_text(task.finding),
      .event_id = task.event_id,
      .xid = task.xid,
      .dry_run = config_.quarantine.dry_run,
      .write = config_.quarantine.mode == QuarantineMode::kRecord ? Write::kCopy : Write::kMove,
      .automatic = true};
  auto answer = quarantine_row(config_, session_->table, request, session_->sql, waiter_);
  if (const auto* error = std::get_if<Error>(&answer)) {
    note_farewell(*error);
    // The server undoes what was begun. A lock that was not free in time says nothing about the next act.
    const bool goes_on = postgres::lost_a_race(*error);
    const auto undone = session_->sql.execute("ROLLBACK", {}, waiter_, postgres::kAnswerTimeout);
    if (std::holds_alternative<Error>(undone)) session_.reset();
    if (!goes_on) unavailable(*error);
    failed(std::move(task), *error);
    return;
  }
  const auto& outcome = std::get<ActOutcome>(answer);
  if (outcome.kind != Kind::kRefused) {
    done(task, outcome);
    return;
  }
  // With synchronous replication a commit is in the stream before other sessions see it.
  if (outcome.refusal == QuarantineRefusal::kChanged || outcome.refusal == QuarantineRefusal::kUnverified) {
    const std::lock_guard lock(mutex_);
    if (tasks_.put_off(task, process::steady_now())) return;
  }
  refused(task, outcome);
}

void QuarantineWorker::done(const Task& task, const ActOutcome& outcome) {
  const auto now = process::wall_now();
  const bool removed = config_.quarantine.mode == QuarantineMode::kRemove && !config_.quarantine.dry_run;
  auto result = QuarantineOutcome::kDryRun;
  if (outcome.kind == Kind::kAlready) result = QuarantineOutcome::kAlready;
  if (outcome.kind == Kind::kDone)
    result = removed ? QuarantineOutcome::kRemoved : QuarantineOutcome::kRecorded;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.findings[static_cast<std::size_t>(result)];
    if (removed) done_.push_back(task.finding);
    // It would have met a circuit that is open.
    if (outcome.kind == Kind::kDone) {
      stats_.state = QuarantineState::kReady;
      stats_.reason.clear();
    }
    if (result == QuarantineOutcome::kRemoved && task.commit_time) {
      const auto micros = now.micros - task.commit_time->micros;
      stats_.commit_to_removal.observe(std::max(0.0, static_cast<double>(micros) / 1e6));
    }
  }
  if (removed) wake_.signal();
  say(task, to_string(result), outcome);
}

void QuarantineWorker::refused(const Task& task, const ActOutcome& outcome) {
  const auto why = outcome.refusal.value_or(QuarantineRefusal::kChanged);
  {
    const std::lock_guard lock(mutex_);
    ++stats_.findings[static_cast<std::size_t>(QuarantineOutcome::kRefused)];
    ++stats_.refused[static_cast<std::size_t>(why)];
  }
  // The opening of the circuit is told once; what it keeps back is counted.
  if (why == QuarantineRefusal::kCircuitOpen && outcome.limit.empty()) {
    set_state(QuarantineState::kTripped, outcome.explanation);
    return;
  }
  say(task, "refused", outcome);
  if (config_.quarantine.dry_run) return;
  if (!outcome.limit.empty()) {
    trip(outcome.limit, fmt::format("more acts than quarantine.{} allows", outcome.limit));
  } else if (why == QuarantineRefusal::kUnverified || why == QuarantineRefusal::kNotFatal ||
             why == QuarantineRefusal::kCanonical) {
    trip("unverified", fmt::format("run {}, finding {}, row {}: {}", task.run_id,
                                   core::finding_id_text(task.finding), task.event_id, outcome.explanation));
  }
}

void QuarantineWorker::trip(std::string_view reason, std::string_view detail) {
  if (auto error = open_circuit(config_, reason, detail, session_->sql, waiter_)) {
    // The transaction is begun and failed. The limits hold all the same: they are counted.
    session_.reset();
    unavailable(*error);
    return;
  }
  set_state(QuarantineState::kTripped, std::string(reason));
  log_.error("quarantine stopped itself: no row is taken out until a person allows it again",
             {{"event", "quarantine_tripped"},
              {"reason", std::string(reason)},
              {"detail", std::string(detail)},
              {"remedy", "look at `dupwatch quarantine list`; then `dupwatch quarantine resume`"}});
}

void QuarantineWorker::failed(Task task, const Error& error) {
  const bool passing = postgres::heals_by_retry(error);
  const std::lock_guard lock(mutex_);
  ++stats_.failed_attempts;
  if (passing && tasks_.put_off(std::move(task), process::steady_now())) return;
  ++stats_.findings[static_cast<std::size_t>(QuarantineOutcome::kFailed)];
}

void QuarantineWorker::unavailable(const Error& error) {
  if (postgres::interrupted(error)) return;
  {
    const std::lock_guard lock(mutex_);
    if (stats_.state == QuarantineState::kUnavailable && stats_.reason == error.message) return;
  }
  set_state(QuarantineState::kUnavailable, error.message);
  log_.error("quarantine can't act; findings are still reported",
             {{"event", "quarantine_unavailable"},
              {"reason", std::string(to_string(error.cause))},
              {"sqlstate", error.sqlstate},
              {"error", error.message},
              {"remedy", act_remedy(error)}});
}

void QuarantineWorker::note_farewell(const Error& error) {
  // A primary of the slot's server that starts says nothing of that one.
  const bool says =
      config_.quarantine.dsn.empty() ? postgres::says_goodbye(error) : postgres::ends_session(error);
  if (!says) return;
  {
    const std::lock_guard lock(mutex_);
    farewell_ = error;
  }
  wake_.signal();
}

void QuarantineWorker::set_state(QuarantineState state, std::string reason) {
  const std::lock_guard lock(mutex_);
  stats_.state = state;
  stats_.reason = std::move(reason);
}

void QuarantineWorker::say(const Task& task, std::string_view result, const ActOutcome& outcome) {
  process::Log::Fields fields{{"event", "quarantine"},
                              {"result", std::string(result)},
                              {"finding_id", core::finding_id_text(task.finding)},
                              {"run_id", task.run_id},
                              {"event_id", task.event_id}};
  if (!outcome.entry.empty()) fields.push_back({"entry", outcome.entry, true});
  if (!outcome.reason.empty()) {
    fields.push_back({"reason", outcome.reason});
    fields.push_back({"why", outcome.explanation});
  }
  if (task.attempts != 0) fields.push_back({"attempts", number(task.attempts + 1), true});
  if (outcome.kind == Kind::kRefused) {
    log_.warn("quarantine left a row in the log", fields);
  } else {
    log_.info("quarantine", fields);
  }
}

}  // namespace dupwatch::quarantine
