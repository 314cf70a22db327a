#include "daemon/run/slot_hole_rounds.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "daemon/postgres/entity_queries.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/run/cell_text.hpp"

namespace dupwatch::run {
namespace {

using Gaps = std::map<std::string, core::SlotNumbers::Gap, std::less<>>;

}  // namespace

SlotHoleRounds::SlotHoleRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql)
    : config_(config), watch_(watch), sql_(sql), doubts_(config, watch, sql) {}

void SlotHoleRounds::tick(core::Instant now) {
  doubts_.tick(now);
  if (busy_) return;
  auto runs = std::make_shared<std::vector<std::string>>(watch_.slot_holes().due(now, kRunsMax));
  if (runs->empty()) return;
  auto gaps = std::make_shared<Gaps>();
  busy_ = sql_.submit({.text = postgres::slot_gaps_of_query(config_.profile),
                       .params = {postgres::array_literal(*runs)},
                       // Of several holes of a run the first one counts.
                       .on_row =
                           [gaps](const pg_result& result, int row) {
                             const core::SlotNumbers::Gap gap{.before = cell_text(result, row, 2),
                                                              .after = cell_text(result, row, 1)};
                             const auto [known, added] = gaps->emplace(cell_text(result, row, 0), gap);
                             if (!added && gap.after < known->second.after) known->second = gap;
                           },
                       .on_done =
                           [this, runs, gaps](const std::optional<postgres::Error>& error) {
                             busy_ = false;
                             const auto answered = process::steady_now();
                             for (const auto& run : *runs) {
                               const auto gap = gaps->find(run);
                               if (error) {
                                 watch_.slot_holes().unanswered(run, answered);
                               } else {
                                 watch_.slot_hole_seen(
                                     run, gap == gaps->end() ? std::nullopt : std::optional(gap->second),
                                     answered);
                               }
                             }
                           }});
  if (busy_) return;
  for (const auto& run : *runs) watch_.slot_holes().unanswered(run, now);
}

}  // namespace dupwatch::run
