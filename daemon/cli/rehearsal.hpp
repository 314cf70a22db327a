#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/process/program.hpp"
#include "daemon/table/judged_run.hpp"
#include "daemon/table/repair_plan.hpp"

namespace dupwatch::cli {

/// A run's log judged as it would be after its repair plan, by the rules and by the engine that somebody has
/// at hand.
struct Rehearsal {
  enum class Outcome : std::uint8_t { kLives, kRejected, kUnknown };

  /// They leave the log; empty: there is no plan.
  table::JudgedRun::RowIds rows;
  Outcome rules = Outcome::kUnknown;
  /// nullopt = no engine was asked.
  std::optional<Outcome> engine;
  /// What it said last.
  std::string engine_says;

  /// Everybody who was asked says that the run lives.
  [[nodiscard]] bool lives() const noexcept;
};

/// `command` is called with `--run RUN_ID --without ID,...` and ends with 0 if the run lives without these
/// rows, with 1 if the engine rejects its log, with anything else if that can't be told; empty: no engine is
/// asked.
[[nodiscard]] Rehearsal rehearse(const table::JudgedRun& story, const table::RepairPlan& plan,
                                 const std::string& command);

/// For people, in whole lines.
[[nodiscard]] std::string rehearsal_text(const Rehearsal& rehearsal);
[[nodiscard]] std::string rehearsal_json(const Rehearsal& rehearsal);

}  // namespace dupwatch::cli
