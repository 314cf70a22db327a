#pragma once

#include <string>
#include <string_view>

#include "daemon/core/finding.hpp"

/// Texts of the watched table for people. Who may INSERT can choose keys of hundreds of kilobytes.
namespace dupwatch::core {

/// Longer texts are cut.
inline constexpr std::size_t kShownBytesMax = 512;

/// The text, or its beginning with its length and a hash: "abc... (300000 bytes, 0f3a...)". Two texts that
/// are cut look equal only if they are, but for a chance of 2^-64. A character of UTF-8 is not cut in two.
[[nodiscard]] std::string shown_text(std::string_view text);

/// The finding with its texts as shown_text() gives them.
[[nodiscard]] Finding shown(Finding finding);

}  // namespace dupwatch::core
