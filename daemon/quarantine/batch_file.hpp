#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/quarantine/eligibility.hpp"

/// What `dupwatch audit --format json` and `audit --before-migration --format json` write, and the daemon to
/// findings.file, as a list of rows to take out of the log. Pure: lines in, rows out.
namespace dupwatch::quarantine {

/// More rows than that in one file are refused: some 350 MB of memory, and 14 hours at 20 rows a second.
inline constexpr std::size_t kBatchRowsMax = 1'000'000;
/// No line of an audit comes near it; a file without line ends must not fill the memory.
inline constexpr std::size_t kBatchLineMax = 1U << 20U;

/// Why a file is not taken at all.
struct BatchProblem {
  std::string found;
  std::string expected;
};

struct BatchRow {
  std::string run_id;
  /// Of the finding; empty for a row that a line about the migration names.
  std::string finding_id;
  std::string event_id;
  /// By the word of the file alone.
  std::optional<Refusal> refused;
};

/// Reads line by line; every row once, where it first stands, with what the last line about it says.
class BatchFile {
 public:
  /// `before_migration`: the rows that stand in the way of the engine's unique index, else the fatal ones.
  /// `rows_max`: more rows than that are refused.
  BatchFile(std::string table, bool before_migration, std::size_t rows_max = kBatchRowsMax)
      : table_(std::move(table)), before_migration_(before_migration), rows_max_(rows_max) {}

  [[nodiscard]] std::optional<BatchProblem> add(std::string_view line);
  [[nodiscard]] const std::vector<BatchRow>& rows() const noexcept { return rows_; }
  /// Some line was not blank.
  [[nodiscard]] bool any_line() const noexcept { return any_line_; }
  /// False: an audit says of itself that it did not come to its end.
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  [[nodiscard]] std::optional<BatchProblem> add_finding(std::string_view line);
  [[nodiscard]] std::optional<BatchProblem> add_row(BatchRow row);
  [[nodiscard]] std::optional<Refusal> refused(const core::Finding& finding) const noexcept;

  std::string table_;
  bool before_migration_;
  std::size_t rows_max_;
  bool complete_ = true;
  bool any_line_ = false;
  std::vector<BatchRow> rows_;
  std::unordered_map<std::string, std::size_t> places_;
};

}  // namespace dupwatch::quarantine
