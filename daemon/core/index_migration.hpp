#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/core/profile.hpp"

namespace dupwatch::core {

/// Block and line of a row: migration 0010 orders by it.
using RowPlace = std::pair<std::int64_t, std::int64_t>;

/// What becomes of one identity with more than one row.
struct MigrationOutcome {
  std::string run_id;
  std::optional<std::string> correlation_id;
  std::string type;
  /// The first closing event of the entity.
  std::optional<std::string> closing_id;
  /// The row that replay reads first, and the one that stays.
  std::string canonical_id;
  std::string kept_id;
  std::vector<std::string> deleted_ids;
  /// The row that stays sorts after the closing event.
  bool left_fatal = false;
};

struct MigrationTotals {
  std::uint64_t identities = 0;
  /// Of them those with a correlation id; a unique index takes NULLs for distinct.
  std::uint64_t blocking = 0;
  std::uint64_t deleted = 0;
  /// Where another row stays than the one replay reads first.
  std::uint64_t other_kept = 0;
  std::uint64_t left_fatal = 0;
  /// Attributes set twice under one correlation id.
  std::uint64_t attributes = 0;
};

/// What migration 0010 would do to a log that is read run by run: of every identity among kDeduplicatedTypes
/// it keeps the row with the lowest place and deletes the others. Replay reads the row with the smallest id
/// first, and VACUUM and several sessions make the two differ: then the original is deleted, and if the row
/// that stays sorts after the closing event the run is left to die.
class IndexMigration {
 public:
  /// `each` is called once for every identity with more than one row.
  IndexMigration(const Profile& profile, std::function<void(const MigrationOutcome&)> each);

  /// The types it has to be shown: those of the index, and those that close an entity.
  [[nodiscard]] std::vector<std::string> types() const;
  /// A row of the run, in any order.
  void add(std::string_view id, std::string_view type, std::optional<std::string_view> correlation_id,
           RowPlace place);
  void run_end(const std::string& run_id);
  [[nodiscard]] const MigrationTotals& totals() const noexcept { return totals_; }

 private:
  struct Row {
    std::string id;
    RowPlace place;
  };
  struct Entity {
    std::map<std::string, std::vector<Row>> by_type;
    std::optional<std::string> closing_id;
  };
  void judge(const std::string& run_id, const std::optional<std::string>& correlation_id,
             const std::string& type, const std::vector<Row>& rows,
             const std::optional<std::string>& closing_id);

  const Profile& profile_;
  std::function<void(const MigrationOutcome&)> each_;
  /// By correlation id and group of types: rows without an id are of one entity for each kind.
  std::map<std::pair<std::optional<std::string>, std::uint8_t>, Entity> entities_;
  MigrationTotals totals_;
};

}  // namespace dupwatch::core
