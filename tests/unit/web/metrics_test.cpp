#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/web/exposition.hpp"
#include "daemon/web/metric_table.hpp"
#include "tests/unit/web/samples.hpp"

namespace dupwatch::web::metrics_test {
namespace {

/// Series with its labels, as written -> value.
using Samples = std::map<std::string, double>;

Samples samples(const std::string& text) {
  Samples out;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const auto space = line.rfind(' ');
    const auto series = line.substr(0, space);
    EXPECT_TRUE(out.emplace(series, std::strtod(line.c_str() + space + 1, nullptr)).second)
        << "twice in one exposition: " << series;
  }
  return out;
}

std::string family(const std::string& series) {
  auto name = series.substr(0, series.find('{'));
  for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
    for (const auto& metric : metric_table()) {
      if (metric.type == MetricType::kHistogram && name == std::string{metric.name} + std::string{suffix}) {
        return std::string{metric.name};
      }
    }
  }
  return name;
}

/// "a,b" of name{a="x",b="y"}; values of these tests hold no comma.
std::string label_names(const std::string& series) {
  const auto brace = series.find('{');
  std::string names;
  if (brace == std::string::npos) return names;
  std::istringstream pairs{series.substr(brace + 1, series.size() - brace - 2)};
  for (std::string pair; std::getline(pairs, pair, ',');) {
    const auto name = pair.substr(0, pair.find('='));
    if (name != "le") names += (names.empty() ? "" : ",") + name;
  }
  return names;
}

core::Profile widest_profile() {
  core::Profile profile;
  for (std::size_t i = 0; i < core::Profile::kTypesMax; ++i) {
    profile.types.push_back({.name = "t" + std::to_string(i)});
  }
  return profile;
}

/// A severity that only a configuration gives this rule.
std::size_t unlisted_severity(std::size_t rule) {
  std::size_t severity = 0;
  const auto is_listed = [&](const core::RuleCase& entry) {
    return entry.rule == static_cast<core::Rule>(rule) &&
           std::ranges::count(entry.severity, static_cast<core::Severity>(severity)) != 0;
  };
  while (std::ranges::any_of(core::rule_cases(), is_listed)) ++severity;
  return severity;
}

/// With one series more for each rule, as it is when each has a severity of the user's.
core::StatusSnapshot everything_known() {
  auto status = streaming();
  for (std::size_t rule = 0; rule < core::kRules; ++rule) {
    status.counters.findings.at(rule).at(unlisted_severity(rule)) = {1, 1, 1, 1};
    status.findings.open.at(rule).at(unlisted_severity(rule)) = 1;
  }
  status.slot.retained_bytes = 0;
  status.slot.safe_bytes = 0;
  status.slot.seconds_to_lost = 0;
  status.schema.newest = "4.3.7";
  status.engine_tables.rows.fill(0);
  status.engine_tables.jobs = 0;
  status.order_watch.enabled = true;
  return status;
}

TEST(Metrics, EverySeriesIsThereAtZeroBeforeAnythingHappened) {
  const auto all = samples(render_metrics(core::StatusSnapshot{}, core::workflow_devkit_profile()));
  std::set<std::string> families;
  for (const auto& [series, value] : all) {
    families.insert(family(series));
    const bool one = series.starts_with("dupwatch_build_info") ||
                     series == "dupwatch_stream_state{state=\"connecting\"}" ||
                     series == "dupwatch_baseline_state{state=\"not_needed\"}" ||
                     series == "dupwatch_watch_mode{mode=\"streaming\"}" ||
                     series == "dupwatch_config_last_reload_successful" ||
                     series == "dupwatch_http_web_config_successful" ||
                     series == "dupwatch_quarantine_mode{mode=\"observe\"}" ||
                     series == "dupwatch_quarantine_state{state=\"off\"}" ||
                     series == "dupwatch_engine_generation{ids=\"ulid\",generation=\"v4\"}" ||
                     series == "dupwatch_engine_generation{ids=\"slot\",generation=\"v5\"}" ||
                     series == "dupwatch_table_identity_ok" || series == "dupwatch_findings_durable" ||
                     series.starts_with("process_");
    if (!one) {
      EXPECT_EQ(value, 0) << series;
    }
  }
  for (const auto& metric : metric_table()) {
    const bool absent_until_known =
        metric.name == "dupwatch_slot_retained_wal_bytes" || metric.name == "dupwatch_slot_safe_wal_bytes" ||
        metric.name == "dupwatch_slot_time_to_lost_seconds" || metric.name == "dupwatch_schema_release" ||
        metric.name == "dupwatch_engine_table_rows" || metric.name == "dupwatch_queue_jobs_total" ||
        metric.name.starts_with("dupwatch_order_");
    EXPECT_EQ(families.contains(std::string{metric.name}), !absent_until_known) << metric.name;
  }
  EXPECT_EQ(all.count("dupwatch_events_received_total{event_type=\"step_created\"}"), 1U);
  EXPECT_EQ(all.count("dupwatch_events_received_total{event_type=\"other\"}"), 1U);
  EXPECT_EQ(
      all.count(
          R"(dupwatch_findings_total{rule="duplicate_created",severity="fatal",origin="stream",pending="certain"})"),
      1U);
  EXPECT_EQ(
      all.count(R"(dupwatch_findings_total{rule="orphan",severity="unknown",origin="scan",pending="none"})"),
      1U);
  EXPECT_EQ(all.count(R"(dupwatch_open_findings{rule="second_terminal",severity="conflict",pending="none"})"),
            1U);
  EXPECT_EQ(all.count(R"(dupwatch_open_findings{rule="run_lost",severity="harmless",pending="none"})"), 0U)
      << "no case gives it";
  EXPECT_EQ(all.count("dupwatch_decode_errors_total{reason=\"truncated\"}"), 1U);
}

