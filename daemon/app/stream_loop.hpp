#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "daemon/app/attach.hpp"
#include "daemon/app/clock.hpp"
#include "daemon/app/event_fd.hpp"
#include "daemon/app/finding_sink.hpp"
#include "daemon/app/log.hpp"
#include "daemon/app/read_back_pump.hpp"
#include "daemon/app/stream_pace.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"

namespace dupwatch::app {

/// What one stream knows of itself.
struct StreamFacts {
  Instant started{};
  Instant last_received{};
  bool received_any = false;
  /// last_received, or when we last had no wish to read.
  Instant heard{};
};

/// One replication stream from START_REPLICATION to its end, in one poll loop: CopyBoth, read-backs, findings
/// and status updates on one thread, nothing in it waits. Status goes out on its own deadline whatever else
/// is happening.
class StreamLoop {
 public:
  struct Parts {
    core::Watch& watch;
    postgres::SqlClient& sql;
    ReadBackPump& read_backs;
    FindingSink& sink;
    Log& log;
    int stop_fd;
    EventFd& wake;
    /// Called every turn: liveness, metrics, the monitor's timers, the baseline's mailbox.
    std::function<void(Instant)> turn;
    /// When `turn` wants to be called at the latest.
    std::function<Instant()> turn_deadline;
    /// Why the stream is to be ended although its connection holds; nullopt = it is not.
    std::function<std::optional<postgres::Error>(const StreamFacts&, Instant)> judge;
    /// The connection to heartbeat.dsn, whose turn is `turn`'s matter; nullptr without one.
    const postgres::SqlClient* heartbeat = nullptr;
  };

  StreamLoop(Parts parts, postgres::Connection& replication, std::chrono::milliseconds wal_sender_timeout);

  /// Runs until the stream ends: nullopt = stop was requested, and the final position has been confirmed.
  [[nodiscard]] std::optional<postgres::Error> run();
  [[nodiscard]] const StreamFacts& facts() const noexcept { return facts_; }
  /// Status interval for a server that gives up after `wal_sender_timeout` (0 = never).
  [[nodiscard]] static std::chrono::milliseconds status_interval(
      std::chrono::milliseconds wal_sender_timeout);

 private:
  enum class Wake : std::uint8_t { kGoOn, kStop };

  [[nodiscard]] Wake wait(Instant now);
  /// Reads and judges what the socket has, a bounded amount. An error or the end of the stream comes back.
  [[nodiscard]] std::optional<postgres::Error> read_stream(Instant now);
  void report(Instant now);
  /// False: the connection broke.
  [[nodiscard]] bool send_status(Instant now, bool reply_requested);
  void note_durable();
  void drain_table(Instant deadline);
  void leave_notices(Instant now);
  void log_notice(const core::Notice& notice);
  void finish();
  [[nodiscard]] bool may_read() const;

  Parts parts_;
  postgres::Connection& replication_;
  std::chrono::milliseconds status_interval_;
  StreamFacts facts_;
  Instant next_status_{};
  Instant next_probe_{};
  struct Mark {
    std::uint64_t added;
    decoder::Lsn position;
  };
  /// Of this stream alone: positions of another may lie elsewhere.
  std::optional<Mark> mark_;
  StreamPace pace_;
  bool sql_readable_ = false;
  bool buffered_ = true;  ///< libpq may hold messages that poll(2) does not know of
  bool unflushed_ = false;
  Instant notices_since_{};
  std::uint64_t notices_ = 0;  ///< in the minute from notices_since_ on
};

}  // namespace dupwatch::app
