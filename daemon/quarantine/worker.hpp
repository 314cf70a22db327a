#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/quarantine_stats.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/log.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/quarantine/act.hpp"
#include "daemon/quarantine/task_list.hpp"

namespace dupwatch::quarantine {

/// quarantine.mode: takes the row at fault of a fatal finding out of the log as soon as it is told, on a
/// thread and a connection of its own that exist only when the mode is not observe. Nothing waits for it: not
/// the stream, not the slot's position. What it did not get to is an open finding still.
class QuarantineWorker {
 public:
  /// `wake` is signalled when take_done() has something. References must outlive it.
  QuarantineWorker(const core::Config& config, process::Log& log, process::EventFd& wake);
  /// Ends after the statement in flight; the server undoes an act that was not committed.
  ~QuarantineWorker();
  QuarantineWorker(const QuarantineWorker&) = delete;
  QuarantineWorker& operator=(const QuarantineWorker&) = delete;

  /// Takes the finding when it is open, fatal, of a rule in quarantine.rules, and of the stream: what a scan
  /// finds is old, and a person's to decide. Never blocks for long.
  void add(const core::Finding& finding);
  /// Findings whose row is out of the log, since the last call.
  [[nodiscard]] std::vector<std::uint64_t> take_done();
  /// From now on acts are for this server, unless quarantine.dsn names one.
  void attached(core::ServerPin server);
  /// Ends the session when no act is in flight; the next act, or look at the table, makes another.
  void rest();
  /// What the server said when it ended the session; once.
  [[nodiscard]] std::optional<postgres::Error> take_farewell();
  /// From any thread.
  [[nodiscard]] core::QuarantineStats stats() const;

 private:
  /// A connection with what is known of the table.
  struct Session {
    postgres::Connection sql;
    table::TableFacts table;
  };

  void work();
  /// Connects when there is no session, and looks at the table and the circuit anew now and then. An error is
  /// told.
  [[nodiscard]] std::optional<postgres::Error> prepare(core::Instant now);
  [[nodiscard]] std::optional<postgres::Error> connect();
  [[nodiscard]] std::optional<postgres::Error> look();
  void act(quarantine::Task task);
  void done(const quarantine::Task& task, const ActOutcome& outcome);
  void refused(const quarantine::Task& task, const ActOutcome& outcome);
  void failed(quarantine::Task task, const postgres::Error& error);
  void trip(std::string_view reason, std::string_view detail);
  void count(core::QuarantineOutcome outcome);
  void say(const quarantine::Task& task, std::string_view result, const ActOutcome& outcome);
  void unavailable(const postgres::Error& error);
  void note_farewell(const postgres::Error& error);
  void set_state(core::QuarantineState state, std::string reason);

  const core::Config& config_;
  process::Log& log_;
  process::EventFd& wake_;
  process::EventFd stop_fd_;
  process::LoopWaiter waiter_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  core::ConnectionConfig connection_;        // guarded by mutex_
  bool stop_ = false;                        // guarded by mutex_
  bool rest_ = false;                        // guarded by mutex_
  quarantine::TaskList tasks_;               // guarded by mutex_
  std::vector<std::uint64_t> done_;          // guarded by mutex_
  core::QuarantineStats stats_;              // guarded by mutex_
  std::optional<postgres::Error> farewell_;  // guarded by mutex_

  /// Of the thread alone.
  std::optional<Session> session_;
  core::Instant next_look_{};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::quarantine
