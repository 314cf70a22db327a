#pragma once

#include <span>
#include <string_view>

/// Alert rules, dashboards and runbooks of this version, put into the program by embed.cmake.
namespace dupwatch::monitoring {

struct EmbeddedFile {
  /// Without a folder: "DupwatchDown.md", "dupwatch.rules.yml".
  std::string_view name;
  std::string_view text;
};

[[nodiscard]] std::span<const EmbeddedFile> embedded_files() noexcept;

/// The text of a file; empty = there is none of this name.
[[nodiscard]] inline std::string_view embedded_file(std::string_view name) noexcept {
  for (const auto& file : embedded_files()) {
    if (file.name == name) return file.text;
  }
  return {};
}

}  // namespace dupwatch::monitoring
