#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "decoder/json_extent.hpp"

namespace dupwatch::decoder {

/// Reads one JSON text from front to back, in place and each byte once; the caller asks for what it expects
/// next. What it steps over is checked for closed strings and brackets alone. A call that answers false or
/// kError leaves the reader where the text stopped making sense; nothing may be asked of it afterwards but
/// offset(). Depth costs nothing: there is no recursion. Not thread-safe.
class JsonReader {
 public:
  enum class Step : std::uint8_t { kItem, kEnd, kError };

  /// `text` must stay valid while the reader is used. Text that was unescaped before is gone.
  void start(std::string_view text) noexcept;
  /// Gives back memory that one large text has grown.
  void release() noexcept;

  /// Steps into the object or array that comes next.
  [[nodiscard]] bool enter_object() noexcept { return enter('{'); }
  [[nodiscard]] bool enter_array() noexcept { return enter('['); }
  /// The object's next key as it is written, escapes and all; its value comes next. kEnd: stepped out of it.
  [[nodiscard]] Step next_member(std::string_view& key) noexcept;
  /// kItem: an element of the array comes next. kEnd: stepped out of it.
  [[nodiscard]] Step next_element() noexcept { return next(']'); }
  /// Steps over what is left of the object, whose key or value was read last.
  [[nodiscard]] bool leave_object() noexcept { return skip_to_depth_zero(1); }

  /// Steps over `literal`, whole tokens that end before a value or behind one, when the text goes on with
  /// exactly these bytes: a writer's usual spelling is known at once. Else nothing has happened.
  [[nodiscard]] bool take(std::string_view literal) noexcept {
    if (static_cast<std::size_t>(end_ - at_) < literal.size()) return false;
    if (std::memcmp(at_, literal.data(), literal.size()) != 0) return false;
    at_ += literal.size();
    opened_ = false;
    return true;
  }

  /// First byte of the value that comes next; 0 at the end of the text.
  [[nodiscard]] char peek() noexcept {
    skip_space();
    return at_ == end_ ? '\0' : *at_;
  }
  /// The string that comes next, unescaped, as good UTF-8. A view into the text where possible, else into
  /// memory of the reader that stays until the next start(). May throw bad_alloc.
  [[nodiscard]] bool read_string(std::string_view& text);
  /// The number or word that comes next, as it is written and unchecked; more of the text follows it.
  [[nodiscard]] bool read_token(std::string_view& token) noexcept;
  [[nodiscard]] bool skip_value() noexcept;

  /// True when nothing but white space is left.
  [[nodiscard]] bool at_end() noexcept {
    skip_space();
    return at_ == end_;
  }
  [[nodiscard]] std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  [[nodiscard]] bool enter(char bracket) noexcept {
    if (peek() != bracket) return false;
    ++at_;
    opened_ = true;
    return true;
  }
  [[nodiscard]] Step next(char closing) noexcept {
    const char c = peek();
    const bool first = std::exchange(opened_, false);
    if (c == closing) {
      ++at_;
      return Step::kEnd;
    }
    if (first) return Step::kItem;
    if (c != ',') return Step::kError;
    ++at_;
    return Step::kItem;
  }
  /// From behind the opening quote; leaves the reader behind the closing one.
  [[nodiscard]] bool skip_string() noexcept;
  [[nodiscard]] bool read_unusual_string(const char* first, std::string_view& text);
  [[nodiscard]] bool skip_to_depth_zero(std::size_t depth) noexcept;
  void skip_space() noexcept {
    while (at_ != end_ && is_json_space(*at_)) ++at_;
  }

  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool opened_ = false;  ///< a bracket was the last thing read: no comma belongs before what comes next
  std::vector<char> unescaped_;  ///< as large as the text once a string needs it: views into it stay
  std::size_t unescaped_size_ = 0;
};

}  // namespace dupwatch::decoder
