#include "daemon/core/schema_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace dupwatch::core {
namespace {

using Effect = MigrationEffect;

bool holds(const Release& release, const MigrationState& state) {
  return std::ranges::all_of(migrations(), [&](const Migration& migration) {
    // 0015 leaves an enum where it is that somebody else's objects depend on, and by hand it is not made.
    const bool wanted = std::ranges::find(release.has, migration.number) != release.has.end();
    return !wanted || state.has(migration);
  });
}

std::string part_text(const Migration& migration, bool present) {
  switch (migration.effect) {
    case Effect::kUniqueIndex:
      return present ? "unique index present" : "unique index gone";
    case Effect::kAttributes:
      return present ? "unique index covers attr_set" : "unique index covers attr_set no longer";
    case Effect::kMovesEnums:
      return present ? "enum types moved to the schema workflow"
                     : "enum types no longer in the schema workflow";
    case Effect::kSwapsKey:
      return present ? "events are numbered by slots" : "table of slots gone";
    case Effect::kRetypes:
      return present ? "timestamps with time zone" : "timestamps without time zone";
    case Effect::kAdds:
      break;
  }
  return fmt::format("column {} {}", migration.adds, present ? "present" : "gone");
}

}  // namespace

const Release* schema_release(const MigrationState& state) noexcept {
  if (state.columns.empty()) return nullptr;
  const Release* found = nullptr;
  for (const auto& release : releases()) {
    if (holds(release, state)) found = &release;
  }
  return found;
}

std::string schema_text(const MigrationState& state) {
  const auto* newest = schema_release(state);
  if (newest == nullptr) return {};
  const auto oldest = std::ranges::find_if(
      releases(), [&](const Release& one) { return std::ranges::equal(one.has, newest->has); });
  return oldest->name == newest->name ? std::string(newest->name)
                                      : fmt::format("{} to {}", oldest->name, newest->name);
}

std::optional<SchemaChange> SchemaHistory::compare(SchemaLook look, decoder::Timestamp now) {
  // Without the engine's tables there is nothing to say: that they are gone is said elsewhere.
  if (look.schema.columns.empty()) return std::nullopt;
  const auto before = std::exchange(last_, std::move(look));
  if (!before) return std::nullopt;
  const auto& was = before->schema;
  const auto& is = last_->schema;
  SchemaChange change{.seen = now, .before = schema_text(was), .after = schema_text(is)};
  for (const auto& migration : migrations()) {
    const bool present = is.has(migration);
    if (present != was.has(migration)) change.parts.push_back(part_text(migration, present));
  }
  if (was.key != is.key) {
    change.parts.push_back(is.key.empty() ? "no primary key" : fmt::format("key is {}", is.key));
  }
  if (change.parts.empty()) return std::nullopt;
  return change;
}

void SchemaHistory::add(SchemaChange change) {
  ++total_;
  if (change.losses) {
    losses_.asked += change.losses->asked;
    losses_.deleted += change.losses->deleted;
    losses_.canonical += change.losses->canonical;
    losses_.left_fatal += change.losses->left_fatal;
    losses_.all = losses_.all && change.losses->all;
  }
  if (changes_.size() == kChangesMax) changes_.pop_front();
  changes_.push_back(std::move(change));
}

bool may_have_deleted(const MigrationState& before, const MigrationState& after) noexcept {
  return after.index_exists && !before.index_exists;
}

RowLosses count_losses(std::span<const ReportedFindings::DuplicateRow> known,
                       const std::set<RowKey>& present) {
  RowLosses losses;
  std::set<RowKey> firsts;
  for (const auto& row : known) {
    const bool stays = present.contains({row.run_id, row.duplicate_id});
    ++losses.asked;
    losses.deleted += stays ? 0U : 1U;
    const bool first_stays = present.contains({row.run_id, row.canonical_id});
    if (firsts.insert({row.run_id, row.canonical_id}).second) {
      ++losses.asked;
      losses.deleted += first_stays ? 0U : 1U;
      losses.canonical += first_stays ? 0U : 1U;
    }
    if (stays && !first_stays && row.after_close) ++losses.left_fatal;
  }
  return losses;
}

std::string losses_text(const RowLosses& losses) {
  if (losses.asked == 0) return "no duplicate was known";
  return fmt::format("{} of {} known rows of duplicates deleted, {} of them canonical{}{}", losses.deleted,
                     losses.asked, losses.canonical,
                     losses.left_fatal == 0 ? "" : fmt::format(", {} runs left fatal", losses.left_fatal),
                     losses.all ? "" : " (more are known than were looked for)");
}

}  // namespace dupwatch::core
