#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/config/config_file.hpp"

/// Values set in the text of a configuration file, whose comments and order stay as they are. Pure but for
/// the files that the text names.
namespace dupwatch::config {

/// One value to set.
struct Setting {
  /// Dotted, e.g. connection.dsn.
  std::string key;
  /// As the file has it, ${NAME} included, without YAML's quotes; of a list or map its flow form: [a, b].
  std::string value;
};

/// The text with these values in it, in which nothing else is changed; or every problem, of the values and of
/// the text as it would be. A key that is commented out is set below its comment, one that is not there in
/// its section, and a section that is not there at the end.
[[nodiscard]] std::variant<std::string, std::vector<ConfigProblem>> set_values(
    std::string_view text, std::string_view file_name, std::span<const Setting> settings,
    const Environment& env, const FileReader& files = {});

}  // namespace dupwatch::config
