#pragma once

#include <optional>
#include <string>

#include "daemon/config/config_file.hpp"
#include "daemon/core/config.hpp"

namespace dupwatch::cli {

/// The process's environment, and below it the service's for the service's own configuration.
[[nodiscard]] config::Environment environment_for(const std::string& file);

/// Where the configuration of this invocation comes from: a file, and options that stand above it.
struct ConfigurationSource {
  /// --config; empty = $DUPWATCH_CONFIG, else /etc/dupwatch/dupwatch.yaml where there is one, else the
  /// defaults.
  std::string file;
  config::Overrides overrides;

  /// The file that is read, empty = none, and in words why this one.
  struct Chosen {
    std::string file;
    std::string why;
  };
  [[nodiscard]] Chosen chosen() const;
  /// " --config FILE" for another command on this host to read the same file; empty where it does so anyway.
  [[nodiscard]] std::string option_for_others() const;
  [[nodiscard]] config::ConfigResult load() const;
  /// The same for a file that was read at the start.
  [[nodiscard]] config::ConfigResult reload() const;
  /// The configuration, or nullopt after reporting every problem on stderr.
  [[nodiscard]] std::optional<core::Config> load_or_report() const;
};

}  // namespace dupwatch::cli
