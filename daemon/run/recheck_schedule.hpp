#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/core/life_cycle.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/run/finding_delivery.hpp"
#include "daemon/run/recheck.hpp"
#include "daemon/run/recheck_plan.hpp"
#include "daemon/run/server_watch.hpp"
#include "daemon/run/source.hpp"
#include "daemon/run/status_part.hpp"
#include "daemon/run/table_scans.hpp"

namespace dupwatch::run {

/// Has the tables looked at again at intervals and when somebody asks, and hands on what was seen. Owned by
/// the loop thread.
class RecheckSchedule final : public StatusPart {
 public:
  struct Parts {
    const Source& source;
    const core::LifeCycle& life;
    core::Watch& watch;
    FindingDelivery& findings;
    ServerWatch& server;
    const TableScans& scans;
    process::EventFd& wake;
    process::Log& log;
  };
  RecheckSchedule(const core::Config& config, Parts parts) : config_(config), parts_(parts) {}

  void streaming(core::Instant now) {
    if (!recheck_) interval_changed(now);
  }
  /// From recheck.interval on as it is now.
  void interval_changed(core::Instant now);
  /// All runs with findings are to be looked at as soon as may be.
  void hurry(core::Instant now) noexcept {
    plan_.hurry(now, parts_.watch.reported().runs() / Recheck::kRunsMax + 1);
  }
  void turn(core::Instant now);
  [[nodiscard]] bool busy() const { return recheck_ && recheck_->busy(); }
  [[nodiscard]] core::Instant deadline() const noexcept { return plan_.deadline(); }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

 private:
  void take(Recheck::Answers answers);

  const core::Config& config_;
  Parts parts_;
  RecheckPlan plan_;
  std::unique_ptr<Recheck> recheck_;
  /// What was said last.
  std::string told_;
  /// Of `dupwatch guard`, as of the last look.
  std::optional<postgres::GuardState> guard_;
};

}  // namespace dupwatch::run
