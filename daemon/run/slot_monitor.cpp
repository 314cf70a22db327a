#include "daemon/run/slot_monitor.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/postgres/form_faults.hpp"
#include "daemon/run/round_answer.hpp"

namespace dupwatch::run {
namespace {

// Often enough for a lag that people read, cheap enough to forget (one row of a view).
constexpr std::chrono::seconds kSlotInterval{2};
// A silent stream is unnoticed for this long at most; the question costs the server about a millisecond.
constexpr std::chrono::seconds kTableInterval{5};

// What the catalogue said so long ago is not told any more.
constexpr std::chrono::seconds kStale{30};

}  // namespace

SlotMonitor::SlotMonitor(const core::Config& config, postgres::SqlClient& sql, core::LagMeter& lag,
                         process::Log& log)
    : config_(config),
      sql_(sql),
      lag_(lag),
      log_(log),
      slot_pace_(kSlotInterval),
      table_pace_(kTableInterval) {}

void SlotMonitor::started(decoder::Plugin plugin, postgres::TableForm table, core::Instant now) {
  plugin_ = plugin;
  expected_ = std::move(table);
  table_trouble_.clear();
  // The attach has judged this one.
  judged_filter_ = expected_.publication ? expected_.publication->filter : std::string{};
  filter_loss_.reset();
  no_slot();
  slot_pace_.started(now, std::chrono::milliseconds{0});
  table_pace_.started(now, kTableInterval);
}

void SlotMonitor::no_slot() {
  slot_.reset();
  trend_.reset();
}

void SlotMonitor::note_held_back(std::int64_t bytes) {
  if (!slot_ || slot_->retained_bytes >= bytes) return;
  slot_->retained_bytes = bytes;
  trend_.sample(bytes, process::steady_now());
}

std::optional<double> SlotMonitor::seconds_to_lost() const {
  if (!slot_) return std::nullopt;
  auto limit = core::fuse_bytes(config_.slot.max_retained_wal, slot_->keep_size_bytes);
  if (slot_->safe_wal_size) {
    const auto server =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, slot_->retained_bytes + *slot_->safe_wal_size));
    limit = std::min(limit.value_or(server), server);
  }
  return limit ? trend_.seconds_to(*limit) : std::nullopt;
}

void SlotMonitor::tick(core::Instant now) {
  if (slot_pace_.due(now)) ask_slot(now);
  if (table_pace_.due(now)) ask_table(now);
}

void SlotMonitor::ask_slot(core::Instant now) {
  slot_pace_.asked(now);
  if (slot_asked_) return;
  slot_asked_ = sql_.submit({.text = postgres::slot_query(),
                             .params = {config_.slot.name},
                             .on_row =
                                 [this](const pg_result& result, int row) {
                                   slot_ = postgres::read_slot_row(result, row);
                                   trend_.sample(slot_->retained_bytes, process::steady_now());
                                   lag_.sample(slot_->server_end, process::steady_now());
                                 },
                             .on_done =
                                 [this](const std::optional<postgres::Error>& error) {
                                   slot_asked_ = false;
                                   note_answer(slot_pace_, error, process::steady_now());
                                 }});
}

void SlotMonitor::ask_table(core::Instant now) {
  table_pace_.asked(now);
  if (table_asked_) return;
  auto seen = std::make_shared<std::optional<postgres::TableForm>>();
  table_asked_ = sql_.submit(
      {.text = postgres::table_query(expected_.server_version),
       .params = postgres::table_query_params(config_.profile, config_.slot.publication),
       .on_row = [seen](const pg_result& result, int row) { *seen = postgres::read_table_form(result, row); },
       .on_done =
           [this, seen](const std::optional<postgres::Error>& error) {
             table_asked_ = false;
             note_answer(table_pace_, error, process::steady_now());
             if (!error) table_seen(*seen);
           }});
}

void SlotMonitor::table_seen(const std::optional<postgres::TableForm>& seen) {
  const auto* publication = seen && seen->publication ? &*seen->publication : nullptr;
  const bool judged = publication == nullptr || plugin_ != decoder::Plugin::kPgoutput ||
                      publication->filter == judged_filter_;
  if (!judged) {
    ask_filter(*seen);
    return;
  }
  judge(seen);
}

