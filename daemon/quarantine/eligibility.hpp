#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "daemon/core/engine.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/quarantine_stats.hpp"

/// Which row may be taken out of the log. Pure; the act checks the table once more, under its lock.
namespace dupwatch::quarantine {

using Refusal = core::QuarantineRefusal;
/// A sentence for people.
[[nodiscard]] std::string_view explanation(Refusal refusal) noexcept;

/// nullopt: the row at fault may be removed. `slot_numbered`: some id of the run is a slot number.
[[nodiscard]] std::optional<Refusal> refusal(const core::Finding& finding, bool slot_numbered) noexcept;

/// nullopt: the row at fault may become a noop in its place. `engine`: of the configuration; the schema does
/// not tell an engine that reads noop (5.0.0-beta.47) from one that fails on it (beta.41).
[[nodiscard]] std::optional<Refusal> noop_refusal(const core::Finding& finding, bool slot_numbered,
                                                  std::optional<core::Engine> engine) noexcept;

/// An event as those migrations look at it.
struct LogRow {
  std::string_view id;
  std::string_view type;
  std::optional<std::string_view> correlation_id;
};
/// The row that would stay, the finding's canonical one, sorts before the row that begins its entity (a clock
/// that was wrong): replay fails on it, whatever else is taken out. `run` holds all rows of the run.
[[nodiscard]] bool canonical_is_misplaced(const core::Finding& finding, std::span<const LogRow> run,
                                          const core::Profile& profile) noexcept;
/// Whether a person may clear row `id` out of the way of the migrations, be it fatal or not and whether or
/// not the run goes on: nullopt when they would delete a row of its identity or fail on it, and a row of that
/// identity sorts before this one. `run` holds all rows of the run, `id` among them.
[[nodiscard]] std::optional<Refusal> migration_refusal(std::span<const LogRow> run, std::string_view id,
                                                       bool slot_numbered) noexcept;

}  // namespace dupwatch::quarantine
