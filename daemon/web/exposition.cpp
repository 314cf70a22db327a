#include "daemon/web/exposition.hpp"

#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/web/build_info.hpp"
#include "daemon/web/metric_table.hpp"
#include "daemon/web/process_stats.hpp"

namespace dupwatch::web {
namespace {

[[nodiscard]] prometheus::MetricType library_type(MetricType type) noexcept {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

class SnapshotCollector final : public prometheus::Collectable {
 public:
  SnapshotCollector(const core::StatusSnapshot& status, const core::Profile& profile)
      : status_(status), profile_(profile) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    const Scrape scrape{
        .status = status_, .profile = profile_, .process = read_process_stats(), .build = build_info()};
    std::vector<prometheus::MetricFamily> families;
    families.reserve(metric_table().size());
    for (const auto& metric : metric_table()) {
      prometheus::MetricFamily family;
      family.name = metric.name;
      family.help = metric.help;
      family.type = library_type(metric.type);
      SeriesSink sink{family};
      metric.collect(scrape, sink);
      families.push_back(std::move(family));
    }
    return families;
  }

 private:
  const core::StatusSnapshot& status_;
  const core::Profile& profile_;
};

[[nodiscard]] std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

/// A bucket's bound, which OpenMetrics wants as a float: 1.0.
[[nodiscard]] std::string bound(double value) {
  auto text = number(value);
  if (text.find_first_of(".enI") == std::string::npos) text += ".0";
  return text;
}

void append_quoted(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

/// One line; `le` is a bucket's bound, empty for what is no bucket.
void append_sample(std::string& out, std::string_view name, const prometheus::ClientMetric& metric,
                   std::string_view le, std::string_view value) {
  out += name;
  char separator = '{';
  const auto add = [&](std::string_view label, std::string_view text) {
    out += std::exchange(separator, ',');
    out += label;
    out += "=\"";
    append_quoted(out, text);
    out += '"';
  };
  for (const auto& label : metric.label) add(label.name, label.value);
  if (!le.empty()) add("le", le);
  if (separator == ',') out += '}';
  out += ' ';
  out += value;
  out += '\n';
}

void append_family(std::string& out, const prometheus::MetricFamily& family) {
  constexpr std::string_view kTotal = "_total";
  const bool counter = family.type == prometheus::MetricType::Counter;
  const bool histogram = family.type == prometheus::MetricType::Histogram;
  std::string_view name = family.name;
  // The family of a counter has the name without what each of its samples ends with.
  if (counter && name.ends_with(kTotal)) name.remove_suffix(kTotal.size());
  out += fmt::format("# TYPE {} {}\n# HELP {} ", name,
                     histogram ? "histogram"
                     : counter ? "counter"
                               : "gauge",
                     name);
  append_quoted(out, family.help);
  out += '\n';
  for (const auto& metric : family.metric) {
    if (!histogram) {
      append_sample(out, family.name, metric, "",
                    number(counter ? metric.counter.value : metric.gauge.value));
      continue;
    }
    for (const auto& bucket : metric.histogram.bucket) {
      append_sample(out, fmt::format("{}_bucket", name), metric, bound(bucket.upper_bound),
                    std::to_string(bucket.cumulative_count));
    }
    append_sample(out, fmt::format("{}_count", name), metric, "",
                  std::to_string(metric.histogram.sample_count));
    append_sample(out, fmt::format("{}_sum", name), metric, "", number(metric.histogram.sample_sum));
  }
}

}  // namespace

std::string render_open_metrics(const core::StatusSnapshot& status, const core::Profile& profile) {
  std::string out;
  for (const auto& family : SnapshotCollector{status, profile}.Collect()) append_family(out, family);
  return out + "# EOF\n";
}

std::string render_metrics(const core::StatusSnapshot& status, const core::Profile& profile) {
  return prometheus::TextSerializer{}.Serialize(SnapshotCollector{status, profile}.Collect());
}

}  // namespace dupwatch::web
