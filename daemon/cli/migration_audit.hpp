#pragma once

#include <string>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/core/index_migration.hpp"
#include "daemon/postgres/audit_queries.hpp"

struct pg_result;

namespace dupwatch::cli {

/// The rows that core::IndexMigration is shown, for a WHERE clause on alias e.
[[nodiscard]] std::string migration_condition(const core::Profile& profile, const core::IndexMigration& of);
/// Hands on a row of postgres::migration_select.
void add_migration_row(core::IndexMigration& to, const pg_result& result, int row);

/// Writes what the engine's index migrations would do to this table.
class MigrationAudit {
 public:
  /// `whole`: all runs are read, so that it can be said whether the index can be created.
  MigrationAudit(const core::Profile& profile, OutputFormat format, bool whole);
  MigrationAudit(const MigrationAudit&) = delete;
  MigrationAudit& operator=(const MigrationAudit&) = delete;
  ~MigrationAudit() = default;

  [[nodiscard]] core::IndexMigration& migration() noexcept { return migration_; }
  void finish(const postgres::MigrationIndex& index) const;
  /// Whether no migration that is still to come deletes rows or fails.
  [[nodiscard]] bool is_clean(const postgres::MigrationIndex& index) const noexcept {
    const auto& found = migration_.totals();
    const auto open = index.exists ? found.blocking : found.identities;
    return open == 0 && (found.attributes == 0 || index.covers_attributes);
  }

 private:
  void write(const core::MigrationOutcome& outcome) const;
  [[nodiscard]] std::string verdict(const postgres::MigrationIndex& index) const;

  OutputFormat format_;
  bool whole_;
  core::IndexMigration migration_;
};

}  // namespace dupwatch::cli
