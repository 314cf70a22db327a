#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/cli/configuration.hpp"
#include "daemon/config/edit.hpp"
#include "daemon/config/text_file.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

using process::ExitCode;

void report(const std::vector<config::ConfigProblem>& problems) {
  for (const auto& problem : problems) fmt::print(stderr, "{}\n", config::format_problem(problem));
  fmt::print(stderr, "nothing was written\n");
}

ExitCode report_file(const std::string& file, int error, const char* expected, const char* remedy) {
  config::ConfigProblem problem;
  problem.file = file;
  problem.found = std::generic_category().message(error);
  problem.expected = expected;
  problem.remedy = remedy;
  report({problem});
  return ExitCode::kUsage;
}

class ConfigCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.require_subcommand(1);
    auto* set = app.add_subcommand("set", "Set values in the configuration file, whose comments stay");
    set->add_option("--config", source_.file,
                    "Configuration file (YAML), made where there is none; else $DUPWATCH_CONFIG, else "
                    "/etc/dupwatch/dupwatch.yaml")
        ->type_name("FILE");
    set->add_option("settings", words_, "Each key, dotted, with its value; of a list or map [a, b]")
        ->required()
        ->type_name("KEY=VALUE");
  }

  [[nodiscard]] ExitCode run(const Invocation& /*invocation*/) override {
    std::vector<config::Setting> settings;
    for (const auto& word : words_) {
      const auto sign = word.find('=');
      if (sign == std::string::npos) {
        fmt::print(stderr, "error: {} has no value; expected KEY=VALUE\n", core::visible(word));
        return ExitCode::kUsage;
      }
      settings.push_back({word.substr(0, sign), word.substr(sign + 1)});
    }
    const auto from = source_.chosen();
    if (from.file.empty()) {
      fmt::print(stderr, "error: no file to set it in: {}; give --config FILE\n", from.why);
      return ExitCode::kUsage;
    }
    return set(from.file, settings);
  }

 private:
  [[nodiscard]] static ExitCode set(const std::string& file, const std::vector<config::Setting>& settings) {
    auto text = config::read_regular_file(file);
    if (const auto* error = std::get_if<int>(&text)) {
      if (*error != ENOENT) {
        return report_file(file, *error, "a regular file that can be read", "run as its owner or as root");
      }
      text = std::string{};
    }
    const auto changed = config::set_values(std::get<std::string>(text), file, settings,
                                            environment_for(file), config::read_regular_file);
    if (const auto* problems = std::get_if<std::vector<config::ConfigProblem>>(&changed)) {
      report(*problems);
      return ExitCode::kUsage;
    }
    if (const int error = config::replace_file(file, std::get<std::string>(changed)); error != 0) {
      return report_file(file, error, "a file and a folder that can be written",
                         "make the folder where it is missing, or run as its owner or as root");
    }
    std::string keys;
    for (const auto& setting : settings) keys += (keys.empty() ? "" : ", ") + setting.key;
    fmt::print("{}: set {}. A running dupwatch reads it after a reload or restart.\n", file, keys);
    return ExitCode::kClean;
  }

  ConfigurationSource source_;
  std::vector<std::string> words_;
};

}  // namespace

std::unique_ptr<Command> make_config() {
  return std::make_unique<ConfigCommand>();
}

}  // namespace dupwatch::cli
