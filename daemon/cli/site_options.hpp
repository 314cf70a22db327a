#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "daemon/monitoring/rule_files.hpp"

namespace dupwatch::cli {

/// The addresses that alerts and dashboards link to; `links` must live as long as `app`.
void add_link_options(CLI::App& app, monitoring::Links& links);

/// Each sentence on stderr; false: there is none.
[[nodiscard]] bool report_problems(const std::vector<std::string>& problems);

}  // namespace dupwatch::cli
