#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Text that somebody else wrote, as characters. Pure; any thread.
namespace dupwatch::core {

/// Bytes of the UTF-8 character that `text` begins with; 0 when it begins with none (empty, overlong, a
/// surrogate, cut off). Unicode, table 3-7.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;

struct Character {
  /// Of the text that it was read from; at least 1.
  std::size_t bytes = 1;
  /// The byte itself where no character begins.
  char32_t code = 0;
  bool valid = false;
  /// Nothing that a reader sees, or it changes how a terminal or a browser shows the rest: controls (C0, DEL,
  /// C1), what sets the direction, line and paragraph separators, invisible marks; and a byte that is no
  /// character.
  bool hidden = true;
};
/// The first of a text that is not empty.
[[nodiscard]] Character first_character(std::string_view text) noexcept;

[[nodiscard]] bool has_hidden(std::string_view text) noexcept;

/// For a person's eyes: what is hidden is spelt out, "\x1b" (a byte) or "\u202e" (a character). Not to be
/// read back.
[[nodiscard]] std::string visible(std::string_view text);

/// JSON string literal incl. quotes. What is hidden is escaped, so that a line stays a line and shows as it
/// is; the value is the same. Every byte that is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
[[nodiscard]] std::string json_string(std::string_view text);

/// Text for HTML, between tags or in a quoted attribute.
void append_html(std::string& out, std::string_view text);

}  // namespace dupwatch::core
