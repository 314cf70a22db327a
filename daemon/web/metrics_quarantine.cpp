#include <array>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {
namespace {

void collect_findings_by_outcome(S s, Out out) {
  for (std::size_t i = 0; i < core::kQuarantineOutcomes; ++i) {
    out.add(s.status.quarantine.findings[i],
            {{"outcome", to_string(static_cast<core::QuarantineOutcome>(i))}});
  }
}

void collect_refusals(S s, Out out) {
  for (std::size_t i = 0; i < core::kQuarantineRefusals; ++i) {
    out.add(s.status.quarantine.refused[i], {{"reason", to_string(static_cast<core::QuarantineRefusal>(i))}});
  }
}

constexpr auto kQuarantineMetrics = std::to_array<MetricDef>({
    {"dupwatch_quarantine_mode", kGauge, "mode", "1", "1 for quarantine.mode, 0 for the others",
     core::kQuarantineModes,
     [](S s, Out out) {
       one_hot<core::QuarantineMode, core::kQuarantineModes>(s.status.quarantine.mode, "mode", out);
     }},
    {"dupwatch_quarantine_state", kGauge, "state", "1",
     "1 for what the daemon's quarantine can do, 0 for the others; tripped: the circuit is open",
     core::kQuarantineStates,
     [](S s, Out out) {
       one_hot<core::QuarantineState, core::kQuarantineStates>(s.status.quarantine.state, "state", out);
     }},
    {"dupwatch_quarantine_findings_total", kCounter, "outcome", "1",
     "Fatal findings that quarantine.mode applies to; already: another was faster, failed: the server "
     "refused, "
     "dropped: too many waited",
     core::kQuarantineOutcomes, collect_findings_by_outcome},
    {"dupwatch_quarantine_refusals_total", kCounter, "reason", "1", "Rows left in the log, and why",
     core::kQuarantineRefusals, collect_refusals},
    {"dupwatch_quarantine_failed_attempts_total", kCounter, "", "1", "Acts that met an error of the server",
     1, [](S s, Out out) { out.add(s.status.quarantine.failed_attempts); }},
    {"dupwatch_quarantine_waiting_findings", kGauge, "", "1", "Findings waiting for quarantine", 1,
     [](S s, Out out) { out.add(s.status.quarantine.waiting); }},
    {"dupwatch_quarantine_commit_to_removal_seconds", MetricType::kHistogram, "", "seconds",
     "From the commit of a row to the commit of its removal", kHistogramSeries,
     [](S s, Out out) { out.add(s.status.quarantine.commit_to_removal); }},
    {"dupwatch_guard_enabled", kGauge, "", "1",
     "1 with the trigger of `dupwatch guard` on the table, as of the last look (recheck.interval)", 1,
     [](S s, Out out) { out.add(s.status.guard.enabled); }},
    {"dupwatch_guard_suppressed_rows_total", kCounter, "", "1",
     "Rows that the guard has kept out since it was installed", 1,
     [](S s, Out out) { out.add(s.status.guard.suppressed); }},
});

}  // namespace

std::span<const MetricDef> quarantine_metrics() noexcept {
  return kQuarantineMetrics;
}

}  // namespace dupwatch::web
