#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "daemon/core/life_cycle.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/attach.hpp"
#include "daemon/run/baseline_scan.hpp"
#include "daemon/run/coverage_keeper.hpp"
#include "daemon/run/scan_plan.hpp"
#include "daemon/run/server_watch.hpp"
#include "daemon/run/source.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// Has the table scanned for what the stream did not show: rows of before the first start, open gaps, and
/// open runs while there is no slot. One scan at a time. Owned by the loop thread.
class TableScans final : public StatusPart {
 public:
  TableScans(const core::Config& config, const core::LifeCycle& life, core::Watch& watch,
             CoverageKeeper& coverage, ServerWatch& server, process::EventFd& wake, process::Log& log);

  /// How to scan from now on.
  void prepare(const Attachment& attachment, const Source& source);
  /// Begins the scan that a start or reconnect asks for.
  void stream_starts(const Attachment& attachment);
  /// Waits until the slot's snapshot is taken over, where a scan uses it: it is gone with the next command on
  /// the connection that made it.
  [[nodiscard]] std::optional<postgres::Error> take_snapshot(postgres::Waiter& waiter);
  /// Scans the open runs, by whichever server is up. It closes no gap: what happens between two such scans
  /// stays unseen.
  void poll();
  /// The engine was upgraded: open runs are judged again for these, though nothing went unseen.
  void judge_again(const core::LogTraits& traits);
  /// The server goes down and waits for its sessions to end.
  void leave_server();

  /// Hands on what was found, and what became of the scan.
  void collect(core::Instant now);
  /// Scans for open gaps when it can. `trouble`: the table can't be watched just now.
  void turn(bool trouble, core::Instant now);

  [[nodiscard]] bool running() const;
  /// The pause after the last scan is over, and none is running.
  [[nodiscard]] bool may_begin(core::Instant now) const { return !running() && plan_.may_begin(now); }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant now) const override;

 private:
  enum class Closes : std::uint8_t { kGaps, kNothing };
  void begin(core::Baseline scope, std::string snapshot, Closes closes, core::ConnectionConfig connection);
  void begin(core::Baseline scope, std::string snapshot);
  void take_findings();
  /// Another server than before answers: what the one before shows is no evidence here.
  void forget_unfinished();
  void is_over(core::BaselineState state, core::Instant now);

  const core::Config& config_;
  const core::LifeCycle& life_;
  core::Watch& watch_;
  core::Coverage& coverage_;
  CoverageKeeper& keeper_;
  ServerWatch& server_;
  process::EventFd& wake_;
  process::Log& log_;
  /// How to scan on the present server.
  BaselineScan::Task task_;
  ScanPlan plan_;
  std::unique_ptr<BaselineScan> scan_;
  /// What became of scan_ was said.
  bool told_ = false;
};

}  // namespace dupwatch::run
