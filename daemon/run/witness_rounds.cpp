#include "daemon/run/witness_rounds.hpp"

#include <fmt/format.h>

#include <memory>

#include "daemon/process/clock.hpp"
#include "daemon/run/cell_text.hpp"
#include "daemon/run/round_answer.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::run {
namespace {

constexpr std::chrono::seconds kInterval{3};

}  // namespace

WitnessRounds::WitnessRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql)
    : config_(config), watch_(watch), sql_(sql), pace_(kInterval) {}

void WitnessRounds::started(const postgres::TableForm& table, bool xmin, core::Instant now) {
  table_ = table;
  xmin_ = xmin;
  pages_.reset();
  seen_to_ = {};
  moved_ = false;
  pace_.started(now, std::chrono::milliseconds{0});
}

void WitnessRounds::tick(core::Instant now) {
  if (busy_ || !pace_.due(now)) return;
  pace_.asked(now);
  if (pages_ && moved_) ask_tail(now);
  ask_moment(now);
}

void WitnessRounds::ask_tail(core::Instant now) {
  (void)sql_.submit({.text = postgres::tail_query(config_.profile),
                     .params = {postgres::tail_place(*pages_)},
                     .on_row =
                         [this, now](const pg_result& result, int row) {
                           const table::TableRow shown(config_.profile, result, row);
                           watch_.table_row(shown.run_id(), shown.id(), shown.type(), shown.identity(),
                                            shown.commit().xid, now);
                         },
                     .on_done = [this](const std::optional<postgres::Error>& error) { note(error); }});
}

void WitnessRounds::ask_moment(core::Instant now) {
  auto moment = std::make_shared<std::optional<postgres::TableMoment>>();
  const auto asked = watch_.received();
  busy_ = sql_.submit(
      {.text = postgres::moment_query(),
       .params = {config_.profile.schema, config_.profile.table},
       .on_row = [moment](const pg_result& result, int row) { *moment = postgres::read_moment(result, row); },
       .on_done =
           [this, moment, asked, now](const std::optional<postgres::Error>& error) {
             busy_ = false;
             note(error);
             if (!error && *moment) moment_known(**moment, asked, now);
             if (!busy_) round_is_over();
           }});
}

void WitnessRounds::moment_known(const postgres::TableMoment& moment, decoder::Lsn asked, core::Instant now) {
  pages_ = xmin_ ? moment.pages : std::nullopt;
  moved_ = moment.moment.lsn != std::exchange(seen_to_, moment.moment.lsn);
  watch_.witness().at(moment.moment, asked, now);
  watch_.server_wal(moment.moment.lsn, now);
  ask_pairs(now);
  judge(now);
}

void WitnessRounds::ask_pairs(core::Instant now) {
  if (!postgres::can_ask_pairs(config_.profile, table_)) return;
  const auto rows = watch_.witness().to_ask();
  if (rows.empty()) return;
  std::vector<std::string> runs;
  std::vector<std::string> ids;
  for (const auto& row : rows) {
    runs.push_back(row.run_id);
    ids.push_back(row.id);
  }
  auto shown = std::make_shared<std::vector<core::Witness::Row>>();
  busy_ = sql_.submit({.text = postgres::pairs_query(config_.profile, table_),
                       .params = {postgres::array_literal(runs), postgres::array_literal(ids)},
                       .on_row =
                           [shown](const pg_result& result, int row) {
                             shown->push_back(
                                 {.run_id = cell_text(result, row, 0), .id = cell_text(result, row, 1)});
                           },
                       .on_done =
                           [this, shown, now](const std::optional<postgres::Error>& error) {
                             busy_ = false;
                             note(error);
                             if (!error) {
                               watch_.witness().answered(*shown, now);
                               judge(now);
                             }
                             round_is_over();
                           }});
}

void WitnessRounds::note(const std::optional<postgres::Error>& error) {
  if (!failed_) failed_ = error;
}

void WitnessRounds::round_is_over() {
  note_answer(pace_, std::exchange(failed_, std::nullopt), process::steady_now());
}

std::string WitnessRounds::trouble(core::Instant now) const {
  const auto silence = pace_.silence(now, core::RoundPace::kSilenceMax);
  if (!silence) return {};
  return fmt::format("stream and table have not been compared for {} s: {}", silence->count(), pace_.why());
}

void WitnessRounds::judge(core::Instant now) {
  for (auto& verdict : watch_.witness().judge(watch_.judged(), now)) verdicts_.push_back(std::move(verdict));
}

}  // namespace dupwatch::run
