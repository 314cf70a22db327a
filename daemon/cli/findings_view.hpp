#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/finding.hpp"

/// Findings as text, for `dupwatch findings`. Pure.
namespace dupwatch::cli {

/// No line of the narrow tables is longer, in columns of the screen.
inline constexpr std::size_t kTableColumnsMax = 100;

/// In the order in which a person acts: open fatal ones, open conflicts, acknowledged ones of both, the
/// others; in each the newest
/// first.
void sort_for_action(std::vector<core::Finding>& findings);

enum class TableWidth : std::uint8_t {
  kNarrow,  ///< at most kTableColumnsMax; a run id that is too long is cut
  kWide     ///< everything, uncut
};

/// A line of headings and one for each finding.
[[nodiscard]] std::string findings_table(const std::vector<core::Finding>& findings, TableWidth width,
                                         decoder::Timestamp now, bool colours);

/// One line of that table, without headings, for findings that come one by one.
[[nodiscard]] std::string findings_line(const core::Finding& finding, TableWidth width,
                                        decoder::Timestamp now, bool colours);

/// A line for each run: how many findings of which severity are open, how many are over, and when the newest
/// was reported. The runs are in the order of their first findings.
[[nodiscard]] std::string runs_table(const std::vector<core::Finding>& findings, bool colours);

/// Everything about one, with the commands to go on with; `config_option` is put into each.
[[nodiscard]] std::string finding_text(const core::Finding& finding, std::string_view config_option,
                                       bool colours);

/// "by alice until 2026-11-24T05:21:38Z: why".
[[nodiscard]] std::string acknowledgement_text(const core::Acknowledgement& acknowledgement);

/// "45s", "3m", "2h", "5d": of a duration in microseconds, rounded down.
[[nodiscard]] std::string age_text(std::int64_t micros);

/// RFC 3339 in UTC without a fraction.
[[nodiscard]] std::string seconds_text(decoder::Timestamp time);

}  // namespace dupwatch::cli
