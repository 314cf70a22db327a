#include <array>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {
namespace {

using core::kEvictions;

void collect_evictions(S s, Out out) {
  for (std::size_t i = 0; i < kEvictions; ++i) {
    out.add(s.status.counters.evictions[i], {{"reason", to_string(static_cast<core::Eviction>(i))}});
  }
}

constexpr auto kIndexMetrics = std::to_array<MetricDef>({
    {"dupwatch_index_runs", kGauge, "", "1", "Runs in the index", 1,
     [](S s, Out out) { out.add(s.status.index.runs); }},
    {"dupwatch_index_rows", kGauge, "", "1", "Rows in the index", 1,
     [](S s, Out out) { out.add(s.status.index.rows); }},
    {"dupwatch_index_memory_bytes", kGauge, "", "bytes", "Memory of the index", 1,
     [](S s, Out out) { out.add(s.status.index.bytes); }},
    {"dupwatch_index_memory_limit_bytes", kGauge, "", "bytes", "index.memory_max", 1,
     [](S s, Out out) { out.add(s.status.index.bytes_max); }},
    {"dupwatch_index_evictions_total", kCounter, "reason", "1", "Runs that left the index", kEvictions,
     collect_evictions},
    {"dupwatch_read_backs_total", kCounter, "", "1", "Queries that read rows of runs back from the table", 1,
     [](S s, Out out) { out.add(s.status.counters.read_backs); }},
    {"dupwatch_read_back_failures_total", kCounter, "", "1",
     "Read-back queries that failed and were repeated", 1,
     [](S s, Out out) { out.add(s.status.counters.read_back_failures); }},
    {"dupwatch_read_back_runs_total", kCounter, "", "1", "Runs read back", 1,
     [](S s, Out out) { out.add(s.status.counters.read_back_runs); }},
    {"dupwatch_read_back_rows_total", kCounter, "", "1", "Rows read back", 1,
     [](S s, Out out) { out.add(s.status.counters.read_back_rows); }},
    {"dupwatch_read_back_pending_runs", kGauge, "", "1", "Runs waiting to be read back", 1,
     [](S s, Out out) { out.add(s.status.index.read_back_pending); }},
});

}  // namespace

std::span<const MetricDef> index_metrics() noexcept {
  return kIndexMetrics;
}

}  // namespace dupwatch::web
