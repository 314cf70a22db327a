#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "daemon/run/daemon.hpp"
#include "daemon/run/own_slot.hpp"

/// What the daemon does when its slot is lost, holds back too much WAL, or stands before a row that cannot be
/// delivered: it opens a gap, gives the slot up or moves it, and polls until there is a slot again.
namespace dupwatch::run {

using postgres::Error;
using postgres::Fault;

Daemon::Recovery Daemon::recover(const Error& error) {
  if (error.fault == Fault::kSlotLost) return slot_given_up(error);
  if (may_be_poison(error)) return step_over_poison(error);
  if (const auto code = judge_error(error); code != process::ExitCode::kClean) return {.code = code};
  return {.stop = error.cause == postgres::Cause::kStandby ? !stand_by(error) : !pause(error)};
}

std::optional<Error> Daemon::blown_fuse(const std::optional<postgres::SlotRow>& slot) const {
  if (!slot || slot->lost()) return std::nullopt;
  const auto limit = core::fuse_bytes(config_.slot.max_retained_wal, slot->keep_size_bytes);
  if (!limit || slot->retained_bytes < static_cast<std::int64_t>(*limit)) return std::nullopt;
  return Error{
      .fault = Fault::kSlotLost,
      .cause = postgres::Cause::kFuse,
      .sqlstate = {},
      .message = fmt::format("slot {} holds back {} bytes of WAL, slot.max_retained_wal allows {}: dupwatch "
                             "drops it and polls",
                             config_.slot.name, slot->retained_bytes, *limit),
      .remedy =
          "end the transaction or lock that holds the slot back, or give dupwatch more CPU; with more "
          "room on the primary's disk raise slot.max_retained_wal"};
}

/// No session for queries can be had, and the slot must not wait for one.
void Daemon::drop_by_stream(postgres::Connection& replication) {
  if (const auto failed = postgres::drop_streamed_slot(replication, config_.slot.name, waiter_)) {
    log_.error("the slot could not be dropped by its own stream",
               {{"reason", std::string(to_string(failed->cause))},
                {"sqlstate", failed->sqlstate},
                {"error", failed->message}});
    return;
  }
  dropped_by_stream_ = true;
  log_.warn("dropped its own replication slot",
            {{"event", "slot_dropped"}, {"slot", config_.slot.name}, {"why", "fuse"}, {"by", "stream"}});
}

Daemon::Recovery Daemon::slot_given_up(const Error& error) {
  const bool fuse = error.cause == postgres::Cause::kFuse;
  const auto reason = fuse ? core::GapReason::kFuse : core::GapReason::kSlotLost;
  const auto policy = fuse ? core::LostPolicy::kRecreateAndScan : core::lost_policy(config_.slot);
  if (std::exchange(pending_gap_, reason) != reason) {
    ++(fuse ? fuse_blown_ : slots_lost_);
    coverage_.open(reason, watch_.confirmed(), decoder::Lsn{}, process::wall_now());
    log_.error(error.message, {{"event", "coverage_gap"},
                               {"gap", std::string(to_string(reason))},
                               {"reason", std::string(to_string(error.cause))},
                               {"from", decoder::to_string(watch_.confirmed())},
                               {"losses", std::to_string(slot_return_.losses()), true},
                               {"remedy", error.remedy}});
  }
  if (policy == core::LostPolicy::kStop) {
    return {.code = judge_obstacle(core::Obstacle::kSlotGivenUp, error)};
  }
  if (policy == core::LostPolicy::kRecreateAndScan && !std::exchange(dropped_by_stream_, false)) {
    const auto dropped =
        drop_own_slot(connection_, own_slot(), fuse ? DropWhen::kAnyway : DropWhen::kLost, waiter_);
    if (const auto* failed = std::get_if<Error>(&dropped)) {
      last_error_ = *failed;
      if (const auto code = judge_error(*failed); code != process::ExitCode::kClean) return {.code = code};
      return {.stop = !pause(*failed)};
    }
    if (const auto& freed = std::get<std::optional<std::int64_t>>(dropped)) {
      log_.warn("dropped its own replication slot", {{"event", "slot_dropped"},
                                                     {"slot", config_.slot.name},
                                                     {"why", std::string(to_string(reason))},
                                                     {"released_wal_bytes", std::to_string(*freed), true}});
    }
  }
  slot_in_use_since_.reset();
  // A slot that may not be made is not waited for.
  const bool for_ever = policy == core::LostPolicy::kPoll || !config_.slot.create;
  const auto now = process::steady_now();
  const auto until = for_ever ? core::Instant::max() : now + slot_return_.lost(now, !fuse);
  return {.stop = !poll_until(until)};
}

OwnSlot Daemon::own_slot() const {
  return {.name = config_.slot.name,
          .plugin = plugin_,
          .database = system_.database,
          .walsender_pid = walsender_pid_};
}

bool Daemon::poll_until(core::Instant until) {
  const auto begun = process::steady_now();
  // The last slot's figures are nobody's any more.
  monitor_.no_slot();
  // Room for the scan beside the two connections that look for a slot again.
  sql_.renew({}, begun);
  mode_ = core::WatchMode::kPolling;
  // Without a pause the first scan is for a slot whose creation is held up.
  next_poll_ = until <= begun ? begun + config_.poll.interval : begun;
  if (until <= begun) return true;
  state_ = core::StreamState::kPolling;
  process::Log::Fields fields{{"event", "polling"},
                              {"interval_ms", std::to_string(config_.poll.interval.count()), true}};
  if (until != core::Instant::max()) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(until - process::steady_now());
    fields.push_back({"slot_again_in_s", std::to_string(left.count()), true});
  }
  log_.warn("no replication slot: the open runs are scanned at intervals", fields);
  for (auto now = process::steady_now(); now < until; now = process::steady_now()) {
    const auto wanted = std::min(until, std::max(next_poll_, now + std::chrono::milliseconds{250}));
    if (waiter_.wait(wake_.fd(), POLLIN, wanted) == postgres::Waiter::Outcome::kInterrupted) return false;
    wake_.clear();
  }
  return true;
}

