#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/coverage.hpp"
#include "daemon/core/give_up.hpp"
#include "daemon/core/lag_meter.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/slot_guard.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/findings/outputs.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/exit_code.hpp"
#include "daemon/process/log.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/process/service_manager.hpp"
#include "daemon/quarantine/worker.hpp"
#include "daemon/run/admission_probe.hpp"
#include "daemon/run/attach.hpp"
#include "daemon/run/baseline_scan.hpp"
#include "daemon/run/config_reloader.hpp"
#include "daemon/run/coverage_book.hpp"
#include "daemon/run/heartbeat_writer.hpp"
#include "daemon/run/own_slot.hpp"
#include "daemon/run/read_back_fetcher.hpp"
#include "daemon/run/recheck.hpp"
#include "daemon/run/recheck_plan.hpp"
#include "daemon/run/slot_hole_rounds.hpp"
#include "daemon/run/slot_monitor.hpp"
#include "daemon/run/stream_loop.hpp"
#include "daemon/run/witness_rounds.hpp"
#include "daemon/web/http_server.hpp"
#include "daemon/web/status_store.hpp"

namespace dupwatch::run {

/// `dupwatch run`: attach, stream, and again after what heals. The loop thread owns everything but the web
/// server's threads and the baseline scan's, which meet it through StatusStore and the scan's mailbox.
class Daemon {
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
  /// One connection's life; nullopt = stop was requested.
  [[nodiscard]] std::optional<postgres::Error> attach_and_stream();
  [[nodiscard]] std::optional<postgres::Error> start_stream(Attachment& attachment);
  /// Ends the sessions that would keep a server from shutting down that waits for its clients to leave.
  void leave_server(const std::optional<postgres::Error>& why);
  void start_baseline(const Attachment& attachment);
  /// A poll's scan closes no gap: what happens between two of them stays unseen.
  enum class ScanFor : std::uint8_t { kGaps, kPoll };
  void begin_scan(core::Baseline scope, std::string snapshot, ScanFor purpose = ScanFor::kGaps);
  /// Opens gaps for what the turn shows, and scans for open ones when it can.
  void tick_coverage(core::Instant now);
  void scan_is_over(core::BaselineState state, core::Instant now);
  struct Recovery {
    /// Not kClean = end with it.
    process::ExitCode code = process::ExitCode::kClean;
    /// Stop was requested.
    bool stop = false;
  };
  /// After a failed attempt or stream: waits, polls, or mends the slot; then the next attempt may begin.
  [[nodiscard]] Recovery recover(const postgres::Error& error);
  void drop_by_stream(postgres::Connection& replication);
  [[nodiscard]] Recovery slot_given_up(const postgres::Error& error);
  [[nodiscard]] std::optional<postgres::Error> blown_fuse(const std::optional<postgres::SlotRow>& slot) const;
  [[nodiscard]] OwnSlot own_slot() const;
  /// False: stop was requested.
  [[nodiscard]] bool poll_until(core::Instant until);
  void tick_poll(core::Instant now);
  [[nodiscard]] bool may_be_poison(const postgres::Error& error) const;
  [[nodiscard]] Recovery step_over_poison(const postgres::Error& error);
  void prepare_scans(const Attachment& attachment);
  /// Compares what is known of coverage with what was found, and opens gaps for what may have gone unseen.
  void note_server(const Attachment& attachment);
  void open_book();
  void open_gap(core::GapReason reason, decoder::Lsn from, decoder::Lsn to);
  /// Where stream and table disagree.
  void tick_witness();
  /// They agree again: a last scan for what was missed before they did.
  void tick_recovery();
  [[nodiscard]] std::string witness_trouble() const;
  /// kClean = try again after a pause.
  [[nodiscard]] process::ExitCode judge_error(const postgres::Error& error);
  [[nodiscard]] process::ExitCode judge_obstacle(core::Obstacle obstacle, const postgres::Error& error);
  [[nodiscard]] bool pause(const postgres::Error& error);
  /// Waits for the dupwatch that has the slot to be gone; false: stop was requested.
  [[nodiscard]] bool stand_by(const postgres::Error& error);

