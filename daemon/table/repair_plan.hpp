#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/table/judged_run.hpp"

namespace dupwatch::table {

struct RepairStatement {
  /// Without semicolon.
  std::string text;
  /// For the person who runs it by hand.
  std::string note{};
  /// It must touch so many rows; 0 = any number.
  std::size_t rows = 0;
};
/// On one line, with its note.
[[nodiscard]] std::string printed(const RepairStatement& statement);

/// What a person can do about the run: sentences, and SQL that nobody runs for them.
struct RepairPlan {
  std::vector<std::string> sentences;
  std::vector<RepairStatement> sql;
  /// Those that the SQL takes out of the log.
  JudgedRun::RowIds rows{};
};
[[nodiscard]] RepairPlan repair_plan(const JudgedRun& story, const core::Profile& profile);

}  // namespace dupwatch::table
