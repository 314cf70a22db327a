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

}  // namespace dupwatch::core
