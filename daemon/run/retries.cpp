#include "daemon/run/retries.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {
namespace {

using postgres::Error;
using postgres::Fault;
using process::ExitCode;

// A stream that held this long was healthy: the next failure starts the backoff over.
constexpr std::chrono::seconds kHealthyStream{10};
// A standby asks so often; it takes over within that and the time of a start.
constexpr std::chrono::milliseconds kStandbyInterval{500};

}  // namespace

core::Disconnect disconnect_kind(const Error& error, bool streamed) noexcept {
  if (!streamed) return core::Disconnect::kConnectFailed;
  if (error.cause == postgres::Cause::kServerClosed || postgres::says_goodbye(error)) {
    return core::Disconnect::kServerClosed;
  }
  if (error.fault == Fault::kSlotLost) return core::Disconnect::kError;
  if (error.cause == postgres::Cause::kMemoryKept) return core::Disconnect::kError;
  if (error.cause == postgres::Cause::kHeartbeatLost) return core::Disconnect::kHeartbeatLost;
  return error.sqlstate.empty() ? core::Disconnect::kNetwork : core::Disconnect::kError;
}

core::Obstacle obstacle_of(const Error& error) noexcept {
  if (error.cause == postgres::Cause::kStandby) return core::Obstacle::kStandby;
  if (error.cause == postgres::Cause::kSlotInUse) return core::Obstacle::kSlotInUse;
  return error.fault == Fault::kTransient ? core::Obstacle::kPassing : core::Obstacle::kAccess;
}

Retries::Retries(const core::Config& config, core::LifeCycle& life, postgres::Waiter& waiter,
                 process::Log& log, std::uint64_t seed)
    : config_(config),
      life_(life),
      waiter_(waiter),
      log_(log),
      backoff_(config.connection.backoff_min, config.connection.backoff_max, seed) {}

void Retries::failed(const Error& error, core::Instant now) {
  last_error_ = error;
  if (error.cause == postgres::Cause::kOldPrimary && !old_primary_since_) old_primary_since_ = now;
  if (error.cause == postgres::Cause::kStandby) return;
  ++disconnects_[static_cast<std::size_t>(disconnect_kind(error, life_.streaming()))];
}

History& Retries::history(core::Instant now) {
  if (old_primary_since_ && now - *old_primary_since_ >= kOldPrimaryMax) history_ = {};
  return history_;
}

void Retries::streaming() {
  slot_in_use_since_.reset();
  old_primary_since_.reset();
  last_error_.reset();
}

void Retries::stream_ended(core::Instant::duration lasted) noexcept {
  if (lasted >= kHealthyStream) backoff_.reset();
}

Retries::Next Retries::again(const Error& error) {
  if (const auto code = judge(obstacle_of(error), error); code != ExitCode::kClean) return {.code = code};
  return error.cause == postgres::Cause::kStandby ? stand_by(error) : pause(error);
}

Retries::Next Retries::again_after(const Error& error) {
  last_error_ = error;
  return again(error);
}

core::Attempts Retries::attempts(core::Instant now) const {
  using std::chrono::duration_cast;
  return {.ever_streamed = life_.has_streamed(),
          .since_start = duration_cast<core::Milliseconds>(now - started_),
          .in_use = duration_cast<core::Milliseconds>(now - slot_in_use_since_.value_or(now)),
          .patience = config_.connection.startup_timeout};
}

ExitCode Retries::judge(core::Obstacle obstacle, const Error& error) {
  const auto now = process::steady_now();
  if (obstacle == core::Obstacle::kSlotInUse && !slot_in_use_since_) slot_in_use_since_ = now;
  const auto verdict = core::after_failure(obstacle, attempts(now));
  if (verdict == core::Verdict::kTryAgain) return ExitCode::kClean;
  const auto code = verdict == core::Verdict::kTemporary ? ExitCode::kTemporary : ExitCode::kOperator;
  log_.error(error.message, {{"reason", std::string(to_string(error.cause))},
                             {"sqlstate", error.sqlstate},
                             {"remedy", error.remedy},
                             {"exit_code", std::to_string(value(code)), true}});
  return code;
}

Retries::Next Retries::stand_by(const Error& error) {
  if (life_.stands_by()) {
    log_.info(error.message, {{"event", "standby"}, {"slot", config_.slot.name}, {"remedy", error.remedy}});
  }
  return {.stop = waiter_.wait(-1, 0, process::steady_now() + kStandbyInterval) ==
                  postgres::Waiter::Outcome::kInterrupted};
}

Retries::Next Retries::pause(const Error& error) {
  const auto delay = core::delay_before_next(backoff_.next(), attempts(process::steady_now()));
  life_.backs_off();
  log_.warn(error.message, {{"event", "disconnected"},
                            {"reason", std::string(to_string(error.cause))},
                            {"sqlstate", error.sqlstate},
                            {"remedy", error.remedy},
                            {"retry_in_ms", std::to_string(delay.count()), true}});
  return {.stop =
              waiter_.wait(-1, 0, process::steady_now() + delay) == postgres::Waiter::Outcome::kInterrupted};
}

void Retries::describe(core::StatusSnapshot& out, core::Instant /*now*/) const {
  out.state = life_.state();
  out.mode = life_.mode();
  out.stream.disconnects = disconnects_;
}

std::string Retries::trouble(core::Instant /*now*/) const {
  if (life_.stream_open()) return {};
  if (life_.mode() == core::WatchMode::kPolling) {
    return fmt::format("polling every {} s in place of streaming: {}",
                       std::chrono::ceil<std::chrono::seconds>(config_.poll.interval).count(),
                       last_error_ ? last_error_->message : "no slot");
  }
  const auto state = to_string(life_.state());
  return last_error_ ? fmt::format("not streaming ({}): {}", state, last_error_->message)
                     : fmt::format("not streaming ({})", state);
}

}  // namespace dupwatch::run
