#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/engine.hpp"
#include "daemon/core/migrations.hpp"
#include "daemon/core/reported_findings.hpp"
#include "decoder/change.hpp"

/// What becomes of the engine's schema while it is watched.
namespace dupwatch::core {

/// One look at it.
struct SchemaLook {
  MigrationState schema{};
  EngineSigns signs{};
};

/// What a migration did to the rows of duplicates that were known before it.
struct RowLosses {
  /// Rows that were looked for: first rows and their duplicates.
  std::uint64_t asked = 0;
  std::uint64_t deleted = 0;
  /// Of the deleted ones, those that replay reads first.
  std::uint64_t canonical = 0;
  /// Of their identities, those of which a row behind the closing event stays: replay fails on it.
  std::uint64_t left_fatal = 0;
  /// Every known duplicate was looked for.
  bool all = true;
  friend bool operator==(const RowLosses&, const RowLosses&) = default;
};

struct SchemaChange {
  decoder::Timestamp seen;
  /// Lines of releases, as schema_text() has them.
  std::string before{};
  std::string after{};
  /// What is there and was not, or the other way round; clauses for people.
  std::vector<std::string> parts{};
  /// It came with the index, which deletes rows; nullopt: nothing was deleted.
  std::optional<RowLosses> losses{};
};

/// "4.1.1", "4.1.4 to 4.2", "4.3": the releases whose migrations are all in the schema, and of which no later
/// one has more of them. Empty: it is no schema of the engine.
[[nodiscard]] std::string schema_text(const MigrationState& state);
/// The newest of them; nullptr: none.
[[nodiscard]] const Release* schema_release(const MigrationState& state) noexcept;

/// Remembers the last look, and what changed. Not thread-safe.
class SchemaHistory {
 public:
  /// Changes that are remembered.
  static constexpr std::size_t kChangesMax = 16;

  /// What is another than at the last look; nullopt: nothing, or it is the first look, or it shows no schema
  /// of the engine.
  [[nodiscard]] std::optional<SchemaChange> compare(SchemaLook look, decoder::Timestamp now);
  /// A change that is known in full.
  void add(SchemaChange change);

  [[nodiscard]] const std::optional<SchemaLook>& last() const noexcept { return last_; }
  /// The oldest first.
  [[nodiscard]] const std::deque<SchemaChange>& changes() const noexcept { return changes_; }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  /// Of all changes.
  [[nodiscard]] const RowLosses& losses() const noexcept { return losses_; }

 private:
  std::optional<SchemaLook> last_;
  std::deque<SchemaChange> changes_;
  std::uint64_t total_ = 0;
  RowLosses losses_;
};

/// The unique index is there and was not: its migration deletes rows.
[[nodiscard]] bool may_have_deleted(const MigrationState& before, const MigrationState& after) noexcept;
/// A row of the log: run and id.
using RowKey = std::pair<std::string, std::string>;
/// What of these duplicates the table shows no longer.
[[nodiscard]] RowLosses count_losses(std::span<const ReportedFindings::DuplicateRow> known,
                                     const std::set<RowKey>& present);
/// "12 rows of known duplicates deleted, 0 of them canonical"
[[nodiscard]] std::string losses_text(const RowLosses& losses);

}  // namespace dupwatch::core
