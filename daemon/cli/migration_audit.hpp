#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/postgres/audit_queries.hpp"

struct pg_result;

namespace dupwatch::cli {

/// What the engine's migration 0010 would do to this table: of every identity among step_created,
/// hook_created and wait_created it keeps the row with the lowest ctid and deletes the others. Replay reads
/// the row with the smallest id first, and VACUUM and several sessions make the two differ: then the original
/// is deleted, and if the row that is kept sorts after the closing event the run is left to die.
class MigrationAudit {
 public:
  /// `whole`: all runs are read, so that it can be said whether the index can be created.
  MigrationAudit(const core::Profile& profile, OutputFormat format, bool whole);

  /// The rows that are needed, for a WHERE clause on alias e.
  [[nodiscard]] std::string condition() const;
  void row(const pg_result& result, int row);
  void run_end(const std::string& run_id);
  void finish(const postgres::MigrationIndex& index);
  /// Whether no migration that is still to come deletes rows or fails.
  [[nodiscard]] bool is_clean(const postgres::MigrationIndex& index) const noexcept {
    const auto open = index.exists ? blocking_ : identities_;
    return open == 0 && (attributes_ == 0 || index.covers_attributes);
  }

 private:
  struct Row {
    std::string id;
    std::pair<std::int64_t, std::int64_t> ctid;
  };
  struct Entity {
    std::map<std::string, std::vector<Row>> by_type;
    std::optional<std::string> closing_id;
  };
  struct MigrationOutcome {
    std::string run_id;
    std::optional<std::string> correlation_id;
    std::string type;
    std::optional<std::string> closing_id;
    std::string canonical_id;
    std::string kept_id;
    std::vector<std::string> deleted_ids;
    bool left_fatal = false;
  };
  void judge(const std::string& run_id, const std::optional<std::string>& correlation_id,
             const std::string& type, const std::vector<Row>& rows,
             const std::optional<std::string>& closing_id);
  void write(const MigrationOutcome& outcome) const;
  [[nodiscard]] std::string verdict(const postgres::MigrationIndex& index) const;

  const core::Profile& profile_;
  OutputFormat format_;
  bool whole_;
  std::map<std::optional<std::string>, Entity> entities_;
  std::uint64_t identities_ = 0;
  /// Of them those with a correlation id; a unique index takes NULLs for distinct.
  std::uint64_t blocking_ = 0;
  std::uint64_t deleted_ = 0;
  std::uint64_t other_kept_ = 0;
  std::uint64_t left_fatal_ = 0;
  std::uint64_t attributes_ = 0;
};

}  // namespace dupwatch::cli
