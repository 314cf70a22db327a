#include "daemon/cli/findings_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <unordered_map>
#include <utility>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

using core::Finding;
using core::FindingState;
using core::Severity;

constexpr std::string_view kGap = "  ";

/// What a person acts on first is the smallest.
int urgency(const Finding& finding) noexcept {
  const bool pressing = finding.severity == Severity::kFatal || finding.severity == Severity::kConflict;
  if (!pressing || !finding.stands()) return 3;
  if (finding.state == FindingState::kAcknowledged) return 2;
  return finding.severity == Severity::kFatal ? 0 : 1;
}

/// At most `width` columns; what is cut ends in an ellipsis.
std::string cut(std::string text, std::size_t width) {
  if (screen_columns(text) <= width) return text;
  std::size_t end = 0;
  for (std::size_t columns = 0; end < text.size(); ++end) {
    if ((static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) continue;
    if (++columns == width) break;
  }
  text.resize(end);
  return text + "…";
}

struct Column {
  std::string_view heading;
  /// What a line alone reserves for it.
  std::size_t usual;
};
constexpr std::size_t kRunColumn = 3;
constexpr auto kNarrow = std::to_array<Column>(
    {{"SEVERITY", 8}, {"STATE", 9}, {"RULE", 21}, {"RUN", 31}, {"FINDING", 16}, {"AGE", 4}});
constexpr auto kWide = std::to_array<Column>({{"SEVERITY", 8},
                                              {"STATE", 12},
                                              {"RULE", 22},
                                              {"RUN", 31},
                                              {"FINDING", 16},
                                              {"REPORTED", 20},
                                              {"PENDING", 10},
                                              {"TYPE", 16},
                                              {"IDENTITY", 31},
                                              {"ROW", 31}});

using Cells = std::vector<std::string>;

Cells cells_of(const Finding& finding, TableWidth width, decoder::Timestamp now) {
  Cells cells{std::string(to_string(finding.severity)), std::string(to_string(finding.state)),
              std::string(finding.rule_name()), core::visible(finding.run_id),
              core::finding_id_text(finding.id)};
  if (width == TableWidth::kNarrow) {
    cells.push_back(age_text(now.micros - finding.flagged_at.micros));
    return cells;
  }
  cells.push_back(seconds_text(finding.flagged_at));
  cells.emplace_back(to_string(finding.pending));
  cells.push_back(finding.type.empty() ? "-" : core::visible(finding.type));
  cells.push_back(core::visible(identity_text(finding)));
  cells.push_back(finding.duplicate.id.empty() ? "-" : core::visible(finding.duplicate.id));
  return cells;
}

std::string line_of(Cells cells, const std::vector<std::size_t>& widths, std::string_view before,
                    std::string_view after) {
  std::string out;
  cells.resize(widths.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    auto cell = cut(std::move(cells[i]), widths[i]);
    // Nothing comes behind the last one.
    if (i + 1 < cells.size()) cell = padded(std::move(cell), widths[i]);
    if (i == 0) {
      out += fmt::format("{}{}{}", before, cell, after);
    } else {
      out += fmt::format("{}{}", kGap, cell);
    }
  }
  return out + '\n';
}

std::string line_of(Cells cells, const std::vector<std::size_t>& widths) {
  return line_of(std::move(cells), widths, {}, {});
}

std::size_t line_width(const std::vector<std::size_t>& widths) {
  std::size_t sum = kGap.size() * (widths.size() - 1);
  for (const auto width : widths) sum += width;
  return sum;
}

/// Takes from one column what the line has too much.
void fit(std::vector<std::size_t>& widths, std::size_t column) {
  const auto sum = line_width(widths);
  if (sum <= kTableColumnsMax) return;
  const auto too_much = sum - kTableColumnsMax;
  widths[column] = widths[column] > too_much + 1 ? widths[column] - too_much : 1;
}

/// The run is to be copied into the next command: the age goes first.
void fit_narrow(std::vector<std::size_t>& widths) {
  if (line_width(widths) > kTableColumnsMax) widths.pop_back();
  fit(widths, kRunColumn);
}

std::span<const Column> columns_for(TableWidth width) noexcept {
  return width == TableWidth::kNarrow ? std::span<const Column>(kNarrow) : std::span<const Column>(kWide);
}

std::string colours_line(const Finding& finding, Cells cells, const std::vector<std::size_t>& widths,
                         bool colours) {
  // What is over is no reason for red.
  const bool open = finding.state == FindingState::kOpen;
  return line_of(std::move(cells), widths, colour_of(finding.severity, colours && open),
                 colour_end(colours && open));
}

void append_row(std::string& out, std::string_view role, const core::RowEvidence& row) {
  if (row.id.empty()) return;
  out += fmt::format("  {:<15}{}", role, core::visible(row.id));
  if (row.commit_time) out += fmt::format(", committed {}", core::to_iso8601(*row.commit_time));
  if (row.xid) out += fmt::format(", xid {}", *row.xid);
  if (row.commit_lsn) out += fmt::format(", LSN {}", decoder::to_string(*row.commit_lsn));
  out += '\n';
}

}  // namespace

void sort_for_action(std::vector<Finding>& findings) {
  std::ranges::stable_sort(findings, [](const Finding& a, const Finding& b) {
    if (const auto left = urgency(a), right = urgency(b); left != right) return left < right;
    return a.flagged_at.micros > b.flagged_at.micros;
  });
}

