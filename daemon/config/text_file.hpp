#pragma once

#include <string>
#include <variant>

namespace dupwatch::config {

/// The file's text, at most one byte more than kConfigBytesMax, or the errno.
[[nodiscard]] std::variant<std::string, int> read_file(const std::string& path);

/// The same of a file that is read again later: a pipe would not end, and has nothing the second time.
[[nodiscard]] std::variant<std::string, int> read_regular_file(const std::string& path);

}  // namespace dupwatch::config
