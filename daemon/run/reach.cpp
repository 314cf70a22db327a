#include "daemon/run/reach.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/postgres/dsn.hpp"

namespace dupwatch::run {
namespace {

using postgres::Cause;
using postgres::Connection;
using postgres::Error;
using postgres::Fault;

/// The replication connection, to the server that `sql` leads to. Where the DSN leads to several, a read-back
/// from another one could lack rows whose commits the stream has left behind.
std::variant<Reached, Error> open_stream(core::ConnectionConfig connection, Connection& sql,
                                         postgres::Waiter& waiter) {
  connection.server = sql.server();
  auto replication = Connection::open(connection, Connection::Kind::kReplication, waiter);
  if (auto* error = std::get_if<Error>(&replication)) return std::move(*error);
  auto started = postgres::server_started(sql, waiter);
  if (auto* error = std::get_if<Error>(&started)) return std::move(*error);
  connection.server.started = std::get<std::string>(std::move(started));
  const auto streams = postgres::server_started(std::get<Connection>(replication), waiter);
  if (const auto* error = std::get_if<Error>(&streams)) return *error;
  if (std::get<std::string>(streams) != connection.server.started) return postgres::other_server();
  return Reached{.sql = std::move(sql),
                 .replication = std::get<Connection>(std::move(replication)),
                 .server = std::move(connection.server)};
}

/// Another dupwatch streams from this server. What can't be told is left as it is known.
void note_history(Connection& sql, History& known, postgres::Waiter& waiter) {
  const auto answer = postgres::server_history(sql, waiter);
  const auto* found = std::get_if<postgres::SystemIdentity>(&answer);
  if (found == nullptr || found->timeline == 0) return;
  if (found->system_identifier == known.system_identifier && found->timeline < known.timeline) return;
  known = {.system_identifier = found->system_identifier, .timeline = found->timeline};
}

/// A server of `connection`, and both sessions with it.
std::variant<Reached, Error> reach(const core::Config& config, const core::ConnectionConfig& connection,
                                   History& known, postgres::Waiter& waiter, process::Log& log) {
  auto opened = Connection::open(connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  auto& sql = std::get<Connection>(opened);
  // Before a walsender is asked for: those are few.
  const auto free = postgres::slot_lock_is_free(sql, config.slot.name, waiter);
  if (const auto* error = std::get_if<Error>(&free)) return *error;
  const bool ignores_lock = !std::get<bool>(free);
  if (ignores_lock) {
    if (auto error = judge_lock_holder(config, sql, waiter, log)) {
      if (error->cause == Cause::kStandby) note_history(sql, known, waiter);
      return std::move(*error);
    }
  }
  auto found = open_stream(connection, sql, waiter);
  if (auto* error = std::get_if<Error>(&found)) return std::move(*error);
  auto& reached = std::get<Reached>(found);
  auto system = postgres::identify_system(reached.replication, waiter);
  if (auto* error = std::get_if<Error>(&system)) return std::move(*error);
  reached.system = std::get<postgres::SystemIdentity>(std::move(system));
  reached.ignores_lock = ignores_lock;
  return found;
}

bool is_older(const Reached& reached, const History& known) {
  return reached.system.system_identifier == known.system_identifier &&
         reached.system.timeline < known.timeline;
}

Error old_primary(const Reached& old, const History& known, const Error& silent) {
  return Error{
      .fault = Fault::kTransient,
      .cause = Cause::kOldPrimary,
      .sqlstate = {},
      .message = fmt::format(
          "the server on timeline {} is an old primary, for timeline {} was streamed before; another "
          "server of connection.dsn may be the new one: {}",
          old.system.timeline, known.timeline, silent.message),
      .remedy =
          "stop the old primary, and start the one that was promoted; to go on with the old history at once, "
          "take the servers that are gone out of connection.dsn"};
}

}  // namespace

Error stands_by(const core::Config& config) {
  return Error{
      .fault = Fault::kTransient,
      .cause = Cause::kStandby,
      .sqlstate = {},
      .message = fmt::format("another dupwatch holds slot {}: this one takes over when it is gone",
                             config.slot.name),
      .remedy = "none needed; a second instance that is not meant to stand by needs another slot.name"};
}

std::optional<Error> judge_lock_holder(const core::Config& config, Connection& sql, postgres::Waiter& waiter,
                                       process::Log& log) {
  auto holder = postgres::foreign_lock_holder(sql, config.slot.name, waiter);
  if (auto* error = std::get_if<Error>(&holder)) return std::move(*error);
  const auto& foreign = std::get<std::optional<postgres::LockHolder>>(holder);
  if (!foreign) return stands_by(config);
  log.warn("the slot's advisory lock is held by a session that is no dupwatch: it is ignored",
           {{"event", "foreign_lock"},
            {"slot", config.slot.name},
            {"pid", std::to_string(foreign->pid), true},
            {"role", foreign->role},
            {"remedy", fmt::format("find out what that session is for, and end it: SELECT "
                                   "pg_terminate_backend({});",
                                   foreign->pid)}});
  return std::nullopt;
}

std::variant<Reached, Error> reach_newest(const core::Config& config, History& known,
                                          postgres::Waiter& waiter, process::Log& log) {
  auto first = reach(config, config.connection, known, waiter, log);
  const auto* old = std::get_if<Reached>(&first);
  if (old == nullptr || !is_older(*old, known)) return first;
  const auto dsn = postgres::Dsn::parse(config.connection.dsn);
  if (const auto* error = std::get_if<Error>(&dsn)) return *error;
  std::optional<Error> silent;
  for (const auto& [host, hostaddr, port] : std::get<postgres::Dsn>(dsn).endpoints()) {
    auto connection = config.connection;
    connection.server = {.host = host, .hostaddr = hostaddr, .port = port, .started = {}};
    auto other = reach(config, connection, known, waiter, log);
    if (auto* error = std::get_if<Error>(&other)) {
      if (postgres::interrupted(*error) || error->cause == Cause::kStandby) return std::move(*error);
      // One that has not the role that the DSN asks for is no primary.
      if (error->cause != Cause::kWrongServerRole) silent = std::move(*error);
    } else if (!is_older(std::get<Reached>(other), known)) {
      return other;
    }
  }
  if (silent) return old_primary(*old, known, *silent);
  return first;
}

}  // namespace dupwatch::run
