#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "daemon/core/stats.hpp"
#include "daemon/web/metric_table.hpp"

/// The parts of the metric table, one per subject, in the order of the page; and what their rows share.
namespace dupwatch::web {

[[nodiscard]] std::span<const MetricDef> stream_metrics() noexcept;
[[nodiscard]] std::span<const MetricDef> findings_metrics() noexcept;
[[nodiscard]] std::span<const MetricDef> index_metrics() noexcept;
[[nodiscard]] std::span<const MetricDef> coverage_metrics() noexcept;
[[nodiscard]] std::span<const MetricDef> slot_metrics() noexcept;
[[nodiscard]] std::span<const MetricDef> webhook_metrics() noexcept;
[[nodiscard]] std::span<const MetricDef> quarantine_metrics() noexcept;
[[nodiscard]] std::span<const MetricDef> process_metrics() noexcept;

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;

/// Buckets, the one without a bound, sum and count.
constexpr std::size_t kHistogramSeries = core::kLatencyBounds.size() + 3;

using S = const Scrape&;
using Out = SeriesSink&;

/// One series per value of an enum, 1 for the current one.
template <class E, std::size_t N>
void one_hot(E current, std::string_view label, Out out) {
  for (std::size_t i = 0; i < N; ++i) {
    const auto value = static_cast<E>(i);
    out.add(value == current, {{label, to_string(value)}});
  }
}

}  // namespace dupwatch::web
