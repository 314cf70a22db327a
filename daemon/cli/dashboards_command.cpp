#include <CLI/CLI.hpp>
#include <string>

#include "daemon/cli/command.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/cli/site_options.hpp"
#include "daemon/monitoring/dashboards.hpp"

namespace dupwatch::cli {
namespace {

using process::ExitCode;

class DashboardsCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--print", name_, "overview, internals or fleet: the JSON that Grafana imports")
        ->required()
        ->type_name("NAME")
        ->check(CLI::IsMember(monitoring::kDashboards));
    add_link_options(app, site_.links);
  }
  [[nodiscard]] ExitCode run(const Invocation& /*invocation*/) override {
    if (report_problems(monitoring::problems_of(site_))) return ExitCode::kUsage;
    print(monitoring::dashboard(name_, site_.links));
    return ExitCode::kClean;
  }

 private:
  std::string name_;
  monitoring::Site site_;
};

}  // namespace

std::unique_ptr<Command> make_dashboards() {
  return std::make_unique<DashboardsCommand>();
}

}  // namespace dupwatch::cli
