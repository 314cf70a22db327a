#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/core/finding.hpp"

/// Which row may be taken out of the log. Pure; the act checks the table once more, under its lock.
namespace dupwatch::quarantine {

/// Why a row stays where it is.
enum class Refusal : std::uint8_t {
  kNotFatal,      ///< replay does not fail on it
  kSlotNumbered,  ///< the run has slot numbers: a hole in them is fatal itself
  kRunEnded,      ///< no replay reads the log again
  kRule,          ///< removing the row would lose something, or was not measured to heal
  kOutcome,       ///< a step both completed and failed: which is right is not for a tool to say
  kCanonical      ///< no row of its identity sorts before it
};
/// A slug, e.g. "slot_numbered".
[[nodiscard]] std::string_view to_string(Refusal refusal) noexcept;
/// A sentence for people.
[[nodiscard]] std::string_view explanation(Refusal refusal) noexcept;

/// nullopt: the row at fault may be removed. `slot_numbered`: some id of the run is a slot number.
[[nodiscard]] std::optional<Refusal> refusal(const core::Finding& finding, bool slot_numbered) noexcept;

}  // namespace dupwatch::quarantine
