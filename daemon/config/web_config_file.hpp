#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/config/config_file.hpp"
#include "daemon/core/web_config.hpp"

/// The web configuration file of Prometheus' exporter-toolkit, which dupwatch takes as every exporter does.
namespace dupwatch::config {

using WebConfigResult = std::variant<core::WebConfig, std::vector<ConfigProblem>>;

/// Pure. Each key of the format is taken or refused by name. Empty text gives plain HTTP for everybody. Files
/// that the text names are not read; relative paths are made to begin at the folder of `file_name`.
[[nodiscard]] WebConfigResult parse_web_config(std::string_view text, std::string_view file_name);

[[nodiscard]] WebConfigResult load_web_config_file(const std::string& path);

/// The same with each problem as a line for people. Any thread.
[[nodiscard]] std::variant<core::WebConfig, std::vector<std::string>> load_web_config(
    const std::string& path);

}  // namespace dupwatch::config
