#pragma once

#include <cstdint>
#include <optional>

#include "daemon/core/config.hpp"
#include "daemon/core/life_cycle.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/exit_code.hpp"
#include "daemon/process/log.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/run/attach.hpp"
#include "daemon/run/coverage_keeper.hpp"
#include "daemon/run/engine_table_rounds.hpp"
#include "daemon/run/finding_delivery.hpp"
#include "daemon/run/http_front.hpp"
#include "daemon/run/poll_rounds.hpp"
#include "daemon/run/recheck_schedule.hpp"
#include "daemon/run/reloads.hpp"
#include "daemon/run/repeated_work_report.hpp"
#include "daemon/run/retries.hpp"
#include "daemon/run/server_watch.hpp"
#include "daemon/run/slot_monitor.hpp"
#include "daemon/run/slot_recovery.hpp"
#include "daemon/run/source.hpp"
#include "daemon/run/status_publisher.hpp"
#include "daemon/run/stream_session.hpp"
#include "daemon/run/table_scans.hpp"
#include "daemon/run/upgrade_watch.hpp"

namespace dupwatch::run {

/// `dupwatch run`: attach, stream, and again after what heals. What is done meanwhile is its parts', each
/// with its own state; the daemon says in which order. The loop thread owns all but the threads of the web
/// server, scans and writers, which meet it through mailboxes.
class Daemon final : private StreamHost, private Reloads::Taker, private StatusPart {
 public:
  /// `load` reads the configuration again, on another thread.
  Daemon(core::Config config, process::StopSignals& stop, process::Log& log, ConfigReloader::Load load,
         process::ReloadSignal& reload);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Runs until SIGTERM or SIGINT (kClean) or until only a person can help.
  [[nodiscard]] process::ExitCode run();

 private:
  Daemon(core::Config config, process::StopSignals& stop, process::Log& log, ConfigReloader::Load load,
         process::ReloadSignal& reload, std::uint64_t seed);
  /// Attaches, streams and fixes what broke, until the code to end with is known.
  [[nodiscard]] process::ExitCode work();
  /// One connection's life; nullopt = stop was requested.
  [[nodiscard]] std::optional<postgres::Error> attach_and_stream();
  [[nodiscard]] std::optional<postgres::Error> start_stream(Attachment& attachment);
  /// Ends the sessions that would keep a server from shutting down that waits for its clients to leave.
  void leave_server(const std::optional<postgres::Error>& why);
  /// From now on this is the server that the slot is on.
  void note_source(const Attachment& attachment);
  void streaming(const Attachment& attachment);
  void stopped();
  void tick_reload(core::Instant now);

  // As a stream sees it.
  void turn(core::Instant now) override;
  [[nodiscard]] core::Instant turn_deadline() const override;
  [[nodiscard]] std::optional<postgres::Error> judge(const StreamFacts& facts, core::Instant now) override;
  // Of a configuration that was read while we run.
  [[nodiscard]] core::ConfigChange put_in_force(const core::Config& wanted, core::Instant now) override;
  // What is of no part: who we are and what we watch.
  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

  /// Changed by put_in_force() alone, in what no other thread reads.
  core::Config config_;
  process::StopSignals& stop_;
  process::Log& log_;
  StatusPublisher status_;
  core::Watch watch_;
  postgres::SqlClient sql_;
  process::EventFd wake_;
  process::LoopWaiter waiter_;
  core::LifeCycle life_;
  Source source_;
  Retries retries_;
  FindingDelivery findings_;
  StreamSession stream_;
  ServerWatch server_;
  SlotMonitor monitor_;
  CoverageKeeper coverage_;
  TableScans scans_;
  PollRounds polls_;
  SlotRecovery recovery_;
  RecheckSchedule recheck_;
  UpgradeWatch upgrade_;
  RepeatedWorkReport repeated_;
  EngineTableRounds engine_tables_;
  Reloads reloads_;
  HttpFront http_;
};

}  // namespace dupwatch::run
