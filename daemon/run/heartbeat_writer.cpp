#include "daemon/run/heartbeat_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/postgres/catalog.hpp"

namespace dupwatch::run {
namespace {

using postgres::Error;

// A connection whose answer does not come is given up soon: the next beat needs it.
constexpr std::chrono::seconds kAnswerMax{20};

std::unique_ptr<postgres::SqlClient> client_of(const core::Config& config, std::uint64_t seed) {
  if (config.heartbeat.dsn.empty() || config.heartbeat.interval.count() == 0) return nullptr;
  auto connection = config.connection;
  connection.dsn = config.heartbeat.dsn;
  return std::make_unique<postgres::SqlClient>(std::move(connection), seed);
}

/// What only a person can change; asking again every interval would fill the server's log.
bool is_final(const Error& error) {
  return postgres::lacks_right(error) || postgres::lacks_function(error) ||
         error.cause == postgres::Cause::kInRecovery;
}

std::string beat_remedy(const Error& error) {
  if (error.cause == postgres::Cause::kInRecovery) {
    return "the slot is on a standby: set heartbeat.dsn to its primary, or heartbeat.interval: 0s";
  }
  if (postgres::lacks_right(error)) {
    return "GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) to the role, or "
           "heartbeat.interval: 0s";
  }
  return error.remedy;
}

}  // namespace

HeartbeatWriter::HeartbeatWriter(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql,
                                 process::Log& log, std::uint64_t seed)
    : watch_(watch), own_(client_of(config, seed)), sql_(own_ ? *own_ : sql), log_(log) {}

void HeartbeatWriter::started(core::Instant now) {
  watch_.heartbeat().stream_started(now);
}

void HeartbeatWriter::tick(core::Instant now) {
  if (auto content = watch_.heartbeat().next(now)) emit(std::move(*content));
  if (own_) own_->turn(now);
}

void HeartbeatWriter::rest(core::Instant now) {
  if (own_) own_->renew({}, now);
}

std::optional<Error> HeartbeatWriter::take_farewell() {
  auto said = own_ ? own_->take_farewell() : std::nullopt;
  // It may lead to the primary of the slot's server, which starts for long or drops what is idle.
  return said && postgres::ends_session(*said) ? said : std::nullopt;
}

core::Instant HeartbeatWriter::deadline() const noexcept {
  const auto next = watch_.heartbeat().deadline();
  return own_ ? std::min(next, own_->deadline()) : next;
}

void HeartbeatWriter::emit(std::string content) {
  postgres::SqlClient::Query query;
  query.text = postgres::heartbeat_query();
  query.params = {content};
  query.silence_max = kAnswerMax;
  auto end = std::make_shared<decoder::Lsn>();
  query.on_row = [end](const pg_result& result, int row) { *end = postgres::read_lsn(result, row); };
  query.on_done = [this, content, end](const std::optional<Error>& error) {
    if (!error) {
      watch_.heartbeat().emitted(content, *end);
      return;
    }
    watch_.heartbeat().not_emitted(content);
    // The connection was given up with the stream before; that says nothing of this one.
    if (error->cause != postgres::Cause::kRenewed) failed(*error);
  };
  if (!sql_.submit(std::move(query))) watch_.heartbeat().not_emitted(content);
}

void HeartbeatWriter::failed(const Error& error) {
  ++failures_;
  const bool final = is_final(error);
  if (final) watch_.heartbeat().switch_off();
  // A reconnect asks again; the same answer is no news.
  if (std::exchange(told_, std::string(to_string(error.cause)) + error.message) == told_) return;
  log_.warn(final ? "the server does not let the heartbeat through: it is off, so a stream that is silently "
                    "broken shows only by its silence"
                  : "the heartbeat could not be written; it is tried again",
            {{"reason", "heartbeat"},
             {"sqlstate", error.sqlstate},
             {"error", error.message},
             {"remedy", beat_remedy(error)}});
}

std::optional<Error> HeartbeatWriter::lost(core::Instant heard, std::optional<bool> slot_active,
                                           core::Instant now) {
  auto& heartbeat = watch_.heartbeat();
  const auto loss =
      heartbeat.lost({.received = watch_.received(), .heard = heard, .slot_active = slot_active}, now);
  if (!loss) return std::nullopt;
  heartbeat.restarting();
  return Error{
      .fault = postgres::Fault::kTransient,
      .cause = postgres::Cause::kHeartbeatLost,
      .sqlstate = {},
      .message = fmt::format("a message through the slot has not come back, and {}", core::to_string(*loss)),
      .remedy =
          "dupwatch restarts the stream; if it stays: does heartbeat.dsn name the slot's "
          "database, and does a proxy stand in between?"};
}

std::string HeartbeatWriter::trouble(core::Instant now) const {
  const auto overdue = watch_.heartbeat().overdue(now);
  if (overdue.count() <= 0) return {};
  return fmt::format("the heartbeat has not come back for {:.0f} s", overdue.count());
}

core::HeartbeatStatus HeartbeatWriter::status(core::Instant now) const {
  const auto& heartbeat = watch_.heartbeat();
  const auto wall = static_cast<double>(process::wall_now().micros) / 1e6;
  const auto unix_time = [&](core::Instant at) {
    return wall - std::chrono::duration<double>(now - at).count();
  };
  core::HeartbeatStatus out;
  out.enabled = heartbeat.on();
  if (heartbeat.any_sent()) out.last_sent_unix_seconds = unix_time(heartbeat.last_sent());
  if (heartbeat.last_returned() != core::Instant{}) {
    out.last_returned_unix_seconds = unix_time(heartbeat.last_returned());
  }
  out.failures = failures_;
  out.round_trip = heartbeat.round_trip();
  return out;
}

}  // namespace dupwatch::run
