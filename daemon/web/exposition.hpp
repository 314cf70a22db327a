#pragma once

#include <string>

#include "daemon/core/profile.hpp"
#include "daemon/core/stats.hpp"

namespace dupwatch::web {

/// Media type of render_metrics().
inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/// The page for Prometheus: every metric of the table, made from the snapshot at the time of the scrape, so
/// that nothing is updated per event and every series is there at 0 from the first scrape on.
[[nodiscard]] std::string render_metrics(const core::StatusSnapshot& status, const core::Profile& profile);

/// Media type of render_open_metrics().
inline constexpr const char* kOpenMetricsContentType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The same in the format of OpenMetrics.
[[nodiscard]] std::string render_open_metrics(const core::StatusSnapshot& status,
                                              const core::Profile& profile);

}  // namespace dupwatch::web
