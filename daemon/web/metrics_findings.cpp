#include <algorithm>
#include <array>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {
namespace {

using core::kRules;
using core::kSeverities;

// 27 pairs in the table of cases; the configuration can add one for each rule. Of a fatal pair, one for each
// rule at most, there are two series.
constexpr std::size_t kSeverityPairs = 27 + 2 * kRules;

/// A severity that the rule can have by its table of cases; any other only by the configuration, and then its
/// series begins with the first finding.
[[nodiscard]] bool is_listed(core::Rule rule, core::Severity severity) noexcept {
  return std::ranges::any_of(core::rule_cases(), [&](const core::RuleCase& entry) {
    return entry.rule == rule && std::ranges::count(entry.severity, severity) != 0;
  });
}

/// Calls `add` for every pair of rule and severity that is listed or has a count.
template <class Count, class Add>
void each_severity(const Count& count, const Add& add) {
  for (std::size_t rule = 0; rule < kRules; ++rule) {
    for (std::size_t severity = 0; severity < kSeverities; ++severity) {
      const auto r = static_cast<core::Rule>(rule);
      const auto s = static_cast<core::Severity>(severity);
      if (is_listed(r, s) || count(rule, severity) != 0) add(rule, severity, to_string(r), to_string(s));
    }
  }
}

/// The two series of a fatal pair, the one of any other.
template <class Add>
void each_pending(std::size_t severity, std::uint64_t count, std::uint64_t may_return, const Add& add) {
  if (static_cast<core::Severity>(severity) != core::Severity::kFatal) {
    add(count, to_string(core::Pending::kNone));
    return;
  }
  add(count - may_return, to_string(core::Pending::kCertain));
  add(may_return, to_string(core::Pending::kMayReturn));
}

void collect_findings(S s, Out out) {
  const auto& findings = s.status.counters.findings;
  const auto& may_return = s.status.counters.findings_may_return;
  const auto sum = [](const auto& by_origin) {
    std::uint64_t total = 0;
    for (const auto count : by_origin) total += count;
    return total;
  };
  const auto streamed = [](const auto& by_origin) {
    return by_origin[static_cast<std::size_t>(core::Origin::kStream)] +
           by_origin[static_cast<std::size_t>(core::Origin::kReadBack)];
  };
  const auto total = [&](std::size_t rule, std::size_t severity) { return sum(findings[rule][severity]); };
  each_severity(total, [&](std::size_t rule, std::size_t severity, std::string_view r, std::string_view sev) {
    const auto& all = findings[rule][severity];
    const auto& some = may_return[rule];
    each_pending(severity, streamed(all), streamed(some), [&](std::uint64_t count, std::string_view pending) {
      out.add(count, {{"rule", r}, {"severity", sev}, {"origin", "stream"}, {"pending", pending}});
    });
    each_pending(severity, sum(all) - streamed(all), sum(some) - streamed(some),
                 [&](std::uint64_t count, std::string_view pending) {
                   out.add(count, {{"rule", r}, {"severity", sev}, {"origin", "scan"}, {"pending", pending}});
                 });
  });
}

void collect_open_findings(S s, Out out) {
  const auto& open = s.status.findings.open;
  each_severity([&](std::size_t rule, std::size_t severity) { return open[rule][severity]; },
                [&](std::size_t rule, std::size_t severity, std::string_view r, std::string_view sev) {
                  each_pending(severity, open[rule][severity], s.status.findings.may_return[rule],
                               [&](std::uint64_t count, std::string_view pending) {
                                 out.add(count, {{"rule", r}, {"severity", sev}, {"pending", pending}});
                               });
                });
}

constexpr auto kFindingsMetrics = std::to_array<MetricDef>({
    {"dupwatch_findings_total", kCounter, "rule,severity,origin,pending", "1",
     "New findings since the start; origin stream: events as they commit, scan: the baseline and periodic "
     "checks; pending: whether the next replay meets a fatal row (certain) or the run may return first",
     kSeverityPairs * 2, collect_findings},
    {"dupwatch_open_findings", kGauge, "rule,severity,pending", "1",
     "Findings whose rows are in the log of a run that has not ended", kSeverityPairs, collect_open_findings},
    {"dupwatch_acknowledged_findings", kGauge, "severity", "1",
     "Findings whose rows are in the log of a run that has not ended, and which somebody has acknowledged; "
     "none of them is in dupwatch_open_findings",
     kSeverities,
     [](S s, Out out) {
       for (std::size_t severity = 0; severity < kSeverities; ++severity) {
         out.add(s.status.findings.acknowledged[severity],
                 {{"severity", to_string(static_cast<core::Severity>(severity))}});
       }
     }},
    {"dupwatch_findings_after_end_total", kCounter, "rule", "1",
     "Fatal rows that came when their run had ended: no replay reads them, and no other metric counts them",
     kRules,
     [](S s, Out out) {
       for (std::size_t rule = 0; rule < kRules; ++rule) {
         out.add(s.status.counters.findings_after_end[rule],
                 {{"rule", to_string(static_cast<core::Rule>(rule))}});
       }
     }},
    {"dupwatch_repeated_work_total", kCounter, "kind", "1",
     "Work that was done again, which is no finding; step_body: a step was begun more often than its "
     "recorded "
     "retries explain",
     1,
     [](S s, Out out) {
       out.add(s.status.repeated.steps_total, {{"kind", "step_body"}});
     }},
    {"dupwatch_engine_table_rows", kGauge, "kind", "1",
     "Stuck or shared work in the engine's tables beside the log that two looks in a row found, at most 100 "
     "of a kind; absent where dupwatch may not read the table",
     core::kEngineTableTroubles,
     [](S s, Out out) {
       for (std::size_t kind = 0; kind < core::kEngineTableTroubles; ++kind) {
         if (const auto rows = s.status.engine_tables.rows[kind])
           out.add(*rows, {{"kind", to_string(static_cast<core::EngineTableTrouble>(kind))}});
       }
     }},
    {"dupwatch_queue_jobs_total", kCounter, "", "1",
     "Jobs that were put into the engine's queue, by the server's statistics; absent without a queue of "
     "graphile-worker, and on a standby",
     1,
     [](S s, Out out) {
       if (const auto jobs = s.status.engine_tables.jobs) out.add(*jobs);
     }},
    {"dupwatch_finding_changes_total", kCounter, "", "1",
     "Findings reported again because their severity, state or rows changed", 1,
     [](S s, Out out) { out.add(s.status.counters.finding_changes); }},
    {"dupwatch_findings_log_suppressed_total", kCounter, "", "1",
     "Findings left out of the log by findings.log_rate_max", 1,
     [](S s, Out out) { out.add(s.status.counters.findings_log_suppressed); }},
    {"dupwatch_log_lines_lost_total", kCounter, "", "1",
     "Lines of the log that stderr did not take, because it was full, closed or not read", 1,
     [](S s, Out out) { out.add(s.status.counters.log_lines_lost); }},
    {"dupwatch_findings_durable", kGauge, "", "1",
     "0 while findings.file or findings.table refuses to take findings, which holds the slot's position", 1,
     [](S s, Out out) { out.add(s.status.findings.durable); }},
    {"dupwatch_findings_waiting", kGauge, "", "1", "Findings not yet written to findings.table", 1,
     [](S s, Out out) { out.add(s.status.findings.waiting); }},
    {"dupwatch_findings_write_failures_total", kCounter, "store", "1",
     "Failed attempts to read or write findings, which are retried", 2,
     [](S s, Out out) {
       out.add(s.status.findings.write_failures[0], {{"store", "file"}});
       out.add(s.status.findings.write_failures[1], {{"store", "table"}});
     }},
    {"dupwatch_commit_to_flag_seconds", MetricType::kHistogram, "", "seconds",
     "From the commit of a duplicate, by the server's clock, to its finding", kHistogramSeries,
     [](S s, Out out) { out.add(s.status.counters.commit_to_flag); }},
    {"dupwatch_commit_order_inversion_seconds", MetricType::kHistogram, "", "seconds",
     "Age of an event's id against the newest id of its run that committed before it; ULID runs only",
     kHistogramSeries, [](S s, Out out) { out.add(s.status.counters.commit_order_inversion); }},
    {"dupwatch_order_delay_seconds", MetricType::kHistogram, "", "seconds",
     "How long a row was invisible when a row of the table with a greater id was not; all rows, of which "
     "most "
     "waited for nothing; absent without table.order_watch",
     kHistogramSeries,
     [](S s, Out out) {
       if (s.status.order_watch.enabled) out.add(s.status.order_watch.delay);
     }},
    {"dupwatch_order_needed_delay_seconds", kGauge, "share", "seconds",
     "The delay that a reader by id needs in order to see this share of all rows since the start; absent "
     "without "
     "table.order_watch",
     core::kOrderShares.size(),
     [](S s, Out out) {
       if (!s.status.order_watch.enabled) return;
       for (std::size_t i = 0; i < core::kOrderShares.size(); ++i)
         out.add(s.status.order_watch.needed[i], {{"share", core::kOrderShareNames[i]}});
     }},
    {"dupwatch_order_rows_behind_total", kCounter, "", "1",
     "Rows that committed when a row of the table with a greater id had; absent without table.order_watch", 1,
     [](S s, Out out) {
       if (s.status.order_watch.enabled) out.add(s.status.order_watch.behind);
     }},
});

}  // namespace

std::span<const MetricDef> findings_metrics() noexcept {
  return kFindingsMetrics;
}

}  // namespace dupwatch::web
