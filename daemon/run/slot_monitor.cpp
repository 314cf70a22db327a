#include "daemon/run/slot_monitor.hpp"

#include <fmt/format.h>

#include <utility>

namespace dupwatch::run {
namespace {

// Often enough for a lag that people read, cheap enough to forget (one row of a view).
constexpr std::chrono::seconds kSlotInterval{2};
// DDL on the watched table is rare; a silent stream is unnoticed for this long at most.
constexpr std::chrono::seconds kTableInterval{10};

}  // namespace

SlotMonitor::SlotMonitor(const core::Config& config, postgres::SqlClient& sql, core::LagMeter& lag,
                         process::Log& log)
    : config_(config), sql_(sql), lag_(lag), log_(log) {}

void SlotMonitor::started(decoder::Plugin plugin, postgres::TableIdentity table, core::Instant now) {
  plugin_ = plugin;
  expected_ = std::move(table);
  table_trouble_.clear();
  no_slot();
  next_slot_ = now;
  next_table_ = now + kTableInterval;
}

void SlotMonitor::no_slot() {
  slot_.reset();
  trend_.reset();
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
  if (now >= next_slot_) ask_slot(now);
  if (now >= next_table_) ask_table(now);
}

void SlotMonitor::ask_slot(core::Instant now) {
  next_slot_ = now + kSlotInterval;
  if (slot_asked_) return;
  slot_asked_ =
      sql_.submit({.text = postgres::slot_query(),
                   .params = {config_.slot.name},
                   .on_row =
                       [this](const pg_result& result, int row) {
                         slot_ = postgres::read_slot_row(result, row);
                         trend_.sample(slot_->retained_bytes, process::steady_now());
                         lag_.sample(slot_->server_end, process::steady_now());
                       },
                   .on_done = [this](const std::optional<postgres::Error>&) { slot_asked_ = false; }});
}

void SlotMonitor::ask_table(core::Instant now) {
  next_table_ = now + kTableInterval;
  if (table_asked_) return;
  auto seen = std::make_shared<std::optional<postgres::TableIdentity>>();
  table_asked_ =
      sql_.submit({.text = postgres::table_query(),
                   .params = postgres::table_query_params(config_.profile, config_.slot.publication),
                   .on_row = [seen](const pg_result& result,
                                    int row) { *seen = postgres::read_table_identity(result, row); },
                   .on_done =
                       [this, seen](const std::optional<postgres::Error>& error) {
                         table_asked_ = false;
                         if (!error) table_seen(*seen);
                       }});
}

void SlotMonitor::table_seen(const std::optional<postgres::TableIdentity>& seen) {
  const auto table = config_.profile.qualified_name();
  std::string trouble;
  if (!seen) {
    trouble = fmt::format("table {} is gone or renamed", table);
  } else if (seen->oid != expected_.oid) {
    trouble = fmt::format("table {} was dropped and created again (oid {}, was {})", table, seen->oid,
                          expected_.oid);
  } else if (!seen->missing_columns.empty()) {
    trouble = fmt::format("table {} lost column {}", table, seen->missing_columns.front());
  } else if (plugin_ == decoder::Plugin::kPgoutput && !seen->published) {
    trouble = fmt::format("table {} is not in publication {}", table, config_.slot.publication);
  }
  if (trouble == table_trouble_) return;
  table_trouble_ = std::move(trouble);
  if (table_trouble_.empty()) {
    log_.info("the watched table is back as it was", {{"table", table}});
  } else {
    log_.error("the watched table changed: its events may not arrive any more",
               {{"reason", "table_changed"},
                {"table", table},
                {"found", table_trouble_},
                {"remedy",
                 "put the table or publication back, or correct `table` in the configuration and restart"}});
  }
}

}  // namespace dupwatch::run
