#include <array>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {
namespace {

using core::kBaselineStates;

void collect_gaps(const std::array<std::uint64_t, core::kGapReasons>& counts, Out out) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    out.add(counts[i], {{"reason", to_string(static_cast<core::GapReason>(i))}});
  }
}

void collect_baseline_state(S s, Out out) {
  one_hot<core::BaselineState, kBaselineStates>(s.status.baseline.state, "state", out);
}

constexpr auto kCoverageMetrics = std::to_array<MetricDef>({
    {"dupwatch_baseline_state", kGauge, "state", "1",
     "1 for the state of the baseline scan, 0 for the others", kBaselineStates, collect_baseline_state},
    {"dupwatch_baseline_rows", kGauge, "", "1", "Rows the baseline scan has judged", 1,
     [](S s, Out out) { out.add(s.status.baseline.rows); }},
    {"dupwatch_baseline_runs", kGauge, "", "1", "Runs the baseline scan has judged", 1,
     [](S s, Out out) { out.add(s.status.baseline.runs); }},
    {"dupwatch_baseline_expected_runs", kGauge, "", "1",
     "Estimate of the runs the baseline scan has to judge; 0 = unknown", 1,
     [](S s, Out out) { out.add(s.status.baseline.runs_total); }},
    {"dupwatch_coverage_gaps_total", kCounter, "reason", "1", "Gaps in what was seen, opened since the start",
     core::kGapReasons, [](S s, Out out) { collect_gaps(s.status.coverage.opened, out); }},
    {"dupwatch_open_coverage_gaps", kGauge, "reason", "1",
     "Gaps that no scan of the table has closed: until then there may be duplicates dupwatch has not seen",
     core::kGapReasons, [](S s, Out out) { collect_gaps(s.status.coverage.open, out); }},
    {"dupwatch_coverage_complete_since_timestamp_seconds", kGauge, "", "unix time",
     "Since when there has been no open gap; 0 while there is one", 1,
     [](S s, Out out) {
       const auto& since = s.status.coverage.complete_since;
       out.add(since ? static_cast<double>(since->micros) / 1e6 : 0.0);
     }},
    {"dupwatch_witness_comparisons_total", kCounter, "", "1",
     "Times that the table was asked for rows to compare with the stream", 1,
     [](S s, Out out) { out.add(s.status.witness.comparisons); }},
    {"dupwatch_witness_rows_total", kCounter, "", "1", "Rows on which stream and table agreed", 1,
     [](S s, Out out) { out.add(s.status.witness.rows); }},
    {"dupwatch_witness_disagreements_total", kCounter, "kind", "1",
     "Rows that the table has and the stream never brought (deaf), or the other way round (blind)",
     core::kDisagreements,
     [](S s, Out out) {
       for (std::size_t i = 0; i < core::kDisagreements; ++i) {
         out.add(s.status.witness.disagreements[i],
                 {{"kind", to_string(static_cast<core::Disagreement>(i))}});
       }
     }},
    {"dupwatch_table_identity_ok", kGauge, "", "1",
     "1 while the watched table and publication are such that their rows come and can be read", 1,
     [](S s, Out out) { out.add(s.status.table_identity_ok); }},
    {"dupwatch_schema_release", kGauge, "release", "1",
     "1 for the newest release of the engine whose migrations are all in the schema; no series: not known", 1,
     [](S s, Out out) {
       const auto newest = s.status.schema.newest;
       if (!newest.empty()) out.add(true, {{"release", newest}});
     }},
    {"dupwatch_schema_changes_total", kCounter, "", "1",
     "Times that the engine's schema was another than at the look before, as after a migration", 1,
     [](S s, Out out) { out.add(s.status.schema.changes_total); }},
    {"dupwatch_migration_rows_deleted_total", kCounter, "row", "1",
     "Rows of known duplicates that a migration deleted; canonical: the row that replay reads first", 2,
     [](S s, Out out) {
       const auto& losses = s.status.schema.losses;
       out.add(losses.canonical, {{"row", "canonical"}});
       out.add(losses.deleted - losses.canonical, {{"row", "duplicate"}});
     }},
    {"dupwatch_table_truncates_total", kCounter, "", "1", "Times the watched table was truncated", 1,
     [](S s, Out out) { out.add(s.status.counters.truncates); }},
});

}  // namespace

std::span<const MetricDef> coverage_metrics() noexcept {
  return kCoverageMetrics;
}

}  // namespace dupwatch::web
