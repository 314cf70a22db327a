#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/index_migration.hpp"
#include "daemon/core/migrations.hpp"

/// Whether an upgrade of the engine goes well, from what was read of the database.
namespace dupwatch::core {

/// Runs that are open, of one status.
struct OpenRuns {
  std::string status{};
  std::uint64_t runs = 0;
  /// Those whose events have ids that are no slot numbers, or that have none yet.
  std::uint64_t not_slots = 0;
  /// Of them those in which a step, a wait or a hook was created.
  std::uint64_t with_entities = 0;
  /// Of `not_slots` by the age of the run: up to an hour, up to a day, up to a week, older.
  std::uint64_t hour = 0;
  std::uint64_t day = 0;
  std::uint64_t week = 0;
  std::uint64_t older = 0;
  /// The smallest id of `not_slots`.
  std::string oldest{};
};

/// Runs of ULIDs that began and ended in the last hour, by the times in the ids.
struct DrainRate {
  std::uint64_t begun = 0;
  std::uint64_t ended = 0;
};

/// Sessions that may write the table.
struct WriterGroup {
  std::string user{};
  std::string application{};
  std::uint64_t sessions = 0;
  /// Of the oldest of them; nullopt: may not be seen.
  std::optional<std::int64_t> seconds{};
};

struct PublicationFacts {
  std::string name;
  bool publishes_changes = false;  ///< updates or deletes
  /// Has a column list that lacks run_id or id.
  bool lacks_new_key = false;
};

/// Something that depends on a column which 0026 retypes.
struct PinnedColumn {
  std::string column;
  std::string by;
  bool publication = false;
};

struct KeyFacts {
  /// Empty: there is none.
  std::string primary_key{};
  /// Foreign keys elsewhere that refer to the log.
  std::vector<std::string> references{};
  /// The index that 0019 adopts is there and valid.
  bool prebuilt = false;
  /// pg_class.relreplident: d, i, f or n.
  char replica_identity = 'd';
};

/// What one server answered; a nullopt is what may not be read or took too long.
struct UpgradeFacts {
  bool standby = false;
  /// Who asks, quoted as an identifier.
  std::string role{};
  MigrationState schema{};
  KeyFacts key{};
  std::vector<PublicationFacts> publications{};
  std::vector<PinnedColumn> pinned{};
  std::string time_zone{};
  std::uint64_t table_bytes = 0;
  /// Time to read and sort the log by (run_id, id), from a sample; nullopt: not taken.
  std::optional<std::chrono::microseconds> sort_time{};
  bool guard = false;
  std::optional<std::vector<OpenRuns>> open_runs{};
  std::optional<DrainRate> drain{};
  std::vector<WriterGroup> writers{};
  /// nullopt: no migration that is to come asks for it, so the log was not read.
  std::optional<MigrationTotals> duplicates{};
};

enum class UpgradeVerdict : std::uint8_t { kPass, kWarn, kFail };
[[nodiscard]] std::string_view to_string(UpgradeVerdict verdict) noexcept;

struct UpgradeLine {
  /// Stable slug: "migrations", "journal", "open_runs", ...
  std::string_view name;
  UpgradeVerdict verdict = UpgradeVerdict::kPass;
  std::string found{};
  /// SQL or command that helps; empty when nothing is to be done.
  std::string fix{};
  std::vector<std::pair<std::string_view, std::uint64_t>> numbers{};
};

struct UpgradeReport {
  MigrationPlan plan{};
  /// Of all pending migrations, in one transaction.
  std::optional<std::chrono::milliseconds> takes{};
  std::vector<UpgradeLine> lines{};
  [[nodiscard]] bool go() const noexcept;
};

/// Whether the log has to be read for it: a pending or skipped migration deletes duplicates or fails on them.
[[nodiscard]] bool needs_duplicates(const MigrationPlan& plan) noexcept;

/// `asked`: the version as it was given. `now_millis`: since 1970.
[[nodiscard]] UpgradeReport judge_upgrade(const Release& to, std::string_view asked,
                                          const UpgradeFacts& facts, std::uint64_t now_millis);

}  // namespace dupwatch::core
