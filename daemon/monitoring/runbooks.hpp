#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dupwatch::monitoring {

/// The names of the alerts that have a runbook, in the order of the alphabet.
[[nodiscard]] std::vector<std::string_view> runbook_names();

/// What to do when this alert fires, as Markdown; empty = there is no such alert.
[[nodiscard]] std::string_view runbook(std::string_view alert) noexcept;

}  // namespace dupwatch::monitoring
