#include <array>

#include "daemon/web/metric_parts.hpp"

namespace dupwatch::web {
namespace {

void collect_build_info(S s, Out out) {
  out.add(true,
          {{"version", s.build.version}, {"revision", s.build.revision}, {"compiler", s.build.compiler}});
}

void collect_generation(S s, Out out) {
  const auto add = [&](std::string_view ids, core::Engine engine) {
    for (std::size_t i = 0; i < core::kEngines; ++i) {
      const auto one = static_cast<core::Engine>(i);
      out.add(one == engine, {{"ids", ids}, {"generation", core::to_string(one)}});
    }
  };
  add("ulid", s.status.engine.value_or(s.status.auto_engines.ulids));
  add("slot", s.status.engine.value_or(s.status.auto_engines.slots));
}

void collect_runs(S s, Out out) {
  for (std::size_t i = 0; i < core::kEngines; ++i) {
    for (std::size_t j = 0; j < core::kEngineFroms; ++j) {
      out.add(s.status.counters.runs_by_engine[i][j],
              {{"generation", core::to_string(static_cast<core::Engine>(i))},
               {"from", core::to_string(static_cast<core::EngineFrom>(j))}});
    }
  }
}

constexpr auto kProcessMetrics = std::to_array<MetricDef>({
    {"dupwatch_build_info", kGauge, "version,revision,compiler", "1",
     "What the running binary was built from; always 1", 1, collect_build_info},
    {"dupwatch_engine_generation", kGauge, "ids,generation", "1",
     "1 for the generation that runs with such ids are judged for, 0 for the others; unknown: only what all "
     "generations agree on is certain",
     2 * core::kEngines, collect_generation},
    {"dupwatch_engine_runs_total", kCounter, "generation,from", "1",
     "Runs read from the table by the stream, by the generation that they are judged for and by who said so: "
     "configuration, run (its own spec version) or log (schema and newest runs)",
     core::kEngines* core::kEngineFroms, collect_runs},
    {"dupwatch_engine_unreplayed", kGauge, "", "1",
     "1 while the newest runs are of an engine that no verdict was replayed with, and `engine` is auto", 1,
     [](S s, Out out) { out.add(!s.status.engine && s.status.auto_engines.unreplayed); }},
    {"dupwatch_config_last_reload_successful", kGauge, "", "1",
     "1 while the configuration file was in order when it was read last; 0: the previous one is in force", 1,
     [](S s, Out out) { out.add(s.status.config_reload.successful); }},
    {"dupwatch_config_last_reload_success_timestamp_seconds", kGauge, "", "unix time",
     "When the configuration in force was read", 1,
     [](S s, Out out) { out.add(s.status.config_reload.succeeded_unix_seconds); }},
    {"dupwatch_http_unauthorized_total", kCounter, "", "1",
     "HTTP requests without a user and a password that are known", 1,
     [](S s, Out out) { out.add(s.status.http.unauthorized); }},
    {"dupwatch_http_foreign_total", kCounter, "", "1",
     "HTTP requests refused because their Host or Origin is none of dupwatch's", 1,
     [](S s, Out out) { out.add(s.status.http.foreign); }},
    {"dupwatch_http_connections", kGauge, "", "1", "Open HTTP connections", 1,
     [](S s, Out out) { out.add(s.status.http.connections); }},
    {"dupwatch_http_evicted_total", kCounter, "", "1",
     "HTTP connections without a whole request that were closed to make room for others", 1,
     [](S s, Out out) { out.add(s.status.http.evicted); }},
    {"dupwatch_http_web_config_successful", kGauge, "", "1",
     "1 while the web configuration file and its certificates are in order, or there is none; 0: those "
     "before "
     "are in force",
     1, [](S s, Out out) { out.add(s.status.http.web_config_successful); }},
    {"dupwatch_http_certificate_not_after_seconds", kGauge, "", "unix time",
     "When the certificate of the HTTP server ends; 0 without TLS", 1,
     [](S s, Out out) { out.add(static_cast<double>(s.status.http.certificate_not_after)); }},
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

}  // namespace

std::span<const MetricDef> process_metrics() noexcept {
  return kProcessMetrics;
}

}  // namespace dupwatch::web
