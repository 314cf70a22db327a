#include "daemon/core/index_migration.hpp"

#include <algorithm>

#include "daemon/core/engine.hpp"

namespace dupwatch::core {

IndexMigration::IndexMigration(const Profile& profile, std::function<void(const MigrationOutcome&)> each)
    : profile_(profile), each_(std::move(each)) {}

std::vector<std::string> IndexMigration::types() const {
  std::vector<std::string> types(kDeduplicatedTypes.begin(), kDeduplicatedTypes.end());
  types.emplace_back(kAttributeType);
  for (const auto& type : profile_.types) {
    if (type.closes) types.push_back(type.name);
  }
  return types;
}

void IndexMigration::add(std::string_view id, std::string_view type,
                         std::optional<std::string_view> correlation_id, RowPlace place) {
  const auto listed = profile_.find_type(type);
  const std::uint8_t group = listed ? profile_.types[*listed].group : std::uint8_t{0};
  const auto correlation =
      correlation_id ? std::optional<std::string>(*correlation_id) : std::optional<std::string>{};
  auto& entity = entities_[{correlation, group}];
  if (listed && profile_.types[*listed].closes) {
    if (!entity.closing_id || id < *entity.closing_id) entity.closing_id = std::string(id);
    return;
  }
  entity.by_type[std::string(type)].push_back({.id = std::string(id), .place = place});
}

void IndexMigration::run_end(const std::string& run_id) {
  for (const auto& [key, entity] : entities_) {
    const auto& correlation_id = key.first;
    for (const auto& [type, rows] : entity.by_type) {
      if (rows.size() < 2) continue;
      if (type == kAttributeType) {
        if (correlation_id) ++totals_.attributes;
      } else {
        judge(run_id, correlation_id, type, rows, entity.closing_id);
      }
    }
  }
  entities_.clear();
}

void IndexMigration::judge(const std::string& run_id, const std::optional<std::string>& correlation_id,
                           const std::string& type, const std::vector<Row>& rows,
                           const std::optional<std::string>& closing_id) {
  const auto canonical = std::ranges::min_element(rows, {}, &Row::id);
  const auto kept = std::ranges::min_element(rows, {}, &Row::place);
  MigrationOutcome outcome{.run_id = run_id,
                           .correlation_id = correlation_id,
                           .type = type,
                           .closing_id = closing_id,
                           .canonical_id = canonical->id,
                           .kept_id = kept->id,
                           .deleted_ids = {},
                           .left_fatal = closing_id && kept->id > *closing_id};
  for (const auto& row : rows) {
    if (&row != &*kept) outcome.deleted_ids.push_back(row.id);
  }
  ++totals_.identities;
  totals_.blocking += correlation_id ? 1U : 0U;
  totals_.deleted += outcome.deleted_ids.size();
  totals_.other_kept += kept != canonical ? 1U : 0U;
  totals_.left_fatal += outcome.left_fatal ? 1U : 0U;
  each_(outcome);
}

}  // namespace dupwatch::core
