#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/core/config.hpp"
#include "daemon/core/coverage.hpp"
#include "daemon/core/lag_meter.hpp"
#include "daemon/core/round_pace.hpp"
#include "daemon/core/slot_guard.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/postgres/table_form.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// Asks the catalogue at intervals how the slot is and whether the watched table is still one that can be
/// watched, and the one the stream was started for: a rename under wal2json, a drop and re-create under
/// pgoutput, a publication that lets less through or row-level security silence a stream or our own queries
/// without any error. Owned by the loop thread.
class SlotMonitor final : public StatusPart {
 public:
  SlotMonitor(const core::Config& config, postgres::SqlClient& sql, core::LagMeter& lag, process::Log& log);

  /// The stream has (re)started with this table.
  void started(decoder::Plugin plugin, postgres::TableForm table, core::Instant now);
  void tick(core::Instant now);
  /// The catalogue does not say how the slot is.
  [[nodiscard]] bool slot_unknown() const noexcept { return !slot_pace_.why().empty(); }
  /// What the stream alone tells meanwhile: the slot holds back at least so much.
  void note_held_back(std::int64_t bytes);
  /// There is no slot: what was known of the last one is forgotten.
  void no_slot();
  /// Until the fuse or the server takes the slot, at the rate of the last minutes; nullopt: not on its way.
  [[nodiscard]] std::optional<double> seconds_to_lost() const;
  [[nodiscard]] core::Instant deadline() const noexcept {
    return std::min(slot_pace_.deadline(), table_pace_.deadline());
  }

  [[nodiscard]] const std::optional<postgres::SlotRow>& slot() const noexcept { return slot_; }
  /// Empty: the table can be watched. Otherwise why not, a sentence; lasts until it is put right.
  [[nodiscard]] const std::string& table_trouble() const noexcept { return table_trouble_; }
  /// Why the watch has a gap since the last call: trouble that began, or a change that is over already, such
  /// as a table that was replaced.
  [[nodiscard]] std::optional<core::GapReason> take_gap() noexcept {
    return std::exchange(gap_, std::nullopt);
  }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant now) const override;

 private:
  void ask_slot(core::Instant now);
  void ask_table(core::Instant now);
  void table_seen(const std::optional<postgres::TableForm>& seen);
  /// The filter of a publication is judged by the server, when it is another than the last time.
  void ask_filter(const postgres::TableForm& seen);
  void judge(const std::optional<postgres::TableForm>& seen);
  void note_replacement(const postgres::TableForm& seen);
  void ask_new_partitions(const postgres::TableForm& seen);
  void changed(std::string_view what);

  const core::Config& config_;
  postgres::SqlClient& sql_;
  core::LagMeter& lag_;
  process::Log& log_;
  decoder::Plugin plugin_ = decoder::Plugin::kWal2json;
  postgres::TableForm expected_;
  /// The filter that filter_loss_ is about.
  std::string judged_filter_;
  std::optional<std::string> filter_loss_;
  std::optional<core::GapReason> gap_;
  std::optional<postgres::SlotRow> slot_;
  core::RetentionTrend trend_;
  std::string table_trouble_;
  bool slot_asked_ = false;
  bool table_asked_ = false;
  core::RoundPace slot_pace_;
  core::RoundPace table_pace_;
};

}  // namespace dupwatch::run
