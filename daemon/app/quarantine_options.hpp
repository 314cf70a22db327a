#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dupwatch::app {

/// Command line of `quarantine`.
struct QuarantineOptions {
  enum class Action : std::uint8_t { kList, kShow, kApply, kRestore, kStatus, kResume };
  Action action = Action::kList;
  bool json = false;
  /// A person has said so already.
  bool yes = false;
  bool dry_run = false;
  /// Entries that list shows at most.
  int limit = 100;
  std::optional<std::string> list_run{};
  std::string run_id{};
  std::string finding_id{};
  std::string entry{};
};

}  // namespace dupwatch::app
