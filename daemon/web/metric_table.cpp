#include "daemon/web/metric_table.hpp"

#include <fmt/format.h>
#include <prometheus/metric_family.h>

#include <algorithm>
#include <array>
#include <limits>

#include "decoder/decoder.hpp"
#include "decoder/lsn.hpp"

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

using core::kBaselineStates;
using core::kDisconnects;
using core::kEvictions;
using core::kRules;
using core::kSeverities;
using core::kStreamStates;
using decoder::kDecodeErrorKinds;

// 26 pairs in the table of cases; the configuration can add one for each rule.
constexpr std::size_t kSeverityPairs = 26 + kRules;
constexpr std::size_t kHistogramSeries = core::kLatencyBounds.size() + 3;
// pg_replication_slots.wal_status.
constexpr std::array<std::string_view, 4> kWalStatuses = {"reserved", "extended", "unreserved", "lost"};
constexpr std::string_view kOther = "other";

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

void collect_build_info(S s, Out out) {
  out.add(true,
          {{"version", s.build.version}, {"revision", s.build.revision}, {"compiler", s.build.compiler}});
}

void collect_stream_state(S s, Out out) {
  one_hot<core::StreamState, kStreamStates>(s.status.state, "state", out);
}

void collect_disconnects(S s, Out out) {
  for (std::size_t i = 0; i < kDisconnects; ++i) {
    out.add(s.status.disconnects[i], {{"reason", to_string(static_cast<core::Disconnect>(i))}});
  }
}

void collect_lag_bytes(S s, Out out) {
  // Before the first confirmation the position is 0, and the whole of WAL is not a lag.
  const bool known = s.status.confirmed_lsn.valid();
  out.add(known ? decoder::bytes_between(s.status.confirmed_lsn, s.status.server_lsn) : std::uint64_t{0});
}

void collect_events(S s, Out out) {
  const auto& counts = s.status.counters.events_by_type;
  auto unlisted = counts[core::Profile::kTypesMax];
  // A configured type may have the very name that stands for all unlisted ones.
  const auto named_other = s.profile.find_type(kOther);
  for (std::size_t i = 0; i < s.profile.types.size(); ++i) {
    const auto count = counts[i] + (named_other == i ? unlisted : 0);
    out.add(count, {{"event_type", s.profile.types[i].name}});
  }
  if (!named_other) out.add(unlisted, {{"event_type", kOther}});
}

void collect_decode_errors(S s, Out out) {
  for (std::size_t i = 0; i < kDecodeErrorKinds; ++i) {
    out.add(s.status.counters.decode_errors[i],
            {{"reason", decoder::label(static_cast<decoder::DecodeErrorKind>(i))}});
  }
}

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

void collect_findings(S s, Out out) {
  const auto& findings = s.status.counters.findings;
  const auto total = [&](std::size_t rule, std::size_t severity) {
    std::uint64_t sum = 0;
    for (const auto count : findings[rule][severity]) sum += count;
    return sum;
  };
  each_severity(total, [&](std::size_t rule, std::size_t severity, std::string_view r, std::string_view sev) {
    const auto& by_origin = findings[rule][severity];
    const auto streamed = by_origin[static_cast<std::size_t>(core::Origin::kStream)] +
                          by_origin[static_cast<std::size_t>(core::Origin::kReadBack)];
    out.add(streamed, {{"rule", r}, {"severity", sev}, {"origin", "stream"}});
    out.add(total(rule, severity) - streamed, {{"rule", r}, {"severity", sev}, {"origin", "scan"}});
  });
}

void collect_open_findings(S s, Out out) {
  const auto& open = s.status.open_findings;
  each_severity([&](std::size_t rule, std::size_t severity) { return open[rule][severity]; },
                [&](std::size_t rule, std::size_t severity, std::string_view r, std::string_view sev) {
                  out.add(open[rule][severity], {{"rule", r}, {"severity", sev}});
                });
}

void collect_gaps(const std::array<std::uint64_t, core::kGapReasons>& counts, Out out) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    out.add(counts[i], {{"reason", to_string(static_cast<core::GapReason>(i))}});
  }
}

void collect_evictions(S s, Out out) {
  for (std::size_t i = 0; i < kEvictions; ++i) {
    out.add(s.status.counters.evictions[i], {{"reason", to_string(static_cast<core::Eviction>(i))}});
  }
}

void collect_baseline_state(S s, Out out) {
  one_hot<core::BaselineState, kBaselineStates>(s.status.baseline, "state", out);
}

void collect_slot_bytes(std::int64_t bytes, S s, Out out) {
  // Absent when unknown or unlimited: 0 would read as "about to be lost", -1 as a number.
  if (bytes >= 0) out.add(static_cast<double>(bytes), {{"slot_name", s.status.slot_name}});
}

