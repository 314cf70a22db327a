#pragma once

#include <cstdint>

#include "daemon/core/life_cycle.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/event_fd.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/finding_delivery.hpp"
#include "daemon/run/slot_monitor.hpp"
#include "daemon/run/table_scans.hpp"

namespace dupwatch::run {

/// What is done in place of streaming while there is no slot: the open runs are scanned every poll.interval.
/// Owned by the loop thread.
class PollRounds {
 public:
  struct Parts {
    core::LifeCycle& life;
    postgres::SqlClient& sql;
    SlotMonitor& monitor;
    FindingDelivery& findings;
    TableScans& scans;
    process::EventFd& wake;
    process::Log& log;
  };
  PollRounds(const core::Config& config, Parts parts) : config_(config), parts_(parts) {}

  /// There is no slot, and the next one may be made at `until`. False: stop was requested.
  [[nodiscard]] bool wait(core::Instant until, postgres::Waiter& waiter);
  /// Begins the scan that is due, also while the next slot's creation waits for open transactions. The new
  /// slot's own scan ends this.
  void turn(core::Instant now);
  /// poll.interval may be another.
  void interval_changed(core::Instant now);
  /// Scans begun.
  [[nodiscard]] std::uint64_t scans() const noexcept { return scans_; }

 private:
  const core::Config& config_;
  Parts parts_;
  core::Instant next_{};
  std::uint64_t scans_ = 0;
};

}  // namespace dupwatch::run
