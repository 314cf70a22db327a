#include "daemon/core/migrations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

namespace dupwatch::core {
namespace {

using Effect = MigrationEffect;

// Up to 0017 from the packages 4.1.1 to 5.0.0-beta.29; 0018 to 0026 from the project's repository.
constexpr auto kMigrations = std::to_array<Migration>({
    {.number = 10,
     .tag = "0010_add_events_entity_creation_unique_index",
     .when = 1771000000000,
     .effect = Effect::kUniqueIndex,
     .by_hand = "CREATE UNIQUE INDEX CONCURRENTLY workflow_events_entity_creation_unique ON "
                "workflow.workflow_events (run_id, correlation_id, type) WHERE type IN ('step_created', "
                "'hook_created', 'wait_created');"},
    {.number = 11,
     .tag = "0011_add_error_code",
     .when = 1771500000000,
     .adds = "workflow_runs.error_code",
     .by_hand = "ALTER TABLE workflow.workflow_runs ADD COLUMN IF NOT EXISTS error_code varchar;"},
    {.number = 12,
     .tag = "0012_add_is_system",
     .when = 1775600000000,
     .adds = "workflow_hooks.is_system",
     .by_hand = "ALTER TABLE workflow.workflow_hooks ADD COLUMN IF NOT EXISTS is_system boolean DEFAULT "
                "false;"},
    {.number = 13,
     .tag = "0013_add_attributes",
     .when = 1779609600000,
     .adds = "workflow_runs.attributes",
     .by_hand =
         "ALTER TABLE workflow.workflow_runs ADD COLUMN IF NOT EXISTS attributes jsonb NOT NULL DEFAULT "
         "'{}';"},
    {.number = 14,
     .tag = "0014_add_attr_set_event_unique_index",
     .when = 1780185600000,
     .effect = Effect::kAttributes,
     .by_hand = "DROP INDEX IF EXISTS workflow.workflow_events_entity_creation_unique; CREATE UNIQUE INDEX "
                "workflow_events_entity_creation_unique ON workflow.workflow_events (run_id, correlation_id, "
                "type) WHERE type IN ('step_created', 'hook_created', 'wait_created', 'attr_set');"},
    {.number = 15,
     .tag = "0015_move_enums_to_workflow_schema",
     .when = 1782691200000,
     .effect = Effect::kMovesEnums},
    {.number = 16,
     .tag = "0016_add_encryption_public_key",
     .when = 1784937600000,
     .adds = "workflow_runs.encryption_public_key"},
    {.number = 17,
     .tag = "0017_add_hook_resume_context",
     .when = 1785283200000,
     .adds = "workflow_hooks.resume_context"},
    {.number = 18,
     .tag = "0018_add_hook_token_retention",
     .when = 1785619990000,
     .adds = "workflow_hooks.token_retention_until"},
    {.number = 19,
     .tag = "0019_add_event_slots",
     .when = 1786060800000,
     .effect = Effect::kSwapsKey,
     .adds = "workflow_event_slots.run_id"},
    {.number = 20,
     .tag = "0020_add_invocations",
     .when = 1789430400000,
     .adds = "workflow_invocations.run_id"},
    {.number = 26,
     .tag = "0026_timestamps_with_time_zone",
     .when = 1789948800000,
     .effect = Effect::kRetypes},
});

constexpr auto kUpTo10 = std::to_array<unsigned>({10});
constexpr auto kEnums = std::to_array<unsigned>({10, 15});
constexpr auto kBeta27 = std::to_array<unsigned>({10, 11, 12, 13, 14, 15});
constexpr auto kBeta29 = std::to_array<unsigned>({10, 11, 12, 13, 14, 15, 16, 17});
constexpr auto kBeta33 = std::to_array<unsigned>({10, 11, 12, 13, 14, 15, 16, 17, 18, 19});
constexpr auto kFive = std::to_array<unsigned>({10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
constexpr auto kNewest = std::to_array<unsigned>({10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 26});

const std::array<Release, kReleases> kAllReleases = {{
    {.name = "4.1.1", .has = {}, .engine = Engine::kV4},
    // 4.1.2 and 4.1.3 had it too.
    {.name = "4.1.4", .has = kUpTo10, .engine = Engine::kV4},
    {.name = "4.2", .has = kUpTo10, .engine = Engine::kV4},
    {.name = "4.3", .has = kEnums, .engine = Engine::kV4},
    {.name = "5.0.0-beta.27", .has = kBeta27, .engine = Engine::kV5BeforeClassSkip},
    {.name = "5.0.0-beta.29", .has = kBeta29, .engine = Engine::kV5BeforeClassSkip},
    {.name = "5.0.0-beta.33", .has = kBeta33, .engine = Engine::kV5},
    {.name = "5.0", .has = kFive, .engine = Engine::kV5},
    {.name = "5.x", .has = kNewest, .engine = Engine::kV5},
}};

/// Major, minor, patch, beta; a release counts as the beta after all betas.
using Version = std::array<unsigned, 4>;
constexpr unsigned kLast = 1'000'000;

/// A missing part, or an x, is `missing`.
std::optional<Version> parse_version(std::string_view text, unsigned missing) noexcept {
  Version version{missing, missing, missing, kLast};
  constexpr std::string_view kBeta = "-beta.";
  const auto take = [](std::string_view part, unsigned& out) {
    const auto* end = part.data() + part.size();
    const auto [stopped, error] = std::from_chars(part.data(), end, out);
    return error == std::errc{} && stopped == end && out < kLast;
  };
  if (const auto beta = text.find(kBeta); beta != std::string_view::npos) {
    if (!take(text.substr(beta + kBeta.size()), version[3])) return std::nullopt;
    text = text.substr(0, beta);
  }
  for (std::size_t part = 0; part < 3; ++part) {
    const auto dot = text.find('.');
    const auto word = text.substr(0, dot);
    if (part != 0 && word == "x") {
      return dot == std::string_view::npos ? std::optional(version) : std::nullopt;
    }
    if (!take(word, version[part])) return std::nullopt;
    if (dot == std::string_view::npos) return version;
    text.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

bool contains(const std::vector<const Migration*>& list, Effect effect) noexcept {
  return std::ranges::any_of(list, [&](const Migration* one) { return one->effect == effect; });
}

}  // namespace

std::span<const Migration> migrations() noexcept {
  return kMigrations;
}

std::span<const Release> releases() noexcept {
  return kAllReleases;
}

const Release* find_release(std::string_view version) noexcept {
  const auto wanted = parse_version(version, kLast);
  if (!wanted) return nullptr;
  const Release* found = nullptr;
  for (const auto& release : kAllReleases) {
    // "5.x" stands for the first release after 5.0.
    const auto begins = release.name == "5.x" ? Version{5, 1, 0, 0} : *parse_version(release.name, 0);
    // 4.1.2 brought what is listed under 4.1.4, the first that can be had.
    const auto from = release.name == "4.1.4" ? Version{4, 1, 2, 0} : begins;
    if (from[0] == (*wanted)[0] && from <= *wanted) found = &release;
  }
  return found;
}

bool MigrationState::has(const Migration& migration) const {
  switch (migration.effect) {
    case Effect::kUniqueIndex:
      return index_exists;
    case Effect::kAttributes:
      return index_covers_attributes;
    case Effect::kMovesEnums:
      return enums_moved;
    case Effect::kRetypes:
      return zoned_timestamps;
    case Effect::kAdds:
    case Effect::kSwapsKey:
      break;
  }
  return columns.contains(migration.adds);
}

bool MigrationPlan::applies(MigrationEffect effect) const noexcept {
  return contains(pending, effect);
}

bool MigrationPlan::skips(MigrationEffect effect) const noexcept {
  return contains(skipped, effect);
}

MigrationPlan plan_migrations(const Release& to, const MigrationState& state) {
  MigrationPlan plan;
  if (state.journal_newest) {
    plan.newest = *state.journal_newest;
  } else {
    for (const auto& migration : kMigrations) {
      if (state.has(migration)) plan.newest = migration.when;
    }
  }
  for (const auto& migration : kMigrations) {
    const bool wanted = std::ranges::find(to.has, migration.number) != to.has.end();
    if (!wanted) {
      if (state.has(migration)) plan.foreign.push_back(&migration);
    } else if (migration.when > plan.newest) {
      plan.pending.push_back(&migration);
    } else if (!state.has(migration) && migration.effect != Effect::kMovesEnums) {
      // 0015 leaves an enum where it is that somebody else's objects depend on.
      plan.skipped.push_back(&migration);
    }
  }
  return plan;
}

std::string numbers_text(const std::vector<const Migration*>& list) {
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto first = list[i]->number;
    while (i + 1 < list.size() && list[i + 1]->number == list[i]->number + 1) ++i;
    text += fmt::format("{}{:04}", text.empty() ? "" : ", ", first);
    if (list[i]->number != first) text += fmt::format(" to {:04}", list[i]->number);
  }
  return text;
}

Engine schema_engine(const MigrationState& state) {
  if (state.columns.contains("workflow_event_slots.run_id")) return Engine::kV5;
  return state.columns.contains("workflow_runs.error_code") ? Engine::kV5BeforeClassSkip : Engine::kV4;
}

}  // namespace dupwatch::core