TEST(Metrics, LabelsAndSeriesStayWithinTheTable) {
  std::map<std::string, std::size_t> counts;
  std::map<std::string, std::set<std::string>> labels;
  for (const auto& [series, value] : samples(render_metrics(everything_known(), widest_profile()))) {
    ++counts[family(series)];
    labels[family(series)].insert(label_names(series));
  }
  std::size_t budget = 0;
  for (const auto& metric : metric_table()) {
    const std::string name{metric.name};
    EXPECT_EQ(counts[name], metric.series_max) << name;
    EXPECT_EQ(labels[name], std::set<std::string>{std::string{metric.labels}}) << name;
    budget += metric.series_max;
    counts.erase(name);
  }
  EXPECT_TRUE(counts.empty()) << "exported but not in the table: " << counts.begin()->first;
  EXPECT_LT(budget, 550U);
}

TEST(Metrics, NamesFollowPrometheusPractice) {
  std::set<std::string_view> names;
  for (const auto& metric : metric_table()) {
    const auto name = metric.name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(name.starts_with("dupwatch_") || name.starts_with("process_")) << name;
    EXPECT_EQ(name.ends_with("_total"), metric.type == MetricType::kCounter) << name;
    const bool seconds = metric.unit == "seconds" || metric.unit == "unix time";
    EXPECT_EQ(name.ends_with("_seconds") || name.ends_with("_seconds_total"), seconds) << name;
    EXPECT_EQ(name.ends_with("_bytes") || name.ends_with("_bytes_total"), metric.unit == "bytes") << name;
    EXPECT_FALSE(metric.help.empty()) << name;
    EXPECT_FALSE(metric.help.ends_with('.')) << name;
    for (const auto* reserved : {"type", "job", "instance", "cluster", "env", "service"}) {
      EXPECT_EQ(("," + std::string{metric.labels} + ",").find("," + std::string{reserved} + ","),
                std::string::npos)
          << name;
    }
  }
}

TEST(Metrics, ValuesComeFromTheSnapshot) {
  auto status = everything_known();
  status.counters.events_by_type[0] = 3;
  status.counters.events_by_type[core::Profile::kTypesMax] = 4;
  // duplicate_created, harmless: by origin. A severity that only a configuration gives begins with its first
  // finding.
  status.counters.findings[1][2] = {5, 6, 7, 8};
  status.findings.open[1][2] = 9;
  status.findings.open[9][2] = 10;
  status.counters.commit_to_flag.observe(0.002);
  status.counters.commit_to_flag.observe(100);
  status.slot.wal_status = "extended";
  status.slot.safe_bytes = 7;
  const auto all = samples(render_metrics(status, core::workflow_devkit_profile()));
  EXPECT_EQ(all.at("dupwatch_events_received_total{event_type=\"step_created\"}"), 3);
  EXPECT_EQ(all.at("dupwatch_events_received_total{event_type=\"other\"}"), 4);
  EXPECT_EQ(
      all.at(
          R"(dupwatch_findings_total{rule="duplicate_created",severity="harmless",origin="stream",pending="none"})"),
      11);
  EXPECT_EQ(
      all.at(
          R"(dupwatch_findings_total{rule="duplicate_created",severity="harmless",origin="scan",pending="none"})"),
      15);
  EXPECT_EQ(all.at(R"(dupwatch_open_findings{rule="duplicate_created",severity="harmless",pending="none"})"),
            9);
  EXPECT_EQ(all.at(R"(dupwatch_open_findings{rule="run_lost",severity="harmless",pending="none"})"), 10);
  EXPECT_EQ(all.at("dupwatch_commit_to_flag_seconds_bucket{le=\"0.001\"}"), 0);
  EXPECT_EQ(all.at("dupwatch_commit_to_flag_seconds_bucket{le=\"0.0025\"}"), 1);
  EXPECT_EQ(all.at("dupwatch_commit_to_flag_seconds_bucket{le=\"60\"}"), 1);
  EXPECT_EQ(all.at("dupwatch_commit_to_flag_seconds_bucket{le=\"+Inf\"}"), 2);
  EXPECT_EQ(all.at("dupwatch_commit_to_flag_seconds_count"), 2);
  EXPECT_DOUBLE_EQ(all.at("dupwatch_commit_to_flag_seconds_sum"), 100.002);
  EXPECT_EQ(all.at("dupwatch_slot_wal_status{slot_name=\"dupwatch\",wal_status=\"extended\"}"), 1);
  EXPECT_EQ(all.at("dupwatch_slot_wal_status{slot_name=\"dupwatch\",wal_status=\"lost\"}"), 0);
  EXPECT_EQ(all.at("dupwatch_slot_safe_wal_bytes{slot_name=\"dupwatch\"}"), 7);
  EXPECT_EQ(all.at("dupwatch_stream_lag_bytes"), 32);
  EXPECT_EQ(all.at("dupwatch_stream_connected"), 1);
  EXPECT_EQ(all.at("dupwatch_stream_state{state=\"streaming\"}"), 1);
}