void Daemon::tick_poll(core::Instant now) {
  // Before START_REPLICATION the new slot's own scan begins; until then, also while the slot's creation waits
  // for open transactions, polling goes on.
  if (mode_ != core::WatchMode::kPolling || state_ == core::StreamState::kStreaming ||
      state_ == core::StreamState::kStarting) {
    return;
  }
  const bool running = baseline_ && baseline_->state() == core::BaselineState::kRunning;
  if (!running && now >= next_poll_ && now >= next_scan_ && sink_.accepts()) {
    next_poll_ = now + config_.poll.interval;
    ++polls_;
    begin_scan(core::Baseline::kActive, {}, ScanFor::kPoll);
  }
  if (watch_.has_findings()) sink_.report(watch_.take_findings(), now);
  sink_.sync(now);
}

bool Daemon::may_be_poison(const Error& error) const {
  return state_ == core::StreamState::kStreaming && postgres::may_be_of_a_row(error);
}

namespace {

std::string poison_remedy(const Error& error) {
  // Of the error table, for the row that no memory can be had for.
  if (error.sqlstate.empty()) return error.remedy;
  // Rows are decoded as the catalogue was when they were written.
  if (error.cause == postgres::Cause::kPublicationMissing) {
    return "none needed: the publication was missing when these rows were written, and it is back";
  }
  return "use pgoutput with a publication whose column list leaves the payload out (dupwatch setup "
         "--print-sql): then no payload can stop the stream";
}

}  // namespace

Daemon::Recovery Daemon::step_over_poison(const Error& error) {
  // Before the last time the error is one more disconnect, whatever the error table says of it.
  const auto repeats =
      error.fault == Fault::kTransient ? core::PoisonWatch::kRepeatsTransient : core::PoisonWatch::kRepeats;
  if (poison_.failed(error.sqlstate, error.message, watch_.confirmed()) < repeats) {
    return {.stop = !pause(error)};
  }
  const auto from = watch_.confirmed();
  const auto moved = step_over(connection_, own_slot(), waiter_);
  if (const auto* failed = std::get_if<Error>(&moved)) {
    last_error_ = *failed;
    if (const auto code = judge_error(*failed); code != process::ExitCode::kClean) return {.code = code};
    return {.stop = !pause(*failed)};
  }
  const auto to = std::get<decoder::Lsn>(moved);
  poison_.reset();
  ++poison_rows_;
  pending_gap_ = core::GapReason::kPoisonRow;
  coverage_.open(core::GapReason::kPoisonRow, from, to, process::wall_now());
  log_.error(
      "one place of the WAL can't be delivered, time after time: it was stepped over, and a scan looks for "
      "what was there",
      {{"event", "coverage_gap"},
       {"gap", "poison_row"},
       {"sqlstate", error.sqlstate},
       {"error", error.message},
       {"from", decoder::to_string(from)},
       {"to", decoder::to_string(to)},
       {"remedy", poison_remedy(error)}});
  return {};
}

}  // namespace dupwatch::run
