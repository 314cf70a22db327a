#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dupwatch::cli {

/// The name that `word` was most likely meant to be: at most two letters away, and fewer than half of it.
[[nodiscard]] std::optional<std::string> nearest_name(std::string_view word,
                                                      const std::vector<std::string>& names);

/// The word on one line of a terminal: control characters become '?', and it ends after 60 bytes.
[[nodiscard]] std::string printable(std::string_view word);

}  // namespace dupwatch::cli
