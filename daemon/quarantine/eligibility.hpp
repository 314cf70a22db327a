#pragma once

#include <optional>
#include <string_view>

#include "daemon/core/finding.hpp"
#include "daemon/core/quarantine_stats.hpp"

/// Which row may be taken out of the log. Pure; the act checks the table once more, under its lock.
namespace dupwatch::quarantine {

using Refusal = core::QuarantineRefusal;
/// A sentence for people.
[[nodiscard]] std::string_view explanation(Refusal refusal) noexcept;

/// nullopt: the row at fault may be removed. `slot_numbered`: some id of the run is a slot number.
[[nodiscard]] std::optional<Refusal> refusal(const core::Finding& finding, bool slot_numbered) noexcept;

}  // namespace dupwatch::quarantine
