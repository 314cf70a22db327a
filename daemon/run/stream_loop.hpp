#pragma once

#include <cstdint>
#include <optional>

#include "daemon/core/watch.hpp"
#include "daemon/findings/outputs.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/attach.hpp"
#include "daemon/run/coverage_book.hpp"
#include "daemon/run/read_back_fetcher.hpp"
#include "daemon/run/stream_pace.hpp"

namespace dupwatch::run {

/// What one stream knows of itself.
struct StreamFacts {
  core::Instant started{};
  core::Instant last_received{};
  bool received_any = false;
  /// last_received, or when we last had no wish to read.
  core::Instant heard{};
};

/// What a stream needs of the daemon around it.
class StreamHost {
 public:
  /// Called every turn: liveness, metrics, timers, mailboxes.
  virtual void turn(core::Instant now) = 0;
  /// When turn() is to be called at the latest.
  [[nodiscard]] virtual core::Instant turn_deadline() const = 0;
  /// Why the stream is to be ended although its connection holds; nullopt = it is not.
  [[nodiscard]] virtual std::optional<postgres::Error> judge(const StreamFacts& facts, core::Instant now) = 0;

 protected:
  StreamHost() = default;
  StreamHost(const StreamHost&) = default;
  StreamHost& operator=(const StreamHost&) = default;
  ~StreamHost() = default;
};

/// One replication stream from START_REPLICATION to its end, in one poll loop: CopyBoth, read-backs, findings
/// and status updates on one thread, nothing in it waits. Status goes out on its own deadline whatever else
/// is happening.
class StreamLoop {
 public:
  struct Parts {
    core::Watch& watch;
    postgres::SqlClient& sql;
    ReadBackFetcher& read_backs;
    findings::FindingOutputs& sink;
    CoverageBook& book;
    process::Log& log;
    int stop_fd;
    process::EventFd& wake;
    StreamHost& host;
    /// The connection to heartbeat.dsn, whose turn is the host's matter; nullptr without one.
    const postgres::SqlClient* heartbeat = nullptr;
  };

  StreamLoop(const Parts& parts, postgres::Connection& replication,
             std::chrono::milliseconds wal_sender_timeout);

  /// Runs until the stream ends: nullopt = stop was requested, and the final position has been confirmed.
  [[nodiscard]] std::optional<postgres::Error> run();
  [[nodiscard]] const StreamFacts& facts() const noexcept { return facts_; }
  /// Status interval for a server that gives up after `wal_sender_timeout` (0 = never).
  [[nodiscard]] static std::chrono::milliseconds status_interval(
      std::chrono::milliseconds wal_sender_timeout);

 private:
  enum class Wake : std::uint8_t { kGoOn, kStop };

  [[nodiscard]] Wake wait(core::Instant now);
  /// Reads and judges what the socket has, a bounded amount. An error or the end of the stream comes back.
  [[nodiscard]] std::optional<postgres::Error> read_stream(core::Instant now);
  void report(core::Instant now);
  void note_durable(core::Instant now);
  /// False: the connection broke.
  [[nodiscard]] bool send_status(core::Instant now, bool reply_requested);
  void settle(core::Instant deadline);
  void leave_notices(core::Instant now);
  void log_notice(const core::Notice& notice);
  void finish();
  [[nodiscard]] bool may_read() const;
  /// Why a new connection is due: this one keeps the memory of a message that has long been dealt with.
  [[nodiscard]] std::optional<postgres::Error> keeps_memory(core::Instant now) const;
  /// Why the stream may keep the server from shutting down if it goes on.
  [[nodiscard]] std::optional<postgres::Error> stands_in_the_way() const;

  Parts parts_;
  postgres::Connection& replication_;
  std::chrono::milliseconds status_interval_;
  StreamFacts facts_;
  core::Instant next_status_{};
  core::Instant next_probe_{};
  StreamPace pace_;
  /// The largest message so far, where it is above what is given back by itself.
  struct LargeMessage {
    std::size_t bytes = 0;
    decoder::Lsn position;
    core::Instant last{};
  };
  LargeMessage large_;
  bool sql_readable_ = false;
  bool buffered_ = true;  ///< libpq may hold messages that poll(2) does not know of
  bool unflushed_ = false;
  core::Instant notices_since_{};
  std::uint64_t notices_ = 0;  ///< in the minute from notices_since_ on
};

}  // namespace dupwatch::run
