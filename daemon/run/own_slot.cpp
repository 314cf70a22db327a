#include "daemon/run/own_slot.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/process/clock.hpp"

namespace dupwatch::run {
namespace {

using postgres::Cause;
using postgres::Connection;
using postgres::Error;
using postgres::Fault;

// A walsender notices that its client is gone, or that it is to end, at its next message or wait.
constexpr std::chrono::seconds kReleaseMax{10};
constexpr std::chrono::milliseconds kReleasePoll{200};
constexpr std::chrono::seconds kOwnSlotTimeout{30};
// Advancing reads the WAL in between, without the output plugin.
constexpr std::chrono::minutes kAdvanceMax{10};

Error slot_error(Fault fault, Cause cause, std::string message, const char* remedy) {
  return Error{
      .fault = fault, .cause = cause, .sqlstate = {}, .message = std::move(message), .remedy = remedy};
}

/// The slot's row once no session holds it; nullopt inside: no slot.
postgres::Expected<std::optional<postgres::SlotRow>> released(Connection& sql, const OwnSlot& own,
                                                              postgres::Waiter& waiter) {
  const auto deadline = process::steady_now() + kReleaseMax;
  for (;;) {
    auto found = postgres::find_slot(sql, own.name, waiter);
    if (std::holds_alternative<Error>(found)) return found;
    const auto& slot = std::get<std::optional<postgres::SlotRow>>(found);
    if (!slot) return found;
    if (slot->slot_type != "logical" || slot->plugin != own.plugin || slot->database != own.database) {
      return slot_error(Fault::kNeedsOperator, Cause::kSlotNotOurs,
                        fmt::format("replication slot {} is not the one dupwatch made", own.name),
                        "set another slot.name");
    }
    if (!slot->active) return found;
    if (slot->active_pid != own.walsender_pid || own.walsender_pid == 0 ||
        process::steady_now() >= deadline) {
      return slot_error(
          Fault::kTransient, Cause::kSlotInUse,
          fmt::format("replication slot {} is active for PID {}", own.name, slot->active_pid),
          "Another session holds the slot: stop the second dupwatch, or give this one its own slot.name. A "
          "session whose client is gone ends by itself after wal_sender_timeout.");
    }
    // Same role, so no right beyond the daemon's own is needed.
    const auto ended = sql.execute("SELECT pg_catalog.pg_terminate_backend($1::int)",
                                   {std::to_string(own.walsender_pid)}, waiter, kOwnSlotTimeout);
    if (const auto* error = std::get_if<Error>(&ended)) return *error;
    if (waiter.wait(-1, 0, process::steady_now() + kReleasePoll) == postgres::Waiter::Outcome::kInterrupted) {
      return slot_error(Fault::kTransient, Cause::kInterrupted, "stop was requested", "");
    }
  }
}

}  // namespace

postgres::Expected<std::optional<std::int64_t>> drop_own_slot(const core::ConnectionConfig& connection,
                                                              const OwnSlot& own, DropWhen when,
                                                              postgres::Waiter& waiter) {
  auto opened = Connection::open(connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto& sql = std::get<Connection>(opened);
  const auto found = released(sql, own, waiter);
  if (const auto* error = std::get_if<Error>(&found)) return *error;
  const auto& slot = std::get<std::optional<postgres::SlotRow>>(found);
  if (!slot || (when == DropWhen::kLost && !slot->lost())) return std::optional<std::int64_t>{};
  if (auto error = postgres::drop_slot(sql, own.name, waiter)) return std::move(*error);
  return std::optional(slot->retained_bytes);
}

postgres::Expected<decoder::Lsn> step_over(const core::ConnectionConfig& connection, const OwnSlot& own,
                                           postgres::Waiter& waiter) {
  auto opened = Connection::open(connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto& sql = std::get<Connection>(opened);
  const auto found = released(sql, own, waiter);
  if (const auto* error = std::get_if<Error>(&found)) return *error;
  if (!std::get<std::optional<postgres::SlotRow>>(found)) {
    return slot_error(Fault::kTransient, Cause::kSlotMissing, "the slot is gone", "");
  }
  const auto unlimited = sql.execute("SET statement_timeout = 0", {}, waiter, kOwnSlotTimeout);
  if (const auto* error = std::get_if<Error>(&unlimited)) return *error;
  const auto moved = sql.execute(
      "SELECT end_lsn FROM pg_catalog.pg_replication_slot_advance($1, CASE WHEN pg_is_in_recovery() THEN"
      " pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END)",
      {own.name}, waiter, kAdvanceMax);
  if (const auto* error = std::get_if<Error>(&moved)) return *error;
  return postgres::read_lsn(*std::get<postgres::Result>(moved), 0);
}

}  // namespace dupwatch::run
