#include "daemon/postgres/quoting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "daemon/core/text.hpp"

namespace dupwatch::postgres {
namespace {

bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

std::string enclose(std::string_view text, char quote) {
  std::string quoted(1, quote);
  for (const char c : text) {
    if (c == quote) quoted += c;
    quoted += c;
  }
  quoted += quote;
  return quoted;
}

/// E'...': control characters are spelt out, so that a printed statement does nothing to a terminal and no
/// comment begins or ends within it.
std::string escape(std::string_view text) {
  std::string quoted = "E'";
  for (const char c : text) {
    if (is_control(c)) {
      fmt::format_to(std::back_inserter(quoted), "\\x{:02x}", static_cast<unsigned char>(c));
      continue;
    }
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  quoted += '\'';
  return quoted;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  return enclose(name, '"');
}

std::string quote_literal(std::string_view text) {
  const bool plain = std::ranges::none_of(text, [](char c) { return c == '\\' || is_control(c); });
  return plain ? enclose(text, '\'') : escape(text);
}

std::string printed_literal(std::string_view text) {
  if (!core::has_hidden(text)) return quote_literal(text);
  std::string quoted = "E'";
  while (!text.empty()) {
    const auto character = core::first_character(text);
    const auto code = static_cast<unsigned>(character.code);
    if (!character.hidden) {
      if (character.code == U'\'' || character.code == U'\\') quoted += text.front();
      quoted += text.substr(0, character.bytes);
    } else if (!character.valid || code < 0x80) {
      fmt::format_to(std::back_inserter(quoted), "\\x{:02x}", code);
    } else if (code < 0x10000) {
      fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", code);
    } else {
      fmt::format_to(std::back_inserter(quoted), "\\U{:08x}", code);
    }
    text.remove_prefix(character.bytes);
  }
  return quoted + '\'';
}

std::string quote_option(std::string_view text) {
  return enclose(text, '\'');
}

std::string qualified(std::string_view schema, std::string_view name) {
  return quote_identifier(schema) + '.' + quote_identifier(name);
}

}  // namespace dupwatch::postgres
