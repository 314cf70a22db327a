#include "daemon/web/exposition.hpp"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <vector>

#include "daemon/web/build_info.hpp"
#include "daemon/web/metric_table.hpp"
#include "daemon/web/process_stats.hpp"

namespace dupwatch::web {
namespace {

[[nodiscard]] prometheus::MetricType library_type(MetricType type) noexcept {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

class SnapshotCollector final : public prometheus::Collectable {
 public:
  SnapshotCollector(const core::StatusSnapshot& status, const core::Profile& profile)
      : status_(status), profile_(profile) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    const Scrape scrape{
        .status = status_, .profile = profile_, .process = read_process_stats(), .build = build_info()};
    std::vector<prometheus::MetricFamily> families;
    families.reserve(metric_table().size());
    for (const auto& metric : metric_table()) {
      prometheus::MetricFamily family;
      family.name = metric.name;
      family.help = metric.help;
      family.type = library_type(metric.type);
      SeriesSink sink{family};
      metric.collect(scrape, sink);
      families.push_back(std::move(family));
    }
    return families;
  }

 private:
  const core::StatusSnapshot& status_;
  const core::Profile& profile_;
};

}  // namespace

std::string render_metrics(const core::StatusSnapshot& status, const core::Profile& profile) {
  return prometheus::TextSerializer{}.Serialize(SnapshotCollector{status, profile}.Collect());
}

}  // namespace dupwatch::web
