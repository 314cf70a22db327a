#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"

/// Which keys of the configuration take effect while the daemon runs. Pure.
namespace dupwatch::core {

/// Keys by name, in the order of the reference file; never a value.
struct ConfigChange {
  /// Differed, and are in force now.
  std::vector<std::string_view> applied;
  /// Differ, and count from the next start on.
  std::vector<std::string_view> needs_restart;
};

/// Takes over into `running` what of `wanted` can be taken over; the rest of `running` stays as it is.
[[nodiscard]] ConfigChange take_over(Config& running, const Config& wanted);

struct ReloadKey {
  /// A section's name stands for all that is in it.
  std::string_view name;
  bool live = false;
};

/// What take_over() compares: every key there is.
[[nodiscard]] std::vector<ReloadKey> reload_keys();

}  // namespace dupwatch::core
