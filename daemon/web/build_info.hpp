#pragma once

#include <string_view>

namespace dupwatch::web {

/// What this binary was built from; the labels of dupwatch_build_info.
struct BuildInfo {
  std::string_view version;
  /// Commit hash at the time CMake ran, "unknown" outside a git checkout.
  std::string_view revision;
  std::string_view compiler;
};

[[nodiscard]] BuildInfo build_info() noexcept;

}  // namespace dupwatch::web
