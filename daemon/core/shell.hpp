#pragma once

#include <string>
#include <string_view>

namespace dupwatch::core {

/// `text` as one word of a POSIX shell, quoted where it must be; in $'...' (bash, ksh, zsh, POSIX.1-2024)
/// when something in it is hidden (text.hpp).
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace dupwatch::core
