#pragma once

#include <string>

#include "daemon/core/life_cycle.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/recheck_schedule.hpp"
#include "daemon/run/schema_rounds.hpp"
#include "daemon/run/source.hpp"
#include "daemon/run/status_part.hpp"
#include "daemon/run/table_scans.hpp"

namespace dupwatch::run {

/// Notices that the engine is upgraded under us, and has judged again what that changes. Owned by the loop
/// thread.
class UpgradeWatch final : public StatusPart {
 public:
  struct Parts {
    /// Its traits follow the engine.
    Source& source;
    const core::LifeCycle& life;
    core::Watch& watch;
    TableScans& scans;
    RecheckSchedule& recheck;
  };
  UpgradeWatch(const core::Config& config, postgres::SqlClient& sql, process::Log& log, Parts parts)
      : config_(config), log_(log), parts_(parts), rounds_(config, parts.watch, sql, log) {}

  /// An attachment found these; `first`: it is the first one.
  void attached(const core::LogTraits& traits, bool first);
  void streaming(const postgres::TableForm& table, core::Instant now) {
    rounds_.started(table, parts_.source.traits.specs, now);
  }
  void turn(core::Instant now);
  [[nodiscard]] core::Instant deadline() const noexcept { return rounds_.deadline(); }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

 private:
  void log_engines() const;

  const core::Config& config_;
  process::Log& log_;
  Parts parts_;
  SchemaRounds rounds_;
};

}  // namespace dupwatch::run