TEST(Metrics, AConfiguredTypeNamedOtherSharesTheSeriesOfUnlistedTypes) {
  core::Profile profile;
  profile.types = {{.name = "a"}, {.name = "other"}};
  auto status = streaming();
  status.counters.events_by_type[1] = 2;
  status.counters.events_by_type[core::Profile::kTypesMax] = 3;
  const auto all = samples(render_metrics(status, profile));
  EXPECT_EQ(all.at("dupwatch_events_received_total{event_type=\"other\"}"), 5);
}

TEST(Metrics, LabelValuesAreEscaped) {
  core::Profile profile;
  profile.types = {{.name = "a\"b\\c"}};
  const auto text = render_metrics(streaming(), profile);
  EXPECT_NE(text.find("dupwatch_events_received_total{event_type=\"a\\\"b\\\\c\"} 0\n"), std::string::npos);
}

TEST(Metrics, LagIsZeroBeforeTheFirstConfirmation) {
  auto status = streaming();
  status.stream.confirmed = {};
  EXPECT_EQ(samples(render_metrics(status, {})).at("dupwatch_stream_lag_bytes"), 0);
}

TEST(Metrics, TheProcessIsMeasured) {
  const auto all = samples(render_metrics(streaming(), {}));
  EXPECT_GT(all.at("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(all.at("process_virtual_memory_bytes"), all.at("process_resident_memory_bytes"));
  EXPECT_GE(all.at("process_open_fds"), 3);
  EXPECT_GE(all.at("process_max_fds"), all.at("process_open_fds"));
  EXPECT_GE(all.at("process_cpu_seconds_total"), 0);
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LE(all.at("process_start_time_seconds"), now + 1);
  EXPECT_GT(all.at("process_start_time_seconds"), now - 3600);
}

TEST(MetricsDescription, HasEveryMetricInEveryFormat) {
  const auto text = describe_metrics(DescriptionFormat::kText);
  const auto json = describe_metrics(DescriptionFormat::kJson);
  const auto markdown = describe_metrics(DescriptionFormat::kMarkdown);
  for (const auto& metric : metric_table()) {
    const std::string name{metric.name};
    const std::string help{metric.help};
    EXPECT_NE(text.find("\n" + name + " "), std::string::npos) << name;
    EXPECT_NE(text.find("  " + help + "\n"), std::string::npos) << name;
    EXPECT_NE(json.find("{\"name\":\"" + name + "\","), std::string::npos) << name;
    EXPECT_NE(json.find(",\"help\":\"" + help + "\"}"), std::string::npos) << name;
    EXPECT_NE(markdown.find("| `" + name + "` |"), std::string::npos) << name;
  }
}

TEST(MetricsPage, IsWhatTheTableGives) {
  const std::string path = std::string{DUPWATCH_SOURCE_DIR} + "/config/METRICS.md";
  if (std::getenv("UPDATE_GOLDEN") != nullptr)
    std::ofstream{path} << describe_metrics(DescriptionFormat::kMarkdown);
  std::ifstream file{path};
  const std::string on_disk{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_EQ(on_disk, describe_metrics(DescriptionFormat::kMarkdown)) << "UPDATE_GOLDEN=1 rewrites " << path;
}

}  // namespace
}  // namespace dupwatch::web::metrics_test
