#pragma once

#include <optional>
#include <string_view>

#include "daemon/core/finding.hpp"

namespace dupwatch::core {

/// The inverse of to_json, as far as a finding must be known again after a restart: everything but the rows'
/// xids, LSNs and times. nullopt for what is no record of a finding, e.g. a line that a crash cut short, or
/// one of a rule that this version does not have. `reason` is the text of this version's case table, empty
/// when that has changed since.
[[nodiscard]] std::optional<Finding> read_finding(std::string_view json);

}  // namespace dupwatch::core
