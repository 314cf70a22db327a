#include "daemon/core/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace dupwatch::core {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode's categories Cc, Zl and Zp, and of Cf what sets a direction or is invisible everywhere. The joiners
// U+200C and U+200D belong to words of several languages.
constexpr auto kHidden = std::to_array<Range>({{0x00, 0x1F},
                                               {0x7F, 0x9F},
                                               {0xAD, 0xAD},
                                               {0x61C, 0x61C},
                                               {0x180E, 0x180E},
                                               {0x200B, 0x200B},
                                               {0x200E, 0x200F},
                                               {0x2028, 0x202E},
                                               {0x2060, 0x206F},
                                               {0xFEFF, 0xFEFF},
                                               {0xFFF9, 0xFFFB},
                                               {0xE0000, 0xE007F}});

bool is_hidden(char32_t code) noexcept {
  // Nearly all of any text.
  if (code >= 0x20 && code < 0x7F) return false;
  return std::ranges::any_of(kHidden,
                             [code](Range range) { return code >= range.first && code <= range.last; });
}

void append_json_escape(std::string& out, char32_t code) {
  const auto unit = [&out](char32_t value) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(value));
  };
  if (code < 0x10000) {
    unit(code);
  } else {
    unit(0xD800 + ((code - 0x10000) >> 10U));
    unit(0xDC00 + ((code - 0x10000) & 0x3FFU));
  }
}

void append_json_character(std::string& out, const Character& character, std::string_view bytes) {
  constexpr auto kShort = std::to_array<std::pair<char32_t, std::string_view>>(
      {{U'"', "\\\""}, {U'\\', "\\\\"}, {U'\n', "\\n"}, {U'\t', "\\t"}, {U'\r', "\\r"}});
  const auto known = std::ranges::find(kShort, character.code, &std::pair<char32_t, std::string_view>::first);
  if (!character.valid) {
    out += "\\ufffd";
  } else if (known != kShort.end()) {
    out += known->second;
  } else if (character.hidden) {
    append_json_escape(out, character.code);
  } else {
    out += bytes;
  }
}

/// Most of what is written: a character that JSON takes without more ado.
constexpr bool stands_as_it_is(char c) noexcept {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/// Calls use(character, its bytes) for each.
template <class Use>
void for_each_character(std::string_view text, Use use) {
  while (!text.empty()) {
    const auto character = first_character(text);
    use(character, text.substr(0, character.bytes));
    text.remove_prefix(character.bytes);
  }
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : std::uint8_t{0};
  };
  const auto lead = byte(0);
  if (text.empty()) return 0;
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  // The second byte's range rules out overlong forms, surrogates and what lies above U+10FFFF.
  const unsigned second_min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned second_max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < second_min || byte(1) > second_max) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  return size;
}

Character first_character(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text.front());
  const auto size = utf8_length(text);
  if (size == 0) return {.bytes = 1, .code = lead, .valid = false, .hidden = true};
  // The lead byte of n bytes has n + 1 bits of its length.
  char32_t code = size == 1 ? lead : lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    code = (code << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  return {.bytes = size, .code = code, .valid = true, .hidden = is_hidden(code)};
}

bool has_hidden(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto character = first_character(text);
    if (character.hidden) return true;
    text.remove_prefix(character.bytes);
  }
  return false;
}

std::string visible(std::string_view text) {
  std::string out;
  for_each_character(text, [&out](const Character& character, std::string_view bytes) {
    if (!character.hidden) {
      out += bytes;
    } else if (!character.valid || character.code < 0x80) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned>(character.code));
    } else {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(character.code));
    }
  });
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto as_it_is = std::ranges::find_if_not(text, stands_as_it_is) - text.begin();
    out += text.substr(0, static_cast<std::size_t>(as_it_is));
    text.remove_prefix(static_cast<std::size_t>(as_it_is));
    if (text.empty()) break;
    const auto character = first_character(text);
    append_json_character(out, character, text.substr(0, character.bytes));
    text.remove_prefix(character.bytes);
  }
  out += '"';
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void append_html(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace dupwatch::core
