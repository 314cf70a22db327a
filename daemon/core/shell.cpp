#include "daemon/core/shell.hpp"

#include <algorithm>

namespace dupwatch::core {

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain = "_-./:@%+,";
  const bool plain = !text.empty() && text.front() != '-' && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kPlain.find(c) != std::string_view::npos;
  });
  if (plain) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace dupwatch::core
