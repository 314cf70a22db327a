#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dupwatch::decoder {

/// What JSON calls white space.
[[nodiscard]] constexpr bool is_json_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// How the brackets of a text stand that should be one JSON object.
struct JsonExtent {
  enum class Kind : std::uint8_t {
    kOpen,      ///< the object does not end
    kClosed,    ///< it ends, and only white space follows
    kTrailing,  ///< something else follows
    kNoObject   ///< the text starts with something else
  };
  Kind kind = Kind::kOpen;
  std::size_t offset = 0;  ///< where that was seen
};

/// Tells truncation from other damage. It looks at brackets and strings only and is
/// for the error path: one step for each byte.
[[nodiscard]] JsonExtent measure_json_object(std::string_view text) noexcept;

}  // namespace dupwatch::decoder
