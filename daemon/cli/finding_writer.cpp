#include "daemon/cli/finding_writer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "daemon/cli/report_error.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

std::string text_lines(const core::Finding& finding, bool colours) {
  auto out = fmt::format("{}{:<8}{}  {}  run {}  finding {}\n", colour_of(finding.severity, colours),
                         to_string(finding.severity), colour_end(colours), finding.rule_name(),
                         core::visible(finding.run_id), core::finding_id_text(finding.id));
  out += fmt::format("          {} {}, row {}\n", finding.type.empty() ? "-" : core::visible(finding.type),
                     core::visible(identity_text(finding)),
                     finding.duplicate.id.empty() ? "-" : core::visible(finding.duplicate.id));
  if (!finding.canonical.id.empty())
    out += fmt::format("          canonical row {}", core::visible(finding.canonical.id));
  if (finding.closing && finding.closing->id != finding.canonical.id)
    out += fmt::format(", closed by {}", core::visible(finding.closing->id));
  if (!finding.canonical.id.empty()) out += '\n';
  out += fmt::format("          {}: {}{}\n", core::rule_info(finding.rule).sentence, finding.reason(),
                     finding.state == core::FindingState::kRunEnded ? " (the run has ended)" : "");
  return out;
}

}  // namespace

std::size_t screen_columns(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string padded(std::string text, std::size_t width) {
  const auto columns = screen_columns(text);
  if (columns < width) text.append(width - columns, ' ');
  return text;
}

std::string identity_text(const core::Finding& finding) {
  std::string text;
  for (const auto& value : finding.identity) {
    if (!text.empty()) text += ' ';
    text += value.value_or("NULL");
  }
  return text;
}

std::string fix_form(bool by_hand, std::string_view config_option, std::string_view ids) {
  return by_hand ? fmt::format("explain{} RUN --repair-plan FILE", config_option)
                 : fmt::format("quarantine apply{} {}", config_option, ids);
}

std::string_view csv_header() noexcept {
  return "finding_id,severity,rule,state,engine,run_id,correlation_id,type,canonical_id,duplicate_id,closing_"
         "id,"
         "after_close,flagged_at,reason\n";
}

std::string csv_line(const core::Finding& finding) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", core::finding_id_text(finding.id),
                     to_string(finding.severity), to_string(finding.rule), to_string(finding.state),
                     to_string(finding.engine), csv_field(finding.run_id), csv_field(identity_text(finding)),
                     csv_field(finding.type), csv_field(finding.canonical.id),
                     csv_field(finding.duplicate.id), csv_field(finding.closing_id().value_or("")),
                     finding.after_close, core::to_iso8601(finding.flagged_at), csv_field(finding.reason()));
}

std::string_view colour_of(core::Severity severity, bool colours) noexcept {
  if (!colours) return {};
  switch (severity) {
    case core::Severity::kFatal:
      return "\x1b[1;31m";
    case core::Severity::kConflict:
      return "\x1b[33m";
    case core::Severity::kHarmless:
      return "\x1b[32m";
    case core::Severity::kUnknown:
      return "\x1b[36m";
  }
  return {};
}

std::string_view colour_end(bool colours) noexcept {
  return colours ? "\x1b[0m" : "";
}

std::string csv_field(std::string_view text) {
  const bool formula =
      !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  const bool quoted = text.find_first_of(",\"\r\n") != std::string_view::npos;
  std::string out;
  if (quoted) out += '"';
  if (formula) out += '\'';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  if (quoted) out += '"';
  return out;
}

FindingWriter::FindingWriter(OutputFormat format, std::string config_option)
    : format_(format), config_option_(std::move(config_option)), colours_(isatty(STDOUT_FILENO) == 1) {
  if (format_ == OutputFormat::kCsv) print(csv_header());
}

void FindingWriter::write(const core::Finding& finding) {
  ++written_;
  by_hand_ = by_hand_ || finding.by_hand;
  ++counts_[static_cast<std::size_t>(finding.rule)][static_cast<std::size_t>(finding.severity)];
  switch (format_) {
    case OutputFormat::kText:
      print(text_lines(finding, colours_));
      break;
    case OutputFormat::kJson:
      print(core::to_json(finding) + '\n');
      break;
    case OutputFormat::kCsv:
      print(csv_line(finding));
      break;
  }
}

void FindingWriter::finish(const Summary& summary) {
  if (format_ == OutputFormat::kCsv) return;
  std::string counts;
  for (std::size_t rule = 0; rule < core::kRules; ++rule) {
    for (std::size_t severity = 0; severity < core::kSeverities; ++severity) {
      const auto count = counts_[rule][severity];
      if (count == 0) continue;
      const auto name = to_string(static_cast<core::Rule>(rule));
      const auto how = to_string(static_cast<core::Severity>(severity));
      if (format_ == OutputFormat::kJson) {
        counts += fmt::format(R"({}{{"rule":"{}","severity":"{}","findings":{}}})", counts.empty() ? "" : ",",
                              name, how, count);
      } else {
        counts += fmt::format("  {:>9}  {:<8}  {}\n", count, how, name);
      }
    }
  }
  if (format_ == OutputFormat::kJson) {
    std::string next = "null";
    if (!summary.next_after.empty()) {
      next.clear();
      core::append_json_string(next, summary.next_after);
    }
    print(fmt::format(
        R"({{"event":"audit","complete":{},"rows":{},"runs":{},"findings":{},"by_rule":[{}],"next_after":{}}})"
        "\n",
        summary.complete, summary.rows, summary.runs, written_, counts, next));
    return;
  }
  print(fmt::format("{}{} {} in {} {} of {} {}{}\n{}", written_ != 0 ? "\n" : "", written_,
                    written_ == 1 ? "finding" : "findings", summary.rows, summary.rows == 1 ? "row" : "rows",
                    summary.runs, summary.runs == 1 ? "run" : "runs",
                    summary.complete ? "" : ", not complete", counts));
  if (written_ != 0)
    print(fmt::format("look at one: dupwatch explain{0} RUN; take a fatal row out: dupwatch {1}\n",
                      config_option_, fix_form(by_hand_, config_option_, "RUN FINDING")));
}

}  // namespace dupwatch::cli
