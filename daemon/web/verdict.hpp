#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/core/stats.hpp"

namespace dupwatch::web {

/// The state of affairs in one sentence, worst first: a daemon that is not watching must never look like a
/// clean log.
struct Verdict {
  enum class Level : std::uint8_t { kOk, kFindings, kFatal, kBlind };
  Level level = Level::kBlind;
  std::string sentence;
  /// What a person can do; empty = nothing is needed, or the sentence says it.
  std::string remedy;
};

/// `alive` = the event loop turns.
[[nodiscard]] Verdict judge(const core::StatusSnapshot& status, bool alive);

[[nodiscard]] std::string_view to_string(Verdict::Level level) noexcept;

/// Open findings of all rules.
struct FindingCounts {
  std::uint64_t all = 0;
  std::uint64_t fatal = 0;
};
[[nodiscard]] FindingCounts count_findings(const core::StatusSnapshot& status) noexcept;

}  // namespace dupwatch::web
