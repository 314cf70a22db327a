#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>

#include "daemon/cli/command.hpp"
#include "daemon/web/metric_table.hpp"

namespace dupwatch::cli {
namespace {

class MetricsCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--describe", describe_,
                 "Print name, type, labels, unit, meaning and most series of each metric")
        ->required();
    app.add_option_function<std::string>(
           "--format", [this](const std::string& name) { format_ = kFormats.at(name); },
           "text, json or markdown")
        ->check(CLI::IsMember({"text", "json", "markdown"}));
    app.add_flag_callback(
        "--json", [this] { format_ = Format::kJson; }, "The same as --format json");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& /*invocation*/) override {
    fmt::print("{}", web::describe_metrics(format_));
    return process::ExitCode::kClean;
  }

 private:
  using Format = web::DescriptionFormat;
  static inline const std::map<std::string, Format> kFormats{
      {"text", Format::kText}, {"json", Format::kJson}, {"markdown", Format::kMarkdown}};
  Format format_ = Format::kText;
  bool describe_ = false;
};

}  // namespace

std::unique_ptr<Command> make_metrics() {
  return std::make_unique<MetricsCommand>();
}

}  // namespace dupwatch::cli
