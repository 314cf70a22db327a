#pragma once

#include <string>
#include <string_view>

namespace dupwatch::core {

/// `text` as one word of a POSIX shell, quoted where it must be.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace dupwatch::core