void collect_wal_status(S s, Out out) {
  for (const auto value : kWalStatuses) {
    out.add(s.status.slot_wal_status == value, {{"slot_name", s.status.slot_name}, {"wal_status", value}});
  }
}

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;

constexpr auto kTable = std::to_array<MetricDef>({
    {"dupwatch_build_info", kGauge, "version,revision,compiler", "1",
     "What the running binary was built from; always 1", 1, collect_build_info},

    {"dupwatch_ready", kGauge, "", "1", "1 while the stream is open and caught up, as /readyz says", 1,
     [](S s, Out out) { out.add(s.status.ready); }},
    {"dupwatch_stream_state", kGauge, "state", "1", "1 for the state the stream is in, 0 for the others",
     kStreamStates, collect_stream_state},
    {"dupwatch_stream_connected", kGauge, "", "1", "1 while START_REPLICATION is open", 1,
     [](S s, Out out) { out.add(s.status.state == core::StreamState::kStreaming); }},
    {"dupwatch_stream_disconnects_total", kCounter, "reason", "1",
     "Failed attempts to connect and lost connections", kDisconnects, collect_disconnects},
    {"dupwatch_stream_received_bytes_total", kCounter, "", "bytes", "Payload received from the walsender", 1,
     [](S s, Out out) { out.add(s.status.counters.received_bytes); }},
    {"dupwatch_stream_transactions_total", kCounter, "", "1", "Transactions received whole", 1,
     [](S s, Out out) { out.add(s.status.counters.transactions); }},
    {"dupwatch_stream_status_updates_total", kCounter, "", "1", "Standby status updates sent to the server",
     1, [](S s, Out out) { out.add(s.status.counters.status_updates); }},
    {"dupwatch_stream_last_message_timestamp_seconds", kGauge, "", "unix time",
     "When the walsender was last heard, keepalives included; 0 = not yet", 1,
     [](S s, Out out) { out.add(s.status.last_message_unix_seconds); }},
    {"dupwatch_stream_lag_bytes", kGauge, "", "bytes",
     "WAL between the server's end of WAL and the confirmed position", 1, collect_lag_bytes},
    {"dupwatch_stream_lag_seconds", kGauge, "", "seconds",
     "Age of the newest judged commit while behind, 0 when caught up", 1,
     [](S s, Out out) { out.add(s.status.lag_seconds); }},
    {"dupwatch_stream_server_lsn_bytes", kGauge, "", "bytes", "The server's end of WAL as last heard", 1,
     [](S s, Out out) { out.add(s.status.server_lsn.value); }},
    {"dupwatch_stream_received_lsn_bytes", kGauge, "", "bytes", "WAL position received", 1,
     [](S s, Out out) { out.add(s.status.received_lsn.value); }},
    {"dupwatch_stream_confirmed_lsn_bytes", kGauge, "", "bytes",
     "WAL position confirmed to the server: everything before it is judged for good", 1,
     [](S s, Out out) { out.add(s.status.confirmed_lsn.value); }},

    {"dupwatch_heartbeat_enabled", kGauge, "", "1",
     "1 while messages of dupwatch's own are sent through the slot; 0 = off, or refused by the server", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.enabled); }},
    {"dupwatch_heartbeat_last_sent_timestamp_seconds", kGauge, "", "unix time",
     "When the last one was written; 0 = not yet", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.last_sent_unix_seconds); }},
    {"dupwatch_heartbeat_last_received_timestamp_seconds", kGauge, "", "unix time",
     "When the last one came back; before the first, since when it is waited for", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.last_returned_unix_seconds); }},
    {"dupwatch_heartbeat_roundtrip_seconds", MetricType::kHistogram, "", "seconds",
     "From writing a message to its return through the slot", kHistogramSeries,
     [](S s, Out out) { out.add(s.status.heartbeat.round_trip); }},
    {"dupwatch_heartbeat_failures_total", kCounter, "", "1", "Messages that could not be written", 1,
     [](S s, Out out) { out.add(s.status.heartbeat.failures); }},

    {"dupwatch_events_received_total", kCounter, "event_type", "1",
     "Rows of the watched table received, by event type; other = a type the profile does not list",
     core::Profile::kTypesMax + 1, collect_events},
    {"dupwatch_redeliveries_total", kCounter, "", "1",
     "Rows seen again with the same run and id, which are no duplicates", 1,
     [](S s, Out out) { out.add(s.status.counters.redeliveries); }},
    {"dupwatch_decode_errors_total", kCounter, "reason", "1",
     "Messages that could not be decoded, whose rows were therefore not checked", kDecodeErrorKinds,
     collect_decode_errors},

    {"dupwatch_findings_total", kCounter, "rule,severity,origin", "1",
     "New findings since the start; origin stream: events as they commit, scan: the baseline and periodic "
     "checks",
     kSeverityPairs * 2, collect_findings},
    {"dupwatch_open_findings", kGauge, "rule,severity", "1",
     "Findings whose rows are in the log of a run that goes on", kSeverityPairs, collect_open_findings},
    {"dupwatch_finding_changes_total", kCounter, "", "1",
     "Findings reported again because their severity, state or rows changed", 1,
     [](S s, Out out) { out.add(s.status.counters.finding_changes); }},
    {"dupwatch_findings_log_suppressed_total", kCounter, "", "1",
     "Findings left out of the log by findings.log_rate_max", 1,
     [](S s, Out out) { out.add(s.status.counters.findings_log_suppressed); }},
    {"dupwatch_findings_durable", kGauge, "", "1",
     "0 while findings.file or findings.table refuses to take findings, which holds the slot's position", 1,
     [](S s, Out out) { out.add(s.status.findings_durable); }},
    {"dupwatch_findings_waiting", kGauge, "", "1", "Findings that findings.table has yet to take", 1,
     [](S s, Out out) { out.add(s.status.findings_waiting); }},
    {"dupwatch_findings_write_failures_total", kCounter, "store", "1",
     "Attempts to read or write findings that failed and are repeated", 2,
     [](S s, Out out) {
       out.add(s.status.findings_write_failures[0], {{"store", "file"}});
       out.add(s.status.findings_write_failures[1], {{"store", "table"}});
     }},
    {"dupwatch_commit_to_flag_seconds", MetricType::kHistogram, "", "seconds",
     "From the commit of a duplicate, by the server's clock, to its finding", kHistogramSeries,
     [](S s, Out out) { out.add(s.status.counters.commit_to_flag); }},

    {"dupwatch_commit_order_inversion_seconds", MetricType::kHistogram, "", "seconds",
     "Age of an event's id against the newest id of its run that committed before it; ULID runs alone",
     kHistogramSeries, [](S s, Out out) { out.add(s.status.counters.commit_order_inversion); }},

    {"dupwatch_index_runs", kGauge, "", "1", "Runs in the index", 1,
     [](S s, Out out) { out.add(s.status.index_runs); }},
    {"dupwatch_index_rows", kGauge, "", "1", "Rows in the index", 1,
     [](S s, Out out) { out.add(s.status.index_rows); }},
    {"dupwatch_index_memory_bytes", kGauge, "", "bytes", "Memory of the index", 1,
     [](S s, Out out) { out.add(s.status.index_bytes); }},
    {"dupwatch_index_memory_limit_bytes", kGauge, "", "bytes", "index.memory_max", 1,
     [](S s, Out out) { out.add(s.status.index_bytes_max); }},
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
     [](S s, Out out) { out.add(s.status.read_back_pending_runs); }},

    {"dupwatch_baseline_state", kGauge, "state", "1",
     "1 for the state of the baseline scan, 0 for the others", kBaselineStates, collect_baseline_state},
    {"dupwatch_baseline_rows", kGauge, "", "1", "Rows the baseline scan has judged", 1,
     [](S s, Out out) { out.add(s.status.baseline_rows); }},
    {"dupwatch_baseline_runs", kGauge, "", "1", "Runs the baseline scan has judged", 1,
     [](S s, Out out) { out.add(s.status.baseline_runs); }},
    {"dupwatch_baseline_expected_runs", kGauge, "", "1",
     "Estimate of the runs the baseline scan has to judge; 0 = unknown", 1,
     [](S s, Out out) { out.add(s.status.baseline_runs_total); }},

    {"dupwatch_coverage_gaps_total", kCounter, "reason", "1", "Gaps in what was seen, opened since the start",
     core::kGapReasons, [](S s, Out out) { collect_gaps(s.status.gaps_opened, out); }},
    {"dupwatch_open_coverage_gaps", kGauge, "reason", "1",
     "Gaps that no scan of the table has closed: until then no finding does not mean that nothing is wrong",
     core::kGapReasons, [](S s, Out out) { collect_gaps(s.status.gaps_open, out); }},
    {"dupwatch_coverage_complete_since_timestamp_seconds", kGauge, "", "unix time",
     "Since when there has been no open gap; 0 while there is one", 1,
     [](S s, Out out) {
       const auto& since = s.status.coverage_complete_since;
       out.add(since ? static_cast<double>(since->micros) / 1e6 : 0.0);
     }},

    {"dupwatch_slot_retained_wal_bytes", kGauge, "slot_name", "bytes",
     "WAL the server keeps for the slot; absent until known", 1,
     [](S s, Out out) { collect_slot_bytes(s.status.slot_retained_bytes, s, out); }},
    {"dupwatch_slot_safe_wal_bytes", kGauge, "slot_name", "bytes",
     "WAL that can still be written before the slot is lost; absent when unlimited or not known", 1,
     [](S s, Out out) { collect_slot_bytes(s.status.slot_safe_bytes, s, out); }},
    {"dupwatch_slot_wal_status", kGauge, "slot_name,wal_status", "1",
     "1 for the slot's wal_status, 0 for the others; all 0 until known", kWalStatuses.size(),
     collect_wal_status},
    {"dupwatch_slot_time_to_lost_seconds", kGauge, "slot_name", "seconds",
     "Until the slot is given up by the fuse or by the server, at the rate of the last 5 min; absent while not "
     "on its way there",
     1,
     [](S s, Out out) {
       if (const auto& left = s.status.slot_seconds_to_lost) {
         out.add(*left, {{"slot_name", s.status.slot_name}});
       }
     }},
    {"dupwatch_slot_lost_total", kCounter, "", "1", "Times the server had given the slot up", 1,
     [](S s, Out out) { out.add(s.status.slots_lost); }},
    {"dupwatch_slot_fuse_blown_total", kCounter, "", "1",
     "Times dupwatch gave its slot up because of the WAL it held back", 1,
     [](S s, Out out) { out.add(s.status.fuse_blown); }},
    {"dupwatch_poison_rows_total", kCounter, "", "1",
     "Places in the WAL that the output plugin could not deliver and that were stepped over", 1,
     [](S s, Out out) { out.add(s.status.poison_rows); }},
    {"dupwatch_watch_mode", kGauge, "mode", "1",
     "1 for the way the log is watched, 0 for the other: polling = no slot, the open runs are scanned at "
     "intervals",
     core::kWatchModes,
     [](S s, Out out) { one_hot<core::WatchMode, core::kWatchModes>(s.status.mode, "mode", out); }},
    {"dupwatch_polls_total", kCounter, "", "1", "Scans of the open runs begun while there was no slot", 1,
     [](S s, Out out) { out.add(s.status.polls); }},

    {"dupwatch_table_identity_ok", kGauge, "", "1",
     "1 while the watched table and publication are what they were when streaming began", 1,
     [](S s, Out out) { out.add(s.status.table_identity_ok); }},
    {"dupwatch_table_truncates_total", kCounter, "", "1", "Times the watched table was truncated", 1,
     [](S s, Out out) { out.add(s.status.counters.truncates); }},

    {"process_cpu_seconds_total", kCounter, "", "seconds", "User and system CPU time spent", 1,
     [](S s, Out out) { out.add(s.process.cpu_seconds); }},
    {"process_resident_memory_bytes", kGauge, "", "bytes", "Resident memory", 1,
     [](S s, Out out) { out.add(s.process.resident_bytes); }},
    {"process_virtual_memory_bytes", kGauge, "", "bytes", "Virtual memory", 1,
     [](S s, Out out) { out.add(s.process.virtual_bytes); }},
    {"process_open_fds", kGauge, "", "1", "Open file descriptors", 1,
     [](S s, Out out) { out.add(s.process.open_fds); }},
    {"process_max_fds", kGauge, "", "1", "Limit of open file descriptors", 1,
     [](S s, Out out) { out.add(s.process.max_fds); }},
    {"process_start_time_seconds", kGauge, "", "unix time", "When the process started", 1,
     [](S s, Out out) { out.add(s.process.start_time_seconds); }},
});

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

/// `a,b` as `a`, `b` in Markdown code.
[[nodiscard]] std::string label_cell(std::string_view labels) {
  std::string cell;
  while (!labels.empty()) {
    const auto end = std::min(labels.find(','), labels.size());
    cell += fmt::format("{}`{}`", cell.empty() ? "" : ", ", labels.substr(0, end));
    labels.remove_prefix(std::min(end + 1, labels.size()));
  }
  return cell;
}

}  // namespace

std::span<const MetricDef> metric_table() noexcept {
  return kTable;
}

std::string describe_metrics() {
  std::size_t series = 0;
  std::string rows;
  for (const auto& metric : kTable) {
    series += metric.series_max;
    rows += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", metric.name, type_name(metric.type),
                        label_cell(metric.labels), metric.unit == "1" ? "" : metric.unit, metric.help,
                        metric.series_max);
  }
  return fmt::format(
      "# Metrics\n\n"
      "Served at `/metrics` in Prometheus' text format 0.0.4. This page is generated from the table in\n"
      "`daemon/web/metric_table.cpp`; a unit test compares the two.\n\n"
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
      series, rows);
}

}  // namespace dupwatch::web
