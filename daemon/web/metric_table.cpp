#include "daemon/web/metric_table.hpp"

#include <prometheus/metric_family.h>

#include <limits>
#include <vector>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {

void SeriesSink::add(double value, Labels labels) {
  auto& metric = family_.metric.emplace_back();
  for (const auto& [name, text] : labels) metric.label.push_back({std::string{name}, std::string{text}});
  if (family_.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

void SeriesSink::add(const core::LatencyHistogram& histogram) {
  auto& out = family_.metric.emplace_back().histogram;
  for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
    out.sample_count += histogram.buckets[i];
    const bool last = i == core::kLatencyBounds.size();
    out.bucket.push_back(
        {out.sample_count, last ? std::numeric_limits<double>::infinity() : core::kLatencyBounds[i]});
  }
  out.sample_sum = histogram.sum_seconds;
}

namespace {

[[nodiscard]] std::vector<MetricDef> joined() {
  std::vector<MetricDef> table;
  for (const auto part : {stream_metrics(), findings_metrics(), index_metrics(), coverage_metrics(),
                          slot_metrics(), webhook_metrics(), quarantine_metrics(), process_metrics()}) {
    table.insert(table.end(), part.begin(), part.end());
  }
  return table;
}

}  // namespace

std::span<const MetricDef> metric_table() {
  static const std::vector<MetricDef> table = joined();
  return table;
}

}  // namespace dupwatch::web
