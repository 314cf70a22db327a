#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/core/config.hpp"

/// The configuration file: YAML text in, a checked core::Config out, or every problem at once.
namespace dupwatch::config {

/// One thing to correct. `found` never holds a secret: the value of connection.dsn and what an environment
/// variable contained are left out.
struct ConfigProblem {
  std::string file;
  /// 1-based; 0 = the problem has no place (a missing file, the command line).
  int line = 0;
  int column = 0;
  /// Dotted, e.g. slot.plugin; empty when the problem is not about one key.
  std::string key;
  std::string found;
  std::string expected;
  std::string remedy;
};

using ConfigResult = std::variant<core::Config, std::vector<ConfigProblem>>;

/// Looks up an environment variable; nullopt = unset.
using Environment = std::function<std::optional<std::string>(std::string_view)>;

/// Text of a file that the configuration names, or the errno.
using FileReader = std::function<std::variant<std::string, int>(const std::string&)>;

/// Larger input is refused unread.
inline constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20U;

/// Pure but for `files`; without it the files that the text names count as unreadable. Empty text gives the
/// defaults. Problems are in the order of the file.
[[nodiscard]] ConfigResult parse_config(std::string_view text, std::string_view file_name,
                                        const Environment& env, const FileReader& files = {});

[[nodiscard]] ConfigResult load_config_file(const std::string& path, const Environment& env);

/// The same for a file that was read at the start: a pipe is refused, it has nothing the second time.
[[nodiscard]] ConfigResult reload_config_file(const std::string& path, const Environment& env);

/// Values of the command line that replace those of the file; no ${ENV} in them, the shell did that.
struct Overrides {
  std::optional<std::string> dsn;
  std::optional<std::string> slot;
  std::optional<std::string> plugin;
  std::optional<std::string> publication;
  std::optional<std::string> web_config_file{};
  std::optional<std::string> log_level{};
};

/// Applies what is set, with the same checks as the file; problems are appended with file "command line".
void apply_overrides(core::Config& config, const Overrides& overrides, std::vector<ConfigProblem>& problems);

/// One line for people, without newline: `dupwatch.yaml:12:3: slot.plugin: found "wal2jsn", expected one of
/// ...`.
[[nodiscard]] std::string format_problem(const ConfigProblem& problem);

/// Every key the parser knows, dotted, sections included, in the order of the reference file.
[[nodiscard]] std::vector<std::string_view> known_keys();

}  // namespace dupwatch::config
