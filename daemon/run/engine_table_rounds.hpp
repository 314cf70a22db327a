#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/engine_tables.hpp"
#include "daemon/postgres/engine_table_queries.hpp"
#include "daemon/postgres/sql_client.hpp"
#include "daemon/process/log.hpp"
#include "daemon/run/status_part.hpp"

namespace dupwatch::run {

/// Looks every recheck.interval at the engine's tables beside the log, where dupwatch may read them, and says
/// what goes wrong there. It is no finding, and nothing waits for it. On the query connection; owned by the
/// loop thread.
class EngineTableRounds final : public StatusPart {
 public:
  EngineTableRounds(const core::Config& config, postgres::SqlClient& sql, process::Log& log)
      : config_(config), sql_(sql), log_(log) {}

  /// A stream begins.
  void streaming(core::Instant now) noexcept { next_ = now; }
  void turn(core::Instant now);
  [[nodiscard]] core::Instant deadline() const noexcept {
    return busy_ || !applies() ? core::Instant::max() : next_;
  }

  void describe(core::StatusSnapshot& out, core::Instant now) const override;
  [[nodiscard]] std::string trouble(core::Instant /*now*/) const override { return {}; }

 private:
  /// So many without an answer, and nothing is shown any more.
  static constexpr int kLooksMissed = 3;

  [[nodiscard]] bool applies() const noexcept {
    return config_.profile.runs && config_.recheck.interval.count() != 0;
  }
  void ask_tables();
  /// The next of them that may be read, from this one on.
  void ask(std::size_t kind);
  /// Which tables are left out, when that changes.
  void tell_unread(const postgres::EngineTables& tables);
  void tell(core::EngineTableTrouble kind, const core::EngineTableRow& row);

  const core::Config& config_;
  postgres::SqlClient& sql_;
  process::Log& log_;
  postgres::EngineTables tables_;
  core::EngineTableBook book_;
  /// When the last look was answered.
  std::optional<core::Instant> looked_;
  bool busy_ = false;
  core::Instant next_ = core::Instant::max();
};

}  // namespace dupwatch::run