  void turn(core::Instant now);
  [[nodiscard]] core::Instant turn_deadline() const;
  /// Makes the findings of an earlier process known, once they have been read.
  void restore_past();
  void collect_baseline(core::Instant now);
  void tick_recheck(core::Instant now);
  /// From the configuration in force on.
  void schedule_recheck(core::Instant now);
  /// Puts a configuration in force that was read anew.
  void tick_reload(core::Instant now);
  [[nodiscard]] core::ConfigChange put_in_force(const core::Config& wanted, core::Instant now);
  /// On a thread of the HTTP server.
  /// nullopt when it listens.
  [[nodiscard]] std::optional<process::ExitCode> start_http();
  [[nodiscard]] web::Response reload_for_http();
  void publish(core::Instant now);
  [[nodiscard]] core::StatusSnapshot snapshot(core::Instant now) const;
  [[nodiscard]] std::string not_ready_reason(core::Instant now) const;
  /// Why the stream is to be begun anew although its connection holds.
  [[nodiscard]] std::optional<postgres::Error> judge_stream(const StreamFacts& facts, core::Instant now);
  /// What a session of ours was told when the server ended it: it may be about to shut down.
  [[nodiscard]] std::optional<postgres::Error> take_farewell();
  void note_farewell(const postgres::Error& error);
  void count_disconnect(const postgres::Error& error);

  /// Changed by put_in_force() alone, in what no other thread reads.
  core::Config config_;
  /// To the server that the slot is on.
  core::ConnectionConfig connection_{config_.connection};
  process::StopSignals& stop_;
  process::Log& log_;
  process::ServiceManager service_;
  const std::uint64_t seed_;
  web::StatusStore store_;
  core::Watch watch_;
  core::LagMeter lag_;
  postgres::SqlClient sql_;
  findings::TableWriter table_;
  findings::WebhookWorker webhook_;
  process::EventFd wake_;
  quarantine::QuarantineWorker quarantine_;
  findings::FindingOutputs sink_;
  ReadBackFetcher read_backs_;
  SlotMonitor monitor_;
  HeartbeatWriter heartbeat_;
  AdmissionProbe admission_;
  ConfigReloader reloader_;
  process::LoopWaiter waiter_;
  core::Backoff backoff_;
  core::Coverage coverage_;
  CoverageBook book_;
  std::uint64_t noted_revision_ = 0;
  WitnessRounds witness_;
  SlotHoleRounds slot_holes_;
  std::unique_ptr<BaselineScan> baseline_;
  /// How to scan on the present server.
  BaselineScan::Task scan_task_;
  bool scan_again_ = false;
  core::Instant scan_began_{};
  core::Instant next_scan_{};
  std::uint64_t decode_errors_ = 0;
  std::unique_ptr<Recheck> recheck_;
  /// Findings of the table rules that an earlier process told, for the recheck.
  std::vector<std::uint64_t> restored_;
  std::string read_back_copy_;
  core::LogTraits traits_;
  RecheckPlan recheck_plan_;
  std::string recheck_trouble_;
  /// Of the scan or the recheck.
  std::optional<postgres::Error> farewell_;
  std::optional<postgres::GuardState> guard_;
  bool baseline_told_ = false;
  std::optional<StreamLoop> stream_;
  std::unique_ptr<web::HttpServer> http_;

  core::StreamState state_ = core::StreamState::kConnecting;
  std::array<std::uint64_t, core::kDisconnects> disconnects_{};
  std::optional<postgres::Error> last_error_;
  std::string plugin_;
  std::string server_version_;
  postgres::SystemIdentity system_;
  struct Origin {
    core::CoverageOrigin coverage;
    /// When the server that was streamed from was started.
    std::string postmaster;
  } origin_;
  decoder::Lsn catch_up_target_;
  bool ever_attached_ = false;
  core::WatchMode mode_ = core::WatchMode::kStreaming;
  core::SlotReturn slot_return_{config_.poll.interval};
  core::PoisonWatch poison_;
  /// Why the next slot begins behind what was seen.
  std::optional<core::GapReason> pending_gap_;
  int walsender_pid_ = 0;
  core::Instant next_poll_{};
  std::uint64_t polls_ = 0;
  std::uint64_t fuse_blown_ = 0;
  bool dropped_by_stream_ = false;
  std::uint64_t slots_lost_ = 0;
  std::uint64_t poison_rows_ = 0;
  core::ConfigReload config_reload_;
  core::Instant started_{};
  std::optional<core::Instant> slot_in_use_since_;
  bool standing_by_ = false;
  core::Instant next_publish_{};
};

}  // namespace dupwatch::run