std::string findings_table(const std::vector<Finding>& findings, TableWidth width, decoder::Timestamp now,
                           bool colours) {
  std::vector<Cells> lines;
  Cells headings;
  std::vector<std::size_t> widths;
  for (const auto& column : columns_for(width)) {
    headings.emplace_back(column.heading);
    widths.push_back(column.heading.size());
  }
  for (const auto& finding : findings) {
    lines.push_back(cells_of(finding, width, now));
    for (std::size_t i = 0; i < widths.size(); ++i)
      widths[i] = std::max(widths[i], screen_columns(lines.back()[i]));
  }
  if (width == TableWidth::kNarrow) fit_narrow(widths);
  auto out = line_of(headings, widths);
  for (std::size_t i = 0; i < lines.size(); ++i)
    out += colours_line(findings[i], std::move(lines[i]), widths, colours);
  return out;
}

std::string findings_line(const Finding& finding, TableWidth width, decoder::Timestamp now, bool colours) {
  std::vector<std::size_t> widths;
  auto cells = cells_of(finding, width, now);
  for (std::size_t i = 0; const auto& column : columns_for(width)) {
    widths.push_back(std::max(column.usual, screen_columns(cells[i])));
    ++i;
  }
  if (width == TableWidth::kNarrow) fit_narrow(widths);
  return colours_line(finding, std::move(cells), widths, colours);
}

std::string runs_table(const std::vector<Finding>& findings, bool colours) {
  struct Run {
    const Finding* first = nullptr;
    std::array<std::size_t, core::kSeverities> open{};
    std::size_t over = 0;
    decoder::Timestamp newest;
  };
  std::vector<Run> runs;
  std::unordered_map<std::string_view, std::size_t> place;
  for (const auto& finding : findings) {
    const auto [at, added] = place.emplace(finding.run_id, runs.size());
    if (added) runs.push_back({.first = &finding, .open = {}, .over = 0, .newest = finding.flagged_at});
    auto& run = runs[at->second];
    if (finding.state == FindingState::kOpen) {
      ++run.open[static_cast<std::size_t>(finding.severity)];
    } else {
      ++run.over;
    }
    run.newest.micros = std::max(run.newest.micros, finding.flagged_at.micros);
  }
  std::vector<std::size_t> widths{3, 5, 8, 8, 7, 6, 20};
  for (const auto& run : runs)
    widths[0] = std::max(widths[0], screen_columns(core::visible(run.first->run_id)));
  fit(widths, 0);
  auto out = line_of({"RUN", "FATAL", "CONFLICT", "HARMLESS", "UNKNOWN", "CLOSED", "NEWEST"}, widths);
  for (const auto& run : runs) {
    Cells cells{core::visible(run.first->run_id)};
    for (const auto count : run.open) cells.push_back(std::to_string(count));
    cells.push_back(std::to_string(run.over));
    cells.push_back(seconds_text(run.newest));
    out += colours_line(*run.first, std::move(cells), widths, colours);
  }
  return out;
}

std::string finding_text(const Finding& finding, std::string_view config_option, bool colours) {
  const bool open = finding.state == FindingState::kOpen;
  auto out = fmt::format("finding {}: {}{}{} {}, {}\n", core::finding_id_text(finding.id),
                         colour_of(finding.severity, colours && open), to_string(finding.severity),
                         colour_end(colours && open), finding.rule_name(), to_string(finding.state));
  out += fmt::format("  {:<15}{}\n", "run", core::visible(finding.run_id));
  out += fmt::format("  {:<15}{}\n", "what", core::rule_info(finding.rule).sentence);
  if (!finding.reason().empty()) out += fmt::format("  {:<15}{}\n", "why", finding.reason());
  out += fmt::format("  {:<15}{} {}\n", "event", finding.type.empty() ? "-" : core::visible(finding.type),
                     core::visible(identity_text(finding)));
  append_row(out, "canonical row", finding.canonical);
  append_row(out, "row at fault", finding.duplicate);
  if (finding.closing) append_row(out, "closing event", *finding.closing);
  out +=
      fmt::format("  {:<15}{}, by {}, for engine {} ({})\n", "reported", core::to_iso8601(finding.flagged_at),
                  to_string(finding.origin), to_string(finding.engine), clause_of(finding.engine_from));
  if (open && finding.severity == Severity::kFatal)
    out += fmt::format("  {:<15}{}\n", "pending", to_string(finding.pending));
  if (finding.acknowledgement)
    out += fmt::format("  {:<15}{}\n", "acknowledged", acknowledgement_text(*finding.acknowledgement));
  out += "\nNext:\n";
  out += fmt::format("  {}\n", core::visible(core::explain_command(finding.run_id, config_option)));
  if (const auto fix = core::fix_command(finding, config_option); !fix.empty())
    out += fmt::format("  {}\n", core::visible(fix));
  return out;
}

std::string acknowledgement_text(const core::Acknowledgement& acknowledgement) {
  return fmt::format("by {} until {}: {}", core::visible(acknowledgement.by),
                     seconds_text(acknowledgement.until), core::visible(acknowledgement.comment));
}

std::string age_text(std::int64_t micros) {
  const auto seconds = std::max<std::int64_t>(micros, 0) / 1'000'000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 86'400) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86'400);
}

std::string seconds_text(decoder::Timestamp time) {
  return core::to_iso8601(time).substr(0, 19) + "Z";
}

}  // namespace dupwatch::cli
