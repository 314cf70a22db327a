#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/core/profile.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/web/build_info.hpp"
#include "daemon/web/process_stats.hpp"

namespace prometheus {
struct MetricFamily;
}

/// Every metric dupwatch exports, in one table: the exposition, config/METRICS.md and the tests derive from
/// it.
namespace dupwatch::web {

/// Everything one scrape is made of, read once.
struct Scrape {
  const core::StatusSnapshot& status;
  const core::Profile& profile;
  ProcessStats process;
  BuildInfo build;
};

/// Takes the series of one metric. Label values come from enums and from the configuration, never from rows.
class SeriesSink {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  explicit SeriesSink(prometheus::MetricFamily& family) : family_(family) {}
  void add(double value, Labels labels = {});
  void add(std::uint64_t value, Labels labels = {}) { add(static_cast<double>(value), labels); }
  void add(bool value, Labels labels = {}) { add(value ? 1.0 : 0.0, labels); }
  void add(const core::LatencyHistogram& histogram);

 private:
  prometheus::MetricFamily& family_;
};

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

struct MetricDef {
  std::string_view name;
  MetricType type;
  /// Comma-separated, in the order in which they are exported.
  std::string_view labels;
  /// The unit in words; "1" for a count or a state.
  std::string_view unit;
  std::string_view help;
  /// The most series any configuration gives; a histogram counts its buckets, sum and count.
  std::size_t series_max;
  void (*collect)(const Scrape& scrape, SeriesSink& out);
};

[[nodiscard]] std::span<const MetricDef> metric_table();

enum class DescriptionFormat : std::uint8_t {
  kText,      ///< a table for a terminal
  kJson,      ///< one document
  kMarkdown,  ///< the contents of config/METRICS.md
};

/// What the table says of every metric; ends with a newline.
[[nodiscard]] std::string describe_metrics(DescriptionFormat format);

}  // namespace dupwatch::web
