#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/engine.hpp"

/// The migrations of the engine's Postgres package (@workflow/world-postgres) and which release has which. Of
/// its migrator this matters: it looks at the newest entry of its journal alone, applies what is newer, all
/// of it in one transaction, and passes over what is older without a word.
namespace dupwatch::core {

/// What a migration does to the log beyond adding columns and tables.
enum class MigrationEffect : std::uint8_t {
  kAdds,         ///< columns or tables: an instant
  kUniqueIndex,  ///< 0010: deletes all but one row of an identity, then makes the unique index
  kAttributes,   ///< 0014: makes that index again with attr_set in it, deletes nothing
  kMovesEnums,   ///< 0015: the catalogue alone
  kSwapsKey,     ///< 0019: the primary key becomes (run_id, id)
  kRetypes       ///< 0026: timestamps get a time zone
};

struct Migration {
  unsigned number;
  std::string_view tag;
  /// As the journal keeps it, milliseconds: what the migrator compares.
  std::int64_t when;
  MigrationEffect effect = MigrationEffect::kAdds;
  /// A column of the schema `workflow` that it adds, "table.column"; empty where `effect` has evidence of its
  /// own.
  std::string_view adds{};
  /// SQL that does its work by hand; empty where none is known to be needed.
  std::string_view by_hand{};
};

/// In the order of their numbers, from the first after 4.1.1.
[[nodiscard]] std::span<const Migration> migrations() noexcept;

/// A line of releases that bring the same migrations.
struct Release {
  /// The first of them, as people write it.
  std::string_view name;
  /// Numbers of the migrations it has, of those in migrations().
  std::span<const unsigned> has;
  Engine engine;
};
inline constexpr std::size_t kReleases = 9;
/// Oldest first.
[[nodiscard]] std::span<const Release> releases() noexcept;

/// The release that is asked for: "4.3.7", "4.3", "5.0.0-beta.29", "5.x". A missing part is the newest of its
/// line. nullptr: nothing is known of it.
[[nodiscard]] const Release* find_release(std::string_view version) noexcept;

/// What the catalogue and the journal say.
struct MigrationState {
  /// "table.column" of all tables of the schema `workflow`.
  std::set<std::string, std::less<>> columns{};
  bool index_exists = false;
  bool index_covers_attributes = false;
  bool enums_moved = false;
  bool zoned_timestamps = false;
  /// As the server writes it: "PRIMARY KEY (run_id, id)"; empty: there is none.
  std::string key{};
  bool journal_exists = false;
  /// Its newest entry; nullopt: it is empty or may not be read.
  std::optional<std::int64_t> journal_newest;
  bool journal_readable = false;

  [[nodiscard]] bool has(const Migration& migration) const;
  friend bool operator==(const MigrationState&, const MigrationState&) = default;
};

struct MigrationPlan {
  /// The journal's newest entry, or what the schema lets suppose.
  std::int64_t newest = 0;
  /// Will be applied, in this order.
  std::vector<const Migration*> pending;
  /// The release has them and the schema lacks them, but the migrator will pass over them.
  std::vector<const Migration*> skipped;
  /// The schema has them and the release does not.
  std::vector<const Migration*> foreign;

  [[nodiscard]] bool applies(MigrationEffect effect) const noexcept;
  [[nodiscard]] bool skips(MigrationEffect effect) const noexcept;
};
[[nodiscard]] MigrationPlan plan_migrations(const Release& to, const MigrationState& state);

/// "0010, 0015 to 0017"; the list is in the order of their numbers.
[[nodiscard]] std::string numbers_text(const std::vector<const Migration*>& list);

/// Which generation's runs the schema holds.
[[nodiscard]] Engine schema_engine(const MigrationState& state);

}  // namespace dupwatch::core
