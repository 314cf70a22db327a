#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/web/metric_table.hpp"

namespace dupwatch::web {
namespace {

[[nodiscard]] std::string_view type_name(MetricType type) noexcept {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "?";
}

[[nodiscard]] std::size_t series_max() {
  std::size_t series = 0;
  for (const auto& metric : metric_table()) series += metric.series_max;
  return series;
}

[[nodiscard]] std::vector<std::string_view> label_names(std::string_view labels) {
  std::vector<std::string_view> names;
  while (!labels.empty()) {
    const auto end = std::min(labels.find(','), labels.size());
    names.push_back(labels.substr(0, end));
    labels.remove_prefix(std::min(end + 1, labels.size()));
  }
  return names;
}

[[nodiscard]] std::string as_markdown() {
  std::string rows;
  for (const auto& metric : metric_table()) {
    std::string labels;
    for (const auto name : label_names(metric.labels)) {
      labels += fmt::format("{}`{}`", labels.empty() ? "" : ", ", name);
    }
    rows += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", metric.name, type_name(metric.type), labels,
                        metric.unit == "1" ? "" : metric.unit, metric.help, metric.series_max);
  }
  return fmt::format(
      "# Metrics\n\n"
      "Served at `/metrics` in Prometheus' text format 0.0.4. This page is what\n"
      "`dupwatch metrics --describe --format markdown` prints, from the table that the exposition itself is "
      "made of; tests\n"
      "compare the two.\n\n"
      "- Every series is there, at 0, from the first scrape on, unless its description says when it is "
      "absent.\n"
      "- Labels come from closed lists and from the configuration, never from rows: run ids, correlation ids "
      "and the\n"
      "  like are in the log, in `findings.file` and at `/api/findings`. One instance exports at most {} "
      "series,\n"
      "  whatever the number of runs and findings.\n"
      "- A scrape reads a snapshot in memory and never asks the database.\n\n"
      "| Name | Type | Labels | Unit | Meaning | Series at most |\n"
      "|---|---|---|---|---|---|\n"
      "{}",
      series_max(), rows);
}

[[nodiscard]] std::string as_text() {
  using Row = std::array<std::string, 6>;
  std::vector<Row> rows = {{"NAME", "TYPE", "LABELS", "UNIT", "SERIES", "HELP"}};
  for (const auto& metric : metric_table()) {
    rows.push_back({std::string{metric.name}, std::string{type_name(metric.type)}, std::string{metric.labels},
                    metric.unit == "1" ? std::string{} : std::string{metric.unit},
                    std::to_string(metric.series_max), std::string{metric.help}});
  }
  std::array<std::size_t, 5> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  const auto out = std::back_inserter(text);
  for (const auto& row : rows) {
    fmt::format_to(out, "{:<{}}  {:<{}}  {:<{}}  {:<{}}  {:>{}}  {}\n", row[0], widths[0], row[1], widths[1],
                   row[2], widths[2], row[3], widths[3], row[4], widths[4], row[5]);
  }
  fmt::format_to(out, "\n{} metrics, at most {} series\n", metric_table().size(), series_max());
  return text;
}

[[nodiscard]] std::string as_json() {
  std::string metrics;
  for (const auto& metric : metric_table()) {
    std::string labels;
    for (const auto name : label_names(metric.labels)) {
      labels += fmt::format(R"({}"{}")", labels.empty() ? "" : ",", name);
    }
    std::string unit = "null";
    if (metric.unit != "1") unit = fmt::format(R"("{}")", metric.unit);
    metrics += fmt::format(R"({}{{"name":"{}","type":"{}","labels":[{}],"unit":{},"series_max":{},"help":)",
                           metrics.empty() ? "" : ",", metric.name, type_name(metric.type), labels, unit,
                           metric.series_max);
    core::append_json_string(metrics, metric.help);
    metrics += '}';
  }
  return fmt::format(R"({{"series_max":{},"metrics":[{}]}})"
                     "\n",
                     series_max(), metrics);
}

}  // namespace

std::string describe_metrics(DescriptionFormat format) {
  switch (format) {
    case DescriptionFormat::kText:
      return as_text();
    case DescriptionFormat::kJson:
      return as_json();
    case DescriptionFormat::kMarkdown:
      return as_markdown();
  }
  return {};
}

}  // namespace dupwatch::web
