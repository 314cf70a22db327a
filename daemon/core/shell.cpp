#include "daemon/core/shell.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "daemon/core/text.hpp"

namespace dupwatch::core {
namespace {

/// In $'...', whose escapes name bytes.
std::string spelt_out(std::string_view text) {
  std::string out = "$'";
  while (!text.empty()) {
    const auto character = first_character(text);
    for (const char c : text.substr(0, character.bytes)) {
      if (character.hidden) {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
        continue;
      }
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    text.remove_prefix(character.bytes);
  }
  return out + "'";
}

}  // namespace

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain = "_-./:@%+,";
  const bool plain = !text.empty() && text.front() != '-' && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kPlain.find(c) != std::string_view::npos;
  });
  if (plain) return std::string(text);
  if (has_hidden(text)) return spelt_out(text);
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace dupwatch::core
