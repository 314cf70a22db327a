#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/keys.hpp"
#include "daemon/config/reader.hpp"

namespace dupwatch::config {

/// In the order of core::Severity.
inline constexpr std::array<std::string_view, core::kSeverities> kSeverityNames = {"fatal", "conflict",
                                                                                   "harmless", "unknown"};

/// The map `table.rules`, each rule by itself; nullopt: something was refused, and that is told.
[[nodiscard]] std::optional<std::vector<RuleSection>> read_rules(const Reader& reader);

/// A word that stands for rows in what people read.
[[nodiscard]] Parsed<std::string> parse_label(std::string_view text);

/// Puts `rules` into the profile, whose columns are known, with the types that they need. What contradicts
/// itself goes to `problems`.
void add_rules(const Placed<std::vector<RuleSection>>& rules, core::Profile& profile, Problems& problems);

}  // namespace dupwatch::config
