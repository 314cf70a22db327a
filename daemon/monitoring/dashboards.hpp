#pragma once

#include <array>
#include <string>
#include <string_view>

#include "daemon/monitoring/rule_files.hpp"

namespace dupwatch::monitoring {

inline constexpr std::array<std::string_view, 3> kDashboards = {"overview", "internals", "fleet"};

/// A dashboard as Grafana imports it, with the links of a site; `name` is one of kDashboards. The page's
/// address stands for all instances unless it is empty: then it is made from the instance that is chosen.
[[nodiscard]] std::string dashboard(std::string_view name, const Links& links);

}  // namespace dupwatch::monitoring
