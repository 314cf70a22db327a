#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "daemon/app/attach.hpp"
#include "daemon/app/baseline_scan.hpp"
#include "daemon/app/clock.hpp"
#include "daemon/app/config_reloader.hpp"
#include "daemon/app/event_fd.hpp"
#include "daemon/app/exit_code.hpp"
#include "daemon/app/finding_sink.hpp"
#include "daemon/app/heartbeat_pump.hpp"
#include "daemon/app/log.hpp"
#include "daemon/app/loop_waiter.hpp"
#include "daemon/app/own_slot.hpp"
#include "daemon/app/quarantine_pump.hpp"
#include "daemon/app/read_back_pump.hpp"
#include "daemon/app/recheck.hpp"
#include "daemon/app/service_manager.hpp"
#include "daemon/app/slot_monitor.hpp"
#include "daemon/app/stream_loop.hpp"
#include "daemon/core/backoff.hpp"
#include "daemon/core/config.hpp"
#include "daemon/core/coverage.hpp"
#include "daemon/core/lag_meter.hpp"
#include "daemon/core/slot_guard.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/web/http_server.hpp"
#include "daemon/web/status_board.hpp"

namespace dupwatch::app {

/// `dupwatch run`: attach, stream, and again after what heals. The loop thread owns everything but the web
/// server's threads and the baseline scan's, which meet it through StatusBoard and the scan's mailbox.
class Daemon {
 public:
  /// `load` reads the configuration again, on another thread.
  Daemon(core::Config config, StopSignals& stop, Log& log, ConfigReloader::Load load, ReloadSignal& reload);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Runs until SIGTERM or SIGINT (kClean) or until only a person can help.
  [[nodiscard]] ExitCode run();

 private:
  /// One connection's life; nullopt = stop was requested.
  [[nodiscard]] std::optional<postgres::Error> attach_and_stream();
  [[nodiscard]] std::optional<postgres::Error> start_stream(Attachment& attachment);
  void start_baseline(const Attachment& attachment);
  /// A poll's scan closes no gap: what happens between two of them stays unseen.
  enum class ScanFor : std::uint8_t { kGaps, kPoll };
  void begin_scan(core::Baseline scope, std::string snapshot, ScanFor purpose = ScanFor::kGaps);
  /// Opens gaps for what the turn shows, and scans for open ones when it can.
  void tick_coverage(Instant now);
  void scan_is_over(core::BaselineState state, Instant now);
  struct Recovery {
    /// Not kClean = end with it.
    ExitCode code = ExitCode::kClean;
    /// Stop was requested.
    bool stop = false;
  };
  /// After a failed attempt or stream: waits, polls, or mends the slot; then the next attempt may begin.
  [[nodiscard]] Recovery recover(const postgres::Error& error);
  [[nodiscard]] Recovery slot_given_up(const postgres::Error& error);
  [[nodiscard]] std::optional<postgres::Error> blown_fuse(const std::optional<postgres::SlotRow>& slot) const;
  [[nodiscard]] OwnSlot own_slot() const;
  /// False: stop was requested.
  [[nodiscard]] bool poll_until(Instant until);
  void tick_poll(Instant now);
  [[nodiscard]] bool may_be_poison(const postgres::Error& error) const;
  [[nodiscard]] Recovery step_over_poison(const postgres::Error& error);
  void prepare_scans(const Attachment& attachment);
  void note_server(const Attachment& attachment);
  /// kClean = try again after a pause.
  [[nodiscard]] ExitCode judge_error(const postgres::Error& error);
  [[nodiscard]] bool pause(const postgres::Error& error);
  /// Waits for the dupwatch that has the slot to be gone; false: stop was requested.
  [[nodiscard]] bool stand_by(const postgres::Error& error);

  void turn(Instant now);
  [[nodiscard]] Instant turn_deadline() const;
  void restore_from_file();
  /// Findings of an earlier process, which the watch knows by now.
  void take_restored(std::vector<core::Finding> findings);
  void collect_baseline(Instant now);
  void tick_recheck(Instant now);
  /// From the configuration in force on.
  void schedule_recheck(Instant now);
  /// Puts a configuration in force that was read anew.
  void tick_reload(Instant now);
  [[nodiscard]] core::ConfigChange put_in_force(const core::Config& wanted, Instant now);
  /// On a thread of the HTTP server.
  [[nodiscard]] web::Response reload_for_http();
  void publish(Instant now);
  [[nodiscard]] core::StatusSnapshot snapshot(Instant now) const;
  [[nodiscard]] std::string not_ready_reason(Instant now) const;
  /// Why the stream is to be begun anew although its connection holds.
  [[nodiscard]] std::optional<postgres::Error> judge_stream(const StreamFacts& facts, Instant now);
  void count_disconnect(const postgres::Error& error);

  /// Changed by put_in_force() alone, in what no other thread reads.
  core::Config config_;
  /// To the server that the slot is on.
  core::ConnectionConfig connection_{config_.connection};
  StopSignals& stop_;
  Log& log_;
  ServiceManager service_;
  const std::uint64_t seed_;
  web::StatusBoard board_;
  core::Watch watch_;
  core::LagMeter lag_;
  postgres::SqlClient sql_;
  FindingsTable table_;
  WebhookPump webhook_;
  EventFd wake_;
  QuarantinePump quarantine_;
  FindingSink sink_;
  ReadBackPump read_backs_;
  SlotMonitor monitor_;
  HeartbeatPump heartbeat_;
  ConfigReloader reloader_;
  LoopWaiter waiter_;
  core::Backoff backoff_;
  core::Coverage coverage_;
  std::unique_ptr<BaselineScan> baseline_;
  /// How to scan on the present server.
  BaselineScan::Task scan_task_;
  bool scan_again_ = false;
  Instant scan_began_{};
  Instant next_scan_{};
  std::uint64_t decode_errors_ = 0;
  bool table_in_trouble_ = false;
  std::unique_ptr<Recheck> recheck_;
  /// Findings of the table rules that an earlier process told, for the recheck.
  std::vector<std::uint64_t> restored_;
  std::string read_back_copy_;
  core::Engine ulid_engine_ = core::Engine::kV4;
  Instant next_recheck_ = Instant::max();
  std::string recheck_trouble_;
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
  decoder::Lsn catch_up_target_;
  bool ever_attached_ = false;
  core::WatchMode mode_ = core::WatchMode::kStreaming;
  core::SlotReturn slot_return_{config_.poll.interval};
  core::PoisonWatch poison_;
  /// Why the next slot begins behind what was seen.
  std::optional<core::GapReason> pending_gap_;
  int walsender_pid_ = 0;
  Instant next_poll_{};
  std::uint64_t polls_ = 0;
  std::uint64_t fuse_blown_ = 0;
  std::uint64_t slots_lost_ = 0;
  std::uint64_t poison_rows_ = 0;
  core::ConfigReload config_reload_;
  Instant started_{};
  std::optional<Instant> slot_in_use_since_;
  bool standing_by_ = false;
  Instant next_publish_{};
};

}  // namespace dupwatch::app
