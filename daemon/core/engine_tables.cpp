#include "daemon/core/engine_tables.hpp"

#include <algorithm>
#include <utility>

namespace dupwatch::core {

std::string_view to_string(EngineTableTrouble kind) noexcept {
  switch (kind) {
    case EngineTableTrouble::kHookToken:
      return "hook_token";
    case EngineTableTrouble::kSilentWait:
      return "silent_wait";
    case EngineTableTrouble::kGivenUpJob:
      return "given_up_job";
  }
  return "?";
}

std::string_view meaning_of(EngineTableTrouble kind) noexcept {
  switch (kind) {
    case EngineTableTrouble::kHookToken:
      return "more than one live hook holds one token: whoever resumes it wakes one of the runs alone";
    case EngineTableTrouble::kSilentWait:
      return "a wait is completed and the log has no wait_completed: its run is woken again and again";
    case EngineTableTrouble::kGivenUpJob:
      return "a job of the queue has used up its attempts: nobody takes it any more";
  }
  return "?";
}

std::string_view remedy_of(EngineTableTrouble kind) noexcept {
  switch (kind) {
    case EngineTableTrouble::kHookToken:
      return "cancel the runs that should not hold it";
    case EngineTableTrouble::kSilentWait:
      return "cancel the run, or set the wait back to waiting";
    case EngineTableTrouble::kGivenUpJob:
      return "see its last_error, then reschedule it";
  }
  return "?";
}

std::vector<EngineTableRow> EngineTableBook::seen(EngineTableTrouble kind, std::vector<EngineTableRow> rows) {
  auto& table = tables_.at(static_cast<std::size_t>(kind));
  if (rows.size() > kRowsMax) rows.resize(kRowsMax);
  std::vector<EngineTableRow> told;
  std::vector<Row> now;
  now.reserve(rows.size());
  for (auto& row : rows) {
    const auto before = std::ranges::find(table.rows, row, &Row::row);
    const bool lasts = before != table.rows.end();
    if (lasts && !before->lasts) told.push_back(row);
    now.push_back({.row = std::move(row), .lasts = lasts});
  }
  table = {.readable = true, .rows = std::move(now)};
  return told;
}

void EngineTableBook::unreadable(EngineTableTrouble kind) {
  tables_.at(static_cast<std::size_t>(kind)) = {};
}

std::optional<std::uint64_t> EngineTableBook::lasting(EngineTableTrouble kind) const {
  const auto& table = tables_.at(static_cast<std::size_t>(kind));
  if (!table.readable) return std::nullopt;
  return static_cast<std::uint64_t>(std::ranges::count(table.rows, true, &Row::lasts));
}

void EngineTableBook::describe(EngineTablesStatus& out) const {
  constexpr auto kEach = EngineTablesStatus::kShownMax / kEngineTableTroubles;
  for (std::size_t i = 0; i < kEngineTableTroubles; ++i) {
    const auto kind = static_cast<EngineTableTrouble>(i);
    out.rows.at(i) = lasting(kind);
    std::size_t shown = 0;
    for (const auto& row : tables_.at(i).rows) {
      if (!row.lasts) continue;
      if (++shown > kEach) break;
      out.shown.emplace_back(kind, row.row);
    }
  }
}

}  // namespace dupwatch::core
