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

struct Hole {
  core::SlotNumbers::Gap gap;
  std::optional<core::Engine> own;
};
/// By run.
using Holes = std::map<std::string, Hole, std::less<>>;

}  // namespace

SlotHoleRounds::SlotHoleRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql)
    : config_(config), watch_(watch), sql_(sql), doubts_(config, watch, sql) {}

void SlotHoleRounds::tick(core::Instant now) {
  doubts_.tick(now);
  if (busy_) return;
  auto runs = std::make_shared<std::vector<std::string>>(watch_.slot_holes().due(now, kRunsMax));
  if (runs->empty()) return;
  auto holes = std::make_shared<Holes>();
  busy_ = sql_.submit(
      {.text = postgres::slot_gaps_of_query(config_.profile, specs_, key_types_),
       .params = {postgres::array_literal(*runs)},
       // Of several holes of a run the first one counts.
       .on_row =
           [holes](const pg_result& result, int row) {
             const Hole hole{.gap = {.before = cell_text(result, row, 2), .after = cell_text(result, row, 1)},
                             .own = core::engine_of_spec(core::spec_of(cell_text(result, row, 3)))};
             const auto [known, added] = holes->emplace(cell_text(result, row, 0), hole);
             if (!added && hole.gap.after < known->second.gap.after) known->second = hole;
           },
       .on_done =
           [this, runs, holes](const std::optional<postgres::Error>& error) {
             busy_ = false;
             const auto answered = process::steady_now();
             for (const auto& run : *runs) {
               const auto hole = holes->find(run);
               if (error) {
                 watch_.slot_holes().unanswered(run, answered);
               } else if (hole == holes->end()) {
                 watch_.slot_hole_seen(run, std::nullopt, std::nullopt, answered);
               } else {
                 watch_.slot_hole_seen(run, hole->second.gap, hole->second.own, answered);
               }
             }
           }});
  if (busy_) return;
  for (const auto& run : *runs) watch_.slot_holes().unanswered(run, now);
}

}  // namespace dupwatch::run
