#include "daemon/config/config_file.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "daemon/config/basic_auth_section.hpp"
#include "daemon/config/document.hpp"
#include "daemon/config/keys.hpp"
#include "daemon/config/profile_section.hpp"
#include "daemon/config/text_file.hpp"
#include "daemon/config/values.hpp"

namespace dupwatch::config {
namespace {

template <class T>
void override_with(const std::optional<std::string>& text, std::string_view option, T& target,
                   const auto& parse, bool secret, std::vector<ConfigProblem>& problems) {
  if (!text) return;
  auto parsed = parse(*text);
  if (auto* refusal = std::get_if<Refusal>(&parsed)) {
    ConfigProblem problem;
    problem.file = "command line";
    problem.key = option;
    if (!secret) problem.found = in_quotes(*text);
    problem.expected = std::move(refusal->expected);
    problem.remedy = std::move(refusal->remedy);
    problems.push_back(std::move(problem));
    return;
  }
  target = static_cast<T>(std::get<0>(std::move(parsed)));
}

}  // namespace

ConfigResult parse_config(std::string_view text, std::string_view file_name, const Environment& env,
                          const FileReader& files) {
  Problems problems{file_name};
  const auto root = read_document(text, problems);
  Draft draft;
  read_keys(root, env, draft, problems);
  draft.config.http.basic_auth = build_basic_auth(draft.basic_auth, files, problems);
  // A profile made of refused values would only repeat the complaint.
  if (problems.empty()) draft.config.profile = build_profile(draft, problems);
  if (!problems.empty()) return std::move(problems).take();
  return std::move(draft.config);
}

ConfigResult load_config_file(const std::string& path, const Environment& env) {
  const auto text = read_file(path);
  if (const auto* error = std::get_if<int>(&text)) {
    Problems problems{path};
    problems.add({}, "", "nothing that can be read: " + std::generic_category().message(*error),
                 "a configuration file", "check the path given with --config and its permissions");
    return std::move(problems).take();
  }
  return parse_config(std::get<std::string>(text), path, env, read_regular_file);
}

ConfigResult reload_config_file(const std::string& path, const Environment& env) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) || std::filesystem::is_regular_file(path, error)) {
    return load_config_file(path, env);
  }
  Problems problems{path};
  problems.add({}, "", "a pipe, a device or a directory", "a regular file, which can be read a second time",
               "start dupwatch with --config FILE");
  return std::move(problems).take();
}

void apply_overrides(core::Config& config, const Overrides& overrides, std::vector<ConfigProblem>& problems) {
  override_with(overrides.dsn, "--dsn", config.connection.dsn, parse_dsn, true, problems);
  override_with(overrides.slot, "--slot", config.slot.name, parse_slot_name, false, problems);
  override_with(overrides.plugin, "--plugin", config.slot.plugin, parse_plugin, false, problems);
  override_with(overrides.web_config_file, "--web.config.file", config.http.web_config_file, parse_path,
                false, problems);
  override_with(overrides.log_level, "--log-level", config.log.level, parse_log_level, false, problems);
  override_with(overrides.publication, "--publication", config.slot.publication, parse_identifier, false,
                problems);
}

std::string format_problem(const ConfigProblem& problem) {
  std::string line = problem.file;
  if (problem.line > 0) line += fmt::format(":{}:{}", problem.line, problem.column);
  line += ':';
  if (!problem.key.empty()) line += fmt::format(" {}:", problem.key);
  if (!problem.found.empty()) line += fmt::format(" found {}", problem.found);
  if (!problem.expected.empty()) {
    line += fmt::format("{} expected {}", problem.found.empty() ? "" : ",", problem.expected);
  }
  if (!problem.remedy.empty()) line += fmt::format("; {}", problem.remedy);
  return line;
}

std::vector<std::string_view> known_keys() {
  std::vector<std::string_view> keys;
  for (const auto& key : key_table()) keys.push_back(key.path);
  return keys;
}

}  // namespace dupwatch::config
