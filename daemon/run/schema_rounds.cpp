#include "daemon/run/schema_rounds.hpp"

#include <fmt/format.h>

#include <string>

#include "daemon/postgres/scan_queries.hpp"
#include "daemon/postgres/upgrade_queries.hpp"
#include "daemon/postgres/witness_queries.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/run/cell_text.hpp"
#include "daemon/run/round_answer.hpp"

namespace dupwatch::run {

using OnError = const std::optional<postgres::Error>&;

SchemaRounds::SchemaRounds(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql,
                           process::Log& log)
    : config_(config), watch_(watch), sql_(sql), log_(log) {}

void SchemaRounds::started(postgres::TableForm table, core::SpecSource specs, core::Instant now) {
  table_ = std::move(table);
  specs_ = specs;
  pace_.started(now, core::Milliseconds{0});
}

void SchemaRounds::tick(core::Instant now) {
  if (!applies()) return;
  if (passing_) {
    if (now < next_) return;
    next_ = now + kPause;
    passed(now);
    return;
  }
  if (busy_) return;
  const auto relations = watch_.counters().relations;
  if (relations != relations_) pace_.hurry(asked_ + kPause);
  if (!pace_.due(now)) return;
  relations_ = relations;
  asked_ = now;
  pace_.asked(now);
  ask_schema();
}

void SchemaRounds::ask_schema() {
  auto look = std::make_shared<core::SchemaLook>();
  busy_ = sql_.submit({.text = postgres::schema_query(),
                       .params = postgres::schema_query_params(config_.profile),
                       .on_row = [look](const pg_result& result,
                                        int row) { postgres::read_schema_row(result, row, look->schema); },
                       .on_done =
                           [this, look](OnError error) {
                             if (error) {
                               not_seen(error);
                             } else {
                               ask_signs(look);
                             }
                           }});
}

void SchemaRounds::ask_signs(const Look& look) {
  auto readable = std::make_shared<bool>(false);
  busy_ = sql_.submit({.text = postgres::engine_signs_query(),
                       .params = postgres::engine_signs_params(*config_.profile.runs),
                       .on_row =
                           [this, look, readable](const pg_result& result, int row) {
                             const auto found = postgres::read_engine_signs(result, row);
                             look->signs = found.signs;
                             look->signs.specs = specs_;
                             *readable = found.specs_readable;
                           },
                       .on_done =
                           [this, look, readable](OnError error) {
                             if (error) {
                               not_seen(error);
                             } else if (*readable) {
                               ask_specs(look);
                             } else {
                               seen(look);
                             }
                           }});
}

void SchemaRounds::ask_specs(const Look& look) {
  busy_ = sql_.submit(
      {.text = postgres::newest_specs_query(*config_.profile.runs),
       .params = {},
       .on_row = [look](const pg_result& result, int row) { postgres::read_specs(result, row, look->signs); },
       .on_done =
           [this, look](OnError error) {
             if (error) {
               not_seen(error);
             } else {
               seen(look);
             }
           }});
}

void SchemaRounds::not_seen(OnError error) {
  busy_ = false;
  note_answer(pace_, error, process::steady_now());
}

void SchemaRounds::seen(const Look& look) {
  busy_ = false;
  const auto now = process::steady_now();
  pace_.answered(now);
  if (history_.last() && history_.last()->schema != look->schema && unconfirmed_ != look->schema) {
    unconfirmed_ = look->schema;
    pace_.hurry(now + kPause);
    return;
  }
  unconfirmed_.reset();
  const auto since = std::exchange(answered_, asked_);
  const auto before = history_.last();
  auto change = history_.compare(*look, process::wall_now());
  const auto engines = core::auto_engines(look->signs);
  if (change && core::may_have_deleted(before->schema, look->schema)) {
    next_ = process::steady_now();
    passing_ = Passing{.change = *std::move(change),
                       .engines = engines,
                       .since = process::steady_now(),
                       .before = since,
                       .position = {}};
    ask_position();
    return;
  }
  news_ = News{.engines = engines, .deleted = news_ && news_->deleted};
  if (change) tell(*std::move(change));
}

void SchemaRounds::ask_position() {
  const bool sent = sql_.submit({.text = postgres::moment_query(),
                                 .params = {config_.profile.schema, config_.profile.table},
                                 .on_row =
                                     [this](const pg_result& result, int row) {
                                       if (passing_)
                                         passing_->position = postgres::read_moment(result, row).moment.lsn;
                                     },
                                 .on_done = [](OnError) {}});
  if (!sent) passing_->since = {};
}

void SchemaRounds::passed(core::Instant now) {
  const bool there = passing_->position.valid() && watch_.judged() >= passing_->position;
  if (!there && now - passing_->since < kPatience) return;
  auto passing = *std::exchange(passing_, std::nullopt);
  news_ = News{.engines = passing.engines, .deleted = true};
  auto& change = passing.change;
  if (!postgres::can_ask_pairs(config_.profile, table_)) {
    tell(std::move(change));
    return;
  }
  auto known = watch_.reported().duplicates(kDuplicatesMax + 1, passing.before);
  change.losses = core::RowLosses{.all = known.size() <= kDuplicatesMax};
  known.resize(std::min(known.size(), kDuplicatesMax));
  search(std::make_shared<Search>(Search{.change = std::move(change), .known = std::move(known)}));
}

void SchemaRounds::search(const std::shared_ptr<Search>& search) {
  auto& change = search->change;
  if (search->asked == search->known.size()) {
    const bool all = change.losses->all;
    change.losses = core::count_losses(search->known, search->present);
    change.losses->all = all;
    tell(std::move(change));
    return;
  }
  std::vector<std::string> runs;
  std::vector<std::string> ids;
  const auto to = std::min(search->asked + kAskedMax, search->known.size());
  for (; search->asked < to; ++search->asked) {
    const auto& row = search->known[search->asked];
    runs.push_back(row.run_id);
    ids.push_back(row.canonical_id);
    ids.push_back(row.duplicate_id);
  }
  const bool sent =
      sql_.submit({.text = postgres::pairs_query(config_.profile, table_),
                   .params = {postgres::array_literal(runs), postgres::array_literal(ids)},
                   .on_row =
                       [search](const pg_result& result, int row) {
                         search->present.emplace(cell_text(result, row, 0), cell_text(result, row, 1));
                       },
                   .on_done =
                       [this, search](OnError error) {
                         if (!error) {
                           this->search(search);
                           return;
                         }
                         search->change.losses.reset();
                         tell(std::move(search->change));
                       }});
  if (sent) return;
  change.losses.reset();
  tell(std::move(change));
}

void SchemaRounds::tell(core::SchemaChange change) {
  process::Log::Fields fields{{"event", "schema_changed"},
                              {"before", change.before},
                              {"after", change.after},
                              {"found", fmt::format("{}", fmt::join(change.parts, "; "))}};
  const auto& losses = change.losses;
  if (losses) {
    fields.push_back({"rows", core::losses_text(*losses)});
    fields.push_back({"deleted", std::to_string(losses->deleted), true});
    fields.push_back({"canonical_deleted", std::to_string(losses->canonical), true});
    fields.push_back({"left_fatal", std::to_string(losses->left_fatal), true});
  }
  if (losses && losses->canonical != 0) {
    fields.push_back(
        {"remedy",
         "the migration kept the row that was written first in the file in place of the one that replay "
         "reads first: the guide's page on upgrades says what can be done for these runs"});
    log_.error("the engine's schema was migrated, and rows that replay reads first were deleted", fields);
  } else {
    log_.info("the engine's schema was migrated", fields);
  }
  history_.add(std::move(change));
}

core::SchemaStatus SchemaRounds::status() const {
  core::SchemaStatus out{.releases = {},
                         .newest = {},
                         .changes = {history_.changes().begin(), history_.changes().end()},
                         .changes_total = history_.total(),
                         .losses = history_.losses()};
  if (!history_.last()) return out;
  out.releases = core::schema_text(history_.last()->schema);
  if (const auto* newest = core::schema_release(history_.last()->schema)) out.newest = newest->name;
  return out;
}

}  // namespace dupwatch::run
