#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/core/heartbeat.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::run {

/// Writes the heartbeat's messages, on the daemon's SQL connection or on one to heartbeat.dsn, and says when
/// the stream has lost one. Owned by the loop thread.
class HeartbeatWriter {
 public:
  HeartbeatWriter(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql, process::Log& log,
                  std::uint64_t seed);

  /// A stream has (re)started.
  void started(core::Instant now);
  /// Submits the next message when it is due, and moves the connection to heartbeat.dsn on.
  void tick(core::Instant now);
  /// Ends the session to heartbeat.dsn until the next message.
  void rest(core::Instant now);
  /// What ended a session to heartbeat.dsn that stood; once. Of the query session its owner knows.
  [[nodiscard]] std::optional<postgres::Error> take_farewell();
  [[nodiscard]] core::Instant deadline() const noexcept;
  /// The connection to heartbeat.dsn, for poll(2); nullptr without one.
  [[nodiscard]] const postgres::SqlClient* client() const noexcept { return own_.get(); }

  /// Why the stream is to be ended; nullopt = it is not.
  [[nodiscard]] std::optional<postgres::Error> lost(core::Instant heard, std::optional<bool> slot_active,
                                                    core::Instant now);
  /// A sentence when a message is overdue, else empty.
  [[nodiscard]] std::string trouble(core::Instant now) const;
  [[nodiscard]] core::HeartbeatStatus status(core::Instant now) const;

 private:
  void emit(std::string content);
  void failed(const postgres::Error& error);

  core::Watch& watch_;
  std::unique_ptr<postgres::SqlClient> own_;
  postgres::SqlClient& sql_;
  process::Log& log_;
  std::uint64_t failures_ = 0;
  std::string told_;
};

}  // namespace dupwatch::run
