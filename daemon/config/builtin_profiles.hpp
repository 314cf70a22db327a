#pragma once

#include <span>
#include <string_view>

namespace dupwatch::config {

/// A profile that is known by its name, written in the language of the configuration.
struct BuiltinProfile {
  std::string_view name;
  /// One line, without full stop.
  std::string_view summary;
  /// YAML with the keys `profile: generic` and `table`.
  std::string_view text;
};

[[nodiscard]] std::span<const BuiltinProfile> builtin_profiles() noexcept;
/// nullptr: there is none of this name.
[[nodiscard]] const BuiltinProfile* find_builtin(std::string_view name) noexcept;

}  // namespace dupwatch::config
