#include "daemon/cli/configuration.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/config/environment_file.hpp"
#include "daemon/core/shell.hpp"

namespace dupwatch::cli {
namespace {

using config::ConfigProblem;

constexpr const char* kDefaultFile = "/etc/dupwatch/dupwatch.yaml";
// What systemd gives the service, so that a command by hand sees the same ${NAME}.
constexpr const char* kServiceEnvironment = "/etc/default/dupwatch";

std::optional<std::string> process_environment(std::string_view name) {
  const char* value =
      std::getenv(std::string(name).c_str());  // NOLINT(concurrency-mt-unsafe): nothing sets one
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

using LoadFile = config::ConfigResult (*)(const std::string&, const config::Environment&);

config::ConfigResult read(const ConfigurationSource& source, LoadFile load_file) {
  core::Config config;
  std::vector<ConfigProblem> problems;
  if (const auto file = source.chosen().file; !file.empty()) {
    auto loaded = load_file(file, environment_for(file));
    if (auto* found = std::get_if<std::vector<ConfigProblem>>(&loaded)) {
      problems = std::move(*found);
    } else {
      config = std::get<core::Config>(std::move(loaded));
    }
  }
  config::apply_overrides(config, source.overrides, problems);
  if (!problems.empty()) return problems;
  return config;
}

}  // namespace

config::Environment environment_for(const std::string& file) {
  if (file != kDefaultFile) return process_environment;
  return [service = config::read_environment_file(kServiceEnvironment)](
             std::string_view name) -> std::optional<std::string> {
    if (auto value = process_environment(name)) return value;
    const auto found = service.find(name);
    return found == service.end() ? std::nullopt : std::optional(found->second);
  };
}

ConfigurationSource::Chosen ConfigurationSource::chosen() const {
  if (!file.empty()) return {file, "--config"};
  if (auto named = process_environment("DUPWATCH_CONFIG"); named && !named->empty()) {
    return {*std::move(named), "DUPWATCH_CONFIG"};
  }
  // A file that is there and may not be read must not look like none.
  if (access(kDefaultFile, F_OK) == 0 || errno == EACCES) return {kDefaultFile, "the default"};
  return {{}, fmt::format("no --config, no DUPWATCH_CONFIG, no {}", kDefaultFile)};
}

std::string ConfigurationSource::option_for_others() const {
  if (file.empty()) return {};
  if (ConfigurationSource{}.chosen().file == file) return {};
  return " --config " + core::shell_word(file);
}

config::ConfigResult ConfigurationSource::load() const {
  return read(*this, config::load_config_file);
}

config::ConfigResult ConfigurationSource::reload() const {
  return read(*this, config::reload_config_file);
}

std::optional<core::Config> ConfigurationSource::load_or_report() const {
  auto result = load();
  if (auto* config = std::get_if<core::Config>(&result)) return std::move(*config);
  for (const auto& problem : std::get<std::vector<ConfigProblem>>(result)) {
    fmt::print(stderr, "{}\n", config::format_problem(problem));
  }
  const auto from = chosen();
  fmt::print(stderr, "configuration: {}\n",
             from.file.empty() ? from.why : fmt::format("{} ({})", from.file, from.why));
  if (from.file == kDefaultFile && access(kServiceEnvironment, F_OK) == 0 &&
      access(kServiceEnvironment, R_OK) != 0) {
    fmt::print(stderr,
               "{} cannot be read by this user: variables that it sets are missing here; run as root\n",
               kServiceEnvironment);
  }
  return std::nullopt;
}

}  // namespace dupwatch::cli
