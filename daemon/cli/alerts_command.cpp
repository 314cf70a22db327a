#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/cli/site_options.hpp"
#include "daemon/cli/spelling.hpp"
#include "daemon/monitoring/rule_files.hpp"
#include "daemon/monitoring/runbooks.hpp"

namespace dupwatch::cli {
namespace {

using process::ExitCode;

ExitCode print_runbook(const std::string& name) {
  if (const auto text = monitoring::runbook(name); !text.empty()) {
    print(text);
    return ExitCode::kClean;
  }
  std::vector<std::string> names;
  for (const auto known : monitoring::runbook_names()) names.emplace_back(known);
  const auto nearest = nearest_name(name, names);
  fmt::print(
      stderr, "error: there is no alert {}{}\n", printable(name),
      nearest ? fmt::format("; did you mean {}?", *nearest) : "; dupwatch alerts --list names them all");
  return ExitCode::kUsage;
}

class AlertsCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    auto* what = app.add_option_group("what", "One of these");
    what->add_flag("--print", print_, "The alert rules, for Prometheus or its operator");
    what->add_option("--runbook", runbook_, "What to do when this alert fires")->type_name("NAME");
    what->add_flag("--list", list_, "The names of the alerts");
    what->require_option(1);
    add_link_options(app, site_.links);
    app.add_option("--job", site_.job, "The job label of dupwatch in Prometheus")
        ->capture_default_str()
        ->type_name("NAME");
    app.add_option("--slots", site_.slots, "A regular expression for the names of its slots, for --exporters")
        ->capture_default_str()
        ->type_name("REGEX");
    app.add_option("--threshold", thresholds_, "Another threshold, such as hold=10m; given once for each")
        ->type_name("NAME=VALUE")
        ->allow_extra_args(false);
    app.add_option("--format", format_, "prometheus, or operator for PrometheusRule objects")
        ->check(CLI::IsMember({"prometheus", "operator"}))
        ->capture_default_str();
    app.add_flag("--exporters", exporters_,
                 "Also the rules on the metrics that postgres_exporter and CloudNativePG have of the slots");
  }
  [[nodiscard]] ExitCode run(const Invocation& /*invocation*/) override {
    if (!runbook_.empty()) return print_runbook(runbook_);
    if (list_) {
      for (const auto name : monitoring::runbook_names()) print(fmt::format("{}\n", name));
      return ExitCode::kClean;
    }
    for (const auto& threshold : thresholds_) {
      const auto equals = threshold.find('=');
      if (equals == std::string::npos) {
        fmt::print(stderr, "error: --threshold: found {}, expected NAME=VALUE such as hold=10m\n",
                   printable(threshold));
        return ExitCode::kUsage;
      }
      site_.thresholds[threshold.substr(0, equals)] = threshold.substr(equals + 1);
    }
    if (report_problems(monitoring::problems_of(site_))) return ExitCode::kUsage;
    const auto format =
        format_ == "operator" ? monitoring::RuleFormat::kOperator : monitoring::RuleFormat::kPrometheus;
    print(monitoring::rule_file(site_, format, exporters_));
    return ExitCode::kClean;
  }

 private:
  bool print_ = false;
  bool list_ = false;
  bool exporters_ = false;
  std::string runbook_;
  std::string format_ = "prometheus";
  std::vector<std::string> thresholds_;
  monitoring::Site site_;
};

}  // namespace

std::unique_ptr<Command> make_alerts() {
  return std::make_unique<AlertsCommand>();
}

}  // namespace dupwatch::cli