void SlotMonitor::ask_filter(const postgres::TableForm& seen) {
  const auto filter = seen.publication->filter;
  if (filter.empty()) {
    judged_filter_.clear();
    filter_loss_.reset();
    judge(seen);
    return;
  }
  const auto not_by_type = postgres::filter_not_by_type(config_.profile, filter);
  if (config_.profile.any_type()) {
    judged_filter_ = filter;
    filter_loss_ = not_by_type;
    judge(seen);
    return;
  }
  auto lost = std::make_shared<std::optional<std::string>>();
  table_asked_ =
      sql_.submit({.text = postgres::filter_query(config_.profile, filter),
                   .params = postgres::filter_query_params(config_.profile),
                   .on_row =
                       [lost](const pg_result& result, int row) {
                         if (const auto names = postgres::cell(result, row, 0)) *lost = std::string(*names);
                       },
                   .on_done =
                       [this, seen, filter, lost, not_by_type](const std::optional<postgres::Error>& error) {
                         table_asked_ = false;
                         if (error && error->sqlstate.empty()) return;
                         judged_filter_ = filter;
                         filter_loss_.reset();
                         if (error) filter_loss_ = not_by_type;
                         if (*lost) filter_loss_ = "the row filter keeps out rows that are needed: " + **lost;
                         judge(seen);
                       }});
}

void SlotMonitor::judge(const std::optional<postgres::TableForm>& seen) {
  const auto table = config_.profile.qualified_name();
  auto refused = postgres::refusal(
      postgres::find_form_faults({.config = config_, .plugin = plugin_, .filter_loss = filter_loss_}, seen));
  auto trouble = refused ? refused->found : std::string{};
  if (trouble.empty()) note_replacement(*seen);
  if (trouble == table_trouble_) return;
  table_trouble_ = std::move(trouble);
  if (table_trouble_.empty()) {
    log_.info("the watched table is back as it was", {{"table", table}});
    return;
  }
  gap_ = refused->fault == postgres::FormFault::kRowSecurity ? core::GapReason::kRowSecurity
                                                             : core::GapReason::kTableChanged;
  log_.error("the watched table changed: its events may not arrive any more",
             {{"reason", "table_changed"},
              {"table", table},
              {"form", std::string(to_string(refused->fault))},
              {"found", table_trouble_},
              {"remedy", refused->fix}});
}

/// It can be watched, but it may not be what it was, and rows may have come meanwhile.
void SlotMonitor::note_replacement(const postgres::TableForm& seen) {
  if (seen.oid != expected_.oid) {
    changed(fmt::format("it was dropped and created again (oid {}, was {})", seen.oid, expected_.oid));
  } else if (plugin_ == decoder::Plugin::kPgoutput && expected_.publication &&
             seen.publication->oid != expected_.publication->oid) {
    changed(fmt::format("publication {} was dropped and created again", config_.slot.publication));
  } else if (!std::ranges::equal(seen.columns, expected_.columns, postgres::same_form)) {
    changed("a watched column has another type: ids and identities may be written in another form");
  } else {
    ask_new_partitions(seen);
  }
  expected_ = seen;
}

void SlotMonitor::ask_new_partitions(const postgres::TableForm& seen) {
  std::vector<std::string> added;
  for (const auto oid : seen.leaves) {
    if (!std::ranges::binary_search(expected_.leaves, oid)) added.push_back(std::to_string(oid));
  }
  if (added.empty()) return;
  // Most partitions are made empty; one that is attached may bring rows that no stream has shown.
  (void)sql_.submit({.text = postgres::filled_tables_query(),
                     .params = {postgres::array_literal(added)},
                     .on_row =
                         [this](const pg_result& result, int row) {
                           if (postgres::cell(result, row, 0) != "0")
                             changed("a partition with rows in it is new");
                         },
                     .on_done = [](const std::optional<postgres::Error>&) {}});
}

void SlotMonitor::changed(std::string_view what) {
  gap_ = core::GapReason::kTableChanged;
  log_.warn("the watched table was replaced in whole or in part: it is scanned for what did not come",
            {{"event", "table_replaced"},
             {"table", config_.profile.qualified_name()},
             {"found", std::string(what)},
             {"remedy", "none needed"}});
}

std::string SlotMonitor::trouble(core::Instant now) const {
  if (!table_trouble_.empty()) return table_trouble_;
  const auto silence = table_pace_.silence(now, core::RoundPace::kSilenceMax);
  if (!silence) return {};
  return fmt::format("whether the table can still be watched has not been seen for {} s: {}",
                     silence->count(), table_pace_.why());
}

void SlotMonitor::describe(core::StatusSnapshot& out, core::Instant now) const {
  if (slot_) out.slot.retained_bytes = slot_->retained_bytes;
  if (slot_ && !slot_pace_.silence(now, kStale)) {
    out.slot.safe_bytes = slot_->safe_wal_size.value_or(-1);
    out.slot.wal_status = slot_->wal_status;
  }
  out.slot.seconds_to_lost = seconds_to_lost();
  out.table_identity_ok = table_trouble_.empty();
}

}  // namespace dupwatch::run
