#include <poll.h>

#include <algorithm>
#include <charconv>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/connection_state.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

// lock_timeout bounds the wait for one transaction; this bounds the sum over all of them.
constexpr std::chrono::minutes kCreateTimeout{30};

/// Wakes up in between to report that the wait goes on.
class ReportingWaiter final : public Waiter {
 public:
  ReportingWaiter(Waiter& inner, std::chrono::milliseconds every, const std::function<void()>& report)
      : inner_(inner), every_(every), report_(report) {}

  Outcome wait(int fd, short events, Instant deadline) override {
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      const auto slice = std::min(deadline, now + every_);
      const auto outcome = inner_.wait(fd, events, slice);
      if (outcome != Outcome::kTimeout || slice == deadline) return outcome;
      if (report_) report_();
    }
  }

 private:
  Waiter& inner_;
  std::chrono::milliseconds every_;
  const std::function<void()>& report_;
};

}  // namespace

bool valid_slot_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Expected<SystemIdentity> identify_system(Connection& replication, Waiter& waiter) {
  auto answer = ask(replication, "IDENTIFY_SYSTEM", {}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  SystemIdentity identity;
  identity.system_identifier = cell(result, 0, 0).value_or("");
  identity.timeline = static_cast<std::uint32_t>(to_int64(cell(result, 0, 1)));
  identity.wal_position = decoder::parse_lsn(cell(result, 0, 2).value_or("")).value_or(decoder::Lsn{});
  identity.database = cell(result, 0, 3).value_or("");
  return identity;
}

Expected<SystemIdentity> server_history(Connection& sql, Waiter& waiter) {
  // The name of a WAL file begins with its timeline. pg_control_checkpoint() is late after a promotion.
  auto answer =
      ask(sql,
          "SELECT system_identifier, CASE WHEN pg_catalog.pg_is_in_recovery() THEN 0 ELSE ('x' ||"
          " substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int8"
          " END FROM pg_catalog.pg_control_system()",
          {}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  SystemIdentity identity;
  identity.system_identifier = cell(result, 0, 0).value_or("");
  identity.timeline = static_cast<std::uint32_t>(to_int64(cell(result, 0, 1)));
  return identity;
}

std::string create_slot_command(int server_version, std::string_view name, std::string_view plugin,
                                bool temporary, SnapshotUse snapshot, bool failover) {
  std::string command = "CREATE_REPLICATION_SLOT " + quote_identifier(name);
  if (temporary) command += " TEMPORARY";
  command += " LOGICAL " + quote_identifier(plugin);
  const bool exported = snapshot == SnapshotUse::kExport;
  // Postgres 15 put the options into parentheses; older servers know only the keywords.
  if (server_version >= 150000)
    return command + (exported ? " (SNAPSHOT 'export'" : " (SNAPSHOT 'nothing'") +
           (failover ? ", FAILOVER true)" : ")");
  return command + (exported ? " EXPORT_SNAPSHOT" : " NOEXPORT_SNAPSHOT");
}

bool in_recovery(const Connection& connection) {
  return connection.parameter("in_hot_standby") == "on";
}

bool can_fail_over(const Connection& connection) {
  return connection.server_version() >= 170000 && !in_recovery(connection);
}

std::optional<Error> enable_failover(Connection& replication, const std::string& slot, Waiter& waiter) {
  auto answer = replication.execute("ALTER_REPLICATION_SLOT " + quote_identifier(slot) + " (FAILOVER true)",
                                    {}, waiter, kAnswerTimeout, Stage::kCreateSlot);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return std::nullopt;
}

Expected<CreatedSlot> create_slot(Connection& replication, const core::SlotConfig& slot,
                                  decoder::Plugin plugin, Waiter& waiter, std::chrono::milliseconds every,
                                  const std::function<void()>& on_wait) {
  if (!valid_slot_name(slot.name)) {
    return Error{Fault::kNeedsOperator, Cause::kInvalidSlotName, "",
                 "slot.name \"" + slot.name + "\" is not legal",
                 "Use lower-case letters, digits and underscores, at most 63."};
  }
  ReportingWaiter reporting{waiter, every, on_wait};
  const auto command =
      create_slot_command(replication.server_version(), slot.name, decoder::to_string(plugin), slot.temporary,
                          SnapshotUse::kExport, slot.failover && can_fail_over(replication));
  auto answer = replication.execute(command, {}, reporting, kCreateTimeout, Stage::kCreateSlot);
  if (auto* error = std::get_if<Error>(&answer)) {
    // A walsender that waits for a transaction does not notice that its client is gone, and its half-made
    // slot holds WAL back: tell it.
    if (left_unanswered(*error)) replication.cancel();
    return std::move(*error);
  }
  const auto& result = *std::get<Result>(answer);
  CreatedSlot created;
  created.consistent_point = decoder::parse_lsn(cell(result, 0, 1).value_or("")).value_or(decoder::Lsn{});
  created.snapshot = cell(result, 0, 2).value_or("");
  return created;
}

std::optional<Error> log_open_transactions(Connection& primary, Waiter& waiter) {
  // Two statements: the right to a function is asked for even where a CASE does not come to it.
  const auto may =
      ask_bool(primary, "SELECT has_function_privilege('pg_catalog.pg_log_standby_snapshot()', 'EXECUTE')",
               {}, waiter);
  if (const auto* error = std::get_if<Error>(&may)) return *error;
  const auto answer = ask(primary,
                          std::get<bool>(may) ? "SELECT pg_catalog.pg_log_standby_snapshot()"
                                              : "SELECT pg_catalog.pg_logical_emit_message(false, "
                                                "'dupwatch_wake', '')",
                          {}, waiter);
  if (const auto* error = std::get_if<Error>(&answer)) return *error;
  return std::nullopt;
}

namespace {

/// Of the slot's name in this database; the number keeps the key apart from those of other programs.
std::string slot_lock_key(const std::string& slot) {
  return "pg_catalog.hashtextextended(" + quote_literal("dupwatch slot " + slot) + ", 25718)";
}

}  // namespace

Expected<bool> slot_lock_is_free(Connection& sql, const std::string& slot, Waiter& waiter) {
  // Of the transaction, which is over with the statement; shared, so that two who ask do not meet.
  return ask_bool(sql, "SELECT pg_catalog.pg_try_advisory_xact_lock_shared(" + slot_lock_key(slot) + ")", {},
                  waiter);
}

Expected<bool> take_slot_lock(Connection& replication, const std::string& slot, Waiter& waiter) {
  return ask_bool(replication, "SELECT pg_catalog.pg_try_advisory_lock(" + slot_lock_key(slot) + ")", {},
                  waiter);
}

Expected<std::optional<LockHolder>> foreign_lock_holder(Connection& sql, const std::string& slot,
                                                        Waiter& waiter) {
  // pg_stat_activity names the role of every session to everybody.
  auto answer = ask(
      sql,
      "SELECT l.pid, coalesce(a.usename::text, ''), a.usesysid = (SELECT oid FROM pg_catalog.pg_roles WHERE"
      " rolname = current_user) OR l.pid = (SELECT active_pid FROM pg_catalog.pg_replication_slots WHERE"
      " slot_name = $1) FROM (SELECT " +
          slot_lock_key(slot) +
          " AS key) k JOIN pg_catalog.pg_locks l ON l.classid = (k.key >> 32 & 4294967295)::oid AND"
          " l.objid = (k.key & 4294967295)::oid LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)"
          " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database ="
          " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
      {slot}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  std::optional<LockHolder> foreign;
  for (int row = 0; row < row_count(result); ++row) {
    if (cell(result, row, 2) == "t") return std::optional<LockHolder>{};
    foreign = LockHolder{.pid = static_cast<int>(to_int64(cell(result, row, 0))),
                         .role = std::string(cell(result, row, 1).value_or(""))};
  }
  return foreign;
}

std::string start_replication_command(std::string_view slot, decoder::Lsn from,
                                      std::span<const std::pair<std::string, std::string>> options) {
  auto command = "START_REPLICATION SLOT " + quote_identifier(slot) + " LOGICAL " + decoder::to_string(from);
  if (options.empty()) return command;
  return command + " (" +
         quoted_list(options,
                     [](const auto& option) {
                       return quote_identifier(option.first) + ' ' + quote_option(option.second);
                     }) +
         ')';
}

std::optional<Error> start_replication(Connection& replication, const std::string& slot, decoder::Lsn from,
                                       std::span<const std::pair<std::string, std::string>> options,
                                       Waiter& waiter) {
  auto answer = replication.execute(start_replication_command(slot, from, options), {}, waiter,
                                    kAnswerTimeout, Stage::kStartReplication);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return std::nullopt;
}

namespace {

/// Reads to the end of the stream, after end_copy(), and of what the server says of it.
std::optional<Error> read_to_end(Connection& replication, Waiter& waiter) {
  const auto deadline = std::chrono::steady_clock::now() + kAnswerTimeout;
  bool copying = true;
  for (;;) {
    if (copying) {
      const auto read = replication.read_copy();
      if (const auto* error = std::get_if<Error>(&read)) return *error;
      copying = !std::holds_alternative<Connection::EndOfCopy>(read);
      if (!std::holds_alternative<Connection::WouldBlock>(read)) continue;
    } else if (!replication.busy()) {
      if (!replication.next_result()) return std::nullopt;
      continue;
    }
    if (replication.broken()) return replication.error(Stage::kStream);
    const auto events = static_cast<short>(replication.flush() ? POLLIN : POLLIN | POLLOUT);
    switch (waiter.wait(replication.socket(), events, deadline)) {
      case Waiter::Outcome::kReady:
        break;
      case Waiter::Outcome::kInterrupted:
        return interrupted();
      case Waiter::Outcome::kTimeout:
        return timed_out(kAnswerTimeout);
    }
    (void)replication.consume_input();
  }
}

}  // namespace

std::optional<Error> drop_streamed_slot(Connection& replication, const std::string& slot, Waiter& waiter) {
  if (!replication.end_copy()) return replication.error(Stage::kStream);
  if (auto error = read_to_end(replication, waiter)) return error;
  auto answer =
      replication.execute("DROP_REPLICATION_SLOT " + quote_identifier(slot), {}, waiter, kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return std::nullopt;
}

}  // namespace dupwatch::postgres
