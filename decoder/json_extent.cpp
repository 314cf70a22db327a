#include "decoder/json_extent.hpp"

namespace dupwatch::decoder {

JsonExtent measure_json_object(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size() && is_json_space(text[i])) ++i;
  if (i == text.size()) return {JsonExtent::Kind::kOpen, i};
  if (text[i] != '{') return {JsonExtent::Kind::kNoObject, i};
  std::size_t depth = 0;
  bool in_string = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      ++i;
      while (i < text.size() && is_json_space(text[i])) ++i;
      return {i == text.size() ? JsonExtent::Kind::kClosed : JsonExtent::Kind::kTrailing, i};
    }
  }
  return {JsonExtent::Kind::kOpen, text.size()};
}

}  // namespace dupwatch::decoder
