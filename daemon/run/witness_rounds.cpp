#include "daemon/run/witness_rounds.hpp"

#include <memory>

#include "daemon/process/clock.hpp"
#include "daemon/run/cell_text.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::run {
namespace {

constexpr std::chrono::seconds kInterval{3};

}  // namespace

WitnessRounds::WitnessRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql)
    : config_(config), watch_(watch), sql_(sql) {}

void WitnessRounds::started(const postgres::TableForm& table, bool xmin, core::Instant now) {
  table_ = table;
  xmin_ = xmin;
  pages_.reset();
  seen_to_ = {};
  moved_ = false;
  next_ = now;
}

void WitnessRounds::tick(core::Instant now) {
  if (busy_ || now < next_) return;
  next_ = now + kInterval;
  if (pages_ && moved_) ask_tail(now);
  ask_moment(now);
}

void WitnessRounds::ask_tail(core::Instant now) {
  // A round without an answer shows nothing; the next one asks again.
  (void)sql_.submit({.text = postgres::tail_query(config_.profile),
                     .params = {postgres::tail_place(*pages_)},
                     .on_row =
                         [this, now](const pg_result& result, int row) {
                           const table::TableRow shown(config_.profile, result, row);
                           watch_.table_row(shown.run_id(), shown.id(), shown.type(), shown.identity(),
                                            shown.commit().xid, now);
                         },
                     .on_done = [](const std::optional<postgres::Error>&) {}});
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
             if (!error && *moment) moment_known(**moment, asked, now);
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
                             if (error) return;
                             watch_.witness().answered(*shown, now);
                             judge(now);
                           }});
}

void WitnessRounds::judge(core::Instant now) {
  for (auto& verdict : watch_.witness().judge(watch_.judged(), now)) verdicts_.push_back(std::move(verdict));
}

}  // namespace dupwatch::run
