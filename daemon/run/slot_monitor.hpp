#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/core/lag_meter.hpp"
#include "daemon/core/slot_guard.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"

namespace dupwatch::run {

/// Asks the catalogue at intervals how the slot is and whether the watched table is still the one the stream
/// was started for: a rename under wal2json, a drop and re-create under pgoutput or a table that left the
/// publication silence a stream without any error. Owned by the loop thread.
class SlotMonitor {
 public:
  SlotMonitor(const core::Config& config, postgres::SqlClient& sql, core::LagMeter& lag, process::Log& log);

  /// The stream has (re)started with this table.
  void started(decoder::Plugin plugin, postgres::TableIdentity table, core::Instant now);
  void tick(core::Instant now);
  /// There is no slot: what was known of the last one is forgotten.
  void no_slot();
  /// Until the fuse or the server takes the slot, at the rate of the last minutes; nullopt: not on its way.
  [[nodiscard]] std::optional<double> seconds_to_lost() const;
  [[nodiscard]] core::Instant deadline() const noexcept { return std::min(next_slot_, next_table_); }

  [[nodiscard]] const std::optional<postgres::SlotRow>& slot() const noexcept { return slot_; }
  /// Empty: the table is what it was. Otherwise what changed, a sentence.
  [[nodiscard]] const std::string& table_trouble() const noexcept { return table_trouble_; }

 private:
  void ask_slot(core::Instant now);
  void ask_table(core::Instant now);
  void table_seen(const std::optional<postgres::TableIdentity>& seen);

  const core::Config& config_;
  postgres::SqlClient& sql_;
  core::LagMeter& lag_;
  process::Log& log_;
  decoder::Plugin plugin_ = decoder::Plugin::kWal2json;
  postgres::TableIdentity expected_;
  std::optional<postgres::SlotRow> slot_;
  core::RetentionTrend trend_;
  std::string table_trouble_;
  bool slot_asked_ = false;
  bool table_asked_ = false;
  core::Instant next_slot_ = core::Instant::max();
  core::Instant next_table_ = core::Instant::max();
};

}  // namespace dupwatch::run
