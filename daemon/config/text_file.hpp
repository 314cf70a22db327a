#pragma once

#include <string>
#include <variant>

namespace dupwatch::config {

/// The file's text, at most one byte more than kConfigBytesMax, or the errno.
[[nodiscard]] std::variant<std::string, int> read_file(const std::string& path);

/// The same of a file that is read again later: a pipe would not end, and has nothing the second time.
[[nodiscard]] std::variant<std::string, int> read_regular_file(const std::string& path);

/// Puts a text in the place of a file, at once and durably, with the owner and mode that the file has; a new
/// one is for its owner and group. A link stays one. 0, or the errno: then the file is as it was.
[[nodiscard]] int replace_file(const std::string& path, const std::string& text);

}  // namespace dupwatch::config
