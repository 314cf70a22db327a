#pragma once

#include <span>
#include <string>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"

/// The SQL of the table that findings.table names.
namespace dupwatch::postgres {

/// One finding as a row of VALUES, every value quoted.
[[nodiscard]] std::string findings_row(const core::Finding& finding);
/// Inserts these rows or puts them in the place of older ones, in one transaction that may write and whose
/// commit waits for the disk; simple protocol. No finding_id may be in it twice. `only_other`: of those that
/// are there just the ones whose severity or state is another.
[[nodiscard]] std::string findings_upsert(const core::FindingsConfig& config,
                                          std::span<const std::string> rows, bool only_other);
/// The records of findings that are not gone, the oldest first, at most `count`.
[[nodiscard]] std::string findings_load_query(const core::FindingsConfig& config, std::size_t count);
/// Schema, table and the rights that `role` needs: what `setup` prints, and config/findings.sql.
[[nodiscard]] std::string findings_table_sql(const core::FindingsConfig& config, const std::string& role);

}  // namespace dupwatch::postgres
