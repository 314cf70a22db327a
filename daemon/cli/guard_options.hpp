#pragma once

#include <cstdint>

namespace dupwatch::cli {

/// Command line of `guard`.
struct GuardOptions {
  enum class Action : std::uint8_t { kNone, kInstall, kRemove, kStatus };
  Action action = Action::kNone;
  bool print_sql = false;
  /// Guard lifecycle events behind the closing event too.
  bool lifecycle = false;
  bool json = false;
  /// A person has said so already.
  bool yes = false;
};

}  // namespace dupwatch::cli
