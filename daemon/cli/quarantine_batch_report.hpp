#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "daemon/cli/quarantine_options.hpp"
#include "daemon/quarantine/act.hpp"
#include "daemon/quarantine/batch_file.hpp"

namespace dupwatch::cli {

/// Tells what becomes of the rows of a file, one by one and in the end, and counts.
class BatchReport {
 public:
  /// `rows`: of the file.
  BatchReport(const QuarantineOptions& options, std::uint64_t rows) : options_(options), rows_(rows) {}

  /// The file itself says that the row stays.
  void refused_by_file(const quarantine::BatchRow& row);
  void acted(const quarantine::BatchRow& row, const quarantine::ActOutcome& outcome);
  void finish() const;
  [[nodiscard]] std::uint64_t seen() const noexcept { return seen_; }
  /// Rows that went, or would go.
  [[nodiscard]] std::uint64_t moved() const noexcept { return done_ + would_; }
  /// Some row stays where it is.
  [[nodiscard]] bool leaves_rows() const noexcept { return !refused_.empty() || seen_ != rows_; }

 private:
  const QuarantineOptions& options_;
  std::uint64_t rows_;
  std::uint64_t seen_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t already_ = 0;
  std::uint64_t would_ = 0;
  std::uint64_t gone_ = 0;
  std::map<std::string, std::uint64_t> refused_;
};

}  // namespace dupwatch::cli
