#include "daemon/cli/site_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

namespace dupwatch::cli {

void add_link_options(CLI::App& app, monitoring::Links& links) {
  app.add_option("--page-url", links.page, "The daemon's own page; else http:// and what Prometheus scrapes")
      ->type_name("URL");
  app.add_option("--runbook-url", links.runbook,
                 "Where else the runbooks are, {name} being an alert's; else the daemon's own page has them")
      ->type_name("URL");
  app.add_option("--dashboard-url", links.dashboard,
                 "The overview in Grafana; without it alerts do not link there")
      ->type_name("URL");
}

bool report_problems(const std::vector<std::string>& problems) {
  for (const auto& problem : problems) fmt::print(stderr, "error: {}\n", problem);
  return !problems.empty();
}

}  // namespace dupwatch::cli
