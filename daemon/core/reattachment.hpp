#pragma once

#include <optional>
#include <vector>

#include "daemon/core/coverage.hpp"
#include "daemon/core/coverage_record.hpp"
#include "decoder/lsn.hpp"

namespace dupwatch::core {

/// What this process has seen before it attaches.
struct SeenBefore {
  /// It has streamed.
  bool streamed = false;
  /// The server was asked to confirm this.
  decoder::Lsn confirmed{};
  /// Another postmaster answers than the last time.
  bool restarted = false;
  /// The slot was given up, or moved past a row that can't be delivered: that gap is open.
  std::optional<GapReason> pending{};
};

/// What follows from a comparison of what was known with what is found.
struct Reattachment {
  std::vector<FoundGap> gaps;
  /// Runs in memory may lack rows.
  bool doubts_runs = false;
  /// Rows that the stream brought may not exist.
  bool other_rows = false;
  /// What was told may rest on rows that do not exist, and what was written to a table may be lost.
  bool doubts_findings = false;
};

/// Judges a start or reconnect. The gap before a slot that was just made is not among its gaps: see
/// gap_before_slot(). Pure.
[[nodiscard]] Reattachment judge_reattachment(std::optional<CoverageRecord> known, const CoverageView& found,
                                              const SeenBefore& before);

/// Why what was committed before a slot that was just made has not been seen. Pure.
[[nodiscard]] GapReason gap_before_slot(const std::optional<CoverageRecord>& known, const SeenBefore& before);

}  // namespace dupwatch::core
