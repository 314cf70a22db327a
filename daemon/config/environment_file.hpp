#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace dupwatch::config {

/// Names to values.
using Variables = std::map<std::string, std::string, std::less<>>;

/// The text of an EnvironmentFile= of systemd (systemd.exec(5)): NAME=value lines, comments with # or ;,
/// values in single or double quotes, a backslash that continues a line. What is no assignment is ignored, as
/// there. Pure.
[[nodiscard]] Variables parse_environment_file(std::string_view text);

/// The file's variables; none where it cannot be read. At most 1 MiB is looked at.
[[nodiscard]] Variables read_environment_file(const std::string& path);

}  // namespace dupwatch::config
