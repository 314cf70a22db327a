#pragma once

#include <optional>
#include <string_view>

#include "daemon/core/finding.hpp"

namespace dupwatch::core {

/// The inverse of to_json, so that a finding is known again after a restart. nullopt for what is no record of
/// a finding, e.g. a line that a crash cut short, or one of a rule that this version does not have. A record
/// of 0.1.0 has no shape: its sentence gives it, and it is nullopt where that is of no version.
[[nodiscard]] std::optional<Finding> read_finding(std::string_view json);

}  // namespace dupwatch::core
