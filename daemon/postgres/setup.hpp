#pragma once

#include <string>
#include <vector>

#include "daemon/core/config.hpp"

/// Pieces of the SQL that `setup` prints, which `check` names as cures.
namespace dupwatch::postgres {

/// Run, identity columns and type: the columns of a unique index that would prevent duplicates.
[[nodiscard]] std::vector<std::string> unique_columns(const core::Profile& profile);
/// Types that dupwatch needs to see: those it tracks and those that end a run.
[[nodiscard]] std::vector<std::string> needed_types(const core::Profile& profile);

/// USAGE on the schema and SELECT on the columns, one line.
[[nodiscard]] std::string grant_statements(const core::Config& config);
/// "schema"."table" ("run", "id", ...), as in CREATE and ALTER PUBLICATION.
[[nodiscard]] std::string published_table(const core::Config& config);
/// " WHERE (...)" for published_table; empty when every row is needed.
[[nodiscard]] std::string row_filter(const core::Config& config);
[[nodiscard]] std::string create_publication_statement(const core::Config& config, bool with_columns);

}  // namespace dupwatch::postgres
