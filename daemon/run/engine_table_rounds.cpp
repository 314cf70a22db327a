#include "daemon/run/engine_table_rounds.hpp"

#include <string_view>
#include <utility>

#include "daemon/process/clock.hpp"
#include "daemon/run/cell_text.hpp"

namespace dupwatch::run {

void EngineTableRounds::turn(core::Instant now) {
  if (busy_ || !applies() || now < next_) return;
  next_ = now + config_.recheck.interval;
  ask_tables();
}

void EngineTableRounds::ask_tables() {
  auto looked = std::make_shared<postgres::EngineTables>();
  busy_ = sql_.submit({.text = postgres::engine_tables_query(),
                       .params = {config_.profile.runs->schema},
                       .on_row = [looked](const pg_result& result,
                                          int row) { *looked = postgres::read_engine_tables(result, row); },
                       .on_done =
                           [this, looked](const std::optional<postgres::Error>& error) {
                             busy_ = false;
                             if (error) return;
                             if (looked->readable != tables_.readable || !looked_) tell_unread(*looked);
                             looked_ = process::steady_now();
                             tables_ = *looked;
                             ask(0);
                           }});
}

void EngineTableRounds::ask(std::size_t kind) {
  busy_ = false;
  if (kind == core::kEngineTableTroubles) return;
  const auto trouble = static_cast<core::EngineTableTrouble>(kind);
  if (!tables_.readable.at(kind)) {
    book_.unreadable(trouble);
    ask(kind + 1);
    return;
  }
  auto rows = std::make_shared<std::vector<core::EngineTableRow>>();
  busy_ = sql_.submit({.text = postgres::engine_trouble_query(trouble, config_.profile, tables_),
                       .params = {},
                       .on_row =
                           [rows](const pg_result& result, int row) {
                             rows->push_back(
                                 {.run_id = cell_text(result, row, 0), .what = cell_text(result, row, 1)});
                           },
                       .on_done =
                           [this, kind, trouble, rows](const std::optional<postgres::Error>& error) {
                             if (error) {
                               book_.unreadable(trouble);
                             } else {
                               for (const auto& row : book_.seen(trouble, std::move(*rows)))
                                 tell(trouble, row);
                             }
                             ask(kind + 1);
                           }});
}

void EngineTableRounds::tell_unread(const postgres::EngineTables& tables) {
  std::string unread;
  for (std::size_t kind = 0; kind < core::kEngineTableTroubles; ++kind) {
    if (tables.readable.at(kind)) continue;
    unread +=
        (unread.empty() ? "" : ", ") + std::string(to_string(static_cast<core::EngineTableTrouble>(kind)));
  }
  if (unread.empty()) return;
  log_.info("some of the engine's tables beside the log are not watched",
            {{"event", "engine_tables"},
             {"unwatched", unread},
             {"remedy", "if the engine has them: grant what the guide's page on repeated work lists"}});
}

void EngineTableRounds::tell(core::EngineTableTrouble kind, const core::EngineTableRow& row) {
  log_.warn(
      std::string(core::meaning_of(kind)),
      {{"event", "engine_table"},
       {"kind", std::string(core::to_string(kind))},
       {"run_id", row.run_id},
       {"what", row.what},
       {"remedy", std::string(core::remedy_of(kind)) + " (dupwatch alerts --runbook DupwatchEngineTables)"}});
}

/// A look that is long ago says nothing of now.
void EngineTableRounds::describe(core::StatusSnapshot& out, core::Instant now) const {
  if (!looked_ || now - *looked_ > kLooksMissed * config_.recheck.interval) return;
  book_.describe(out.engine_tables);
  out.engine_tables.jobs = tables_.jobs;
}

}  // namespace dupwatch::run
