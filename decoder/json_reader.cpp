#include "decoder/json_reader.hpp"

#include <simdjson.h>

#include <algorithm>
#include <experimental/simd>
#include <optional>

namespace dupwatch::decoder {
namespace {

using std::string_view;
// Signed: what is below a space is a control character or, negative, a byte of a longer UTF-8 sequence.
using Block = std::experimental::native_simd<signed char>;
// Of Block's own type, as a plain char is unsigned on arm64.
constexpr signed char kQuote = '"';
constexpr signed char kBackslash = '\\';
constexpr signed char kSpace = ' ';

enum class Stop : std::uint8_t { kQuoteOrBackslash, kAnythingUnusual };

template <Stop stop>
constexpr bool stops(char c) noexcept {
  const auto byte = static_cast<signed char>(c);
  return byte == kQuote || byte == kBackslash || (stop == Stop::kAnythingUnusual && byte < kSpace);
}

/// Which of the bytes from `at` on stop the search.
template <Stop stop>
Block::mask_type stops_in(const char* at) noexcept {
  const Block block(reinterpret_cast<const signed char*>(at), std::experimental::element_aligned);
  const auto hit = block == kQuote || block == kBackslash;
  if constexpr (stop == Stop::kAnythingUnusual) return hit || block < kSpace;
  return hit;
}

/// The first byte in [at, end) that stops the search, else `end`. Most bytes of a stream of large rows are
/// passed here.
template <Stop stop>
const char* find_stop(const char* at, const char* end) noexcept {
  constexpr auto kSize = static_cast<std::ptrdiff_t>(Block::size());
  while (end - at >= kSize) {
    const auto hit = stops_in<stop>(at);
    if (any_of(hit)) return at + find_first_set(hit);
    at += kSize;
    // What is longer than a block is likely to be much longer.
    while (end - at >= 4 * kSize &&
           none_of(stops_in<stop>(at) || stops_in<stop>(at + kSize) || stops_in<stop>(at + 2 * kSize) ||
                   stops_in<stop>(at + 3 * kSize))) {
      at += 4 * kSize;
    }
  }
  while (at != end && !stops<stop>(*at)) ++at;
  return at;
}

/// Four hexadecimal digits.
std::optional<std::uint32_t> read_hex(const char*& at, const char* end) noexcept {
  if (end - at < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at) {
    const char c = *at;
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value * 16 + static_cast<std::uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return value;
}

/// What stands behind \u: one UTF-16 unit, or two when the first is half of a character.
std::optional<std::uint32_t> read_code_point(const char*& at, const char* end) noexcept {
  const auto unit = read_hex(at, end);
  if (!unit || *unit < 0xD800 || *unit > 0xDFFF) return unit;
  if (*unit > 0xDBFF || end - at < 2 || at[0] != '\\' || at[1] != 'u') return std::nullopt;
  at += 2;
  const auto low = read_hex(at, end);
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return std::nullopt;
  return 0x10000 + ((*unit - 0xD800) << 10U) + (*low - 0xDC00);
}

char* put_utf8(char* out, std::uint32_t code) noexcept {
  const auto put = [&](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | code >> 6U);
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | code >> 12U);
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | code >> 18U);
    put(0x80U | (code >> 12U & 0x3FU));
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
  return out;
}

/// The character that backslash and `c` stand for; 0 when they stand for none.
constexpr char simple_escape(char c) noexcept {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

/// Writes `raw` without its escapes and returns the end of it; null when an escape is none. Never longer than
/// `raw`.
char* unescape(string_view raw, char* out) noexcept {
  const char* at = raw.data();
  const char* const end = at + raw.size();
  while (at != end) {
    const char* const stop = std::find(at, end, '\\');
    out = std::copy(at, stop, out);
    if (stop == end) break;
    at = stop + 1;
    if (at == end) return nullptr;
    const char c = *at++;
    if (c == 'u') {
      const auto code = read_code_point(at, end);
      if (!code) return nullptr;
      out = put_utf8(out, *code);
    } else {
      *out = simple_escape(c);
      if (*out++ == '\0') return nullptr;
    }
  }
  return out;
}

bool ends_token(char c) noexcept {
  return is_json_space(c) || c == ',' || c == '}' || c == ']' || c == ':' || c == '"' || c == '{' || c == '[';
}

}  // namespace

void JsonReader::start(string_view text) noexcept {
  begin_ = text.data();
  at_ = begin_;
  end_ = begin_ + text.size();
  opened_ = false;
  unescaped_size_ = 0;
}

void JsonReader::release() noexcept {
  // Not unescaped_ = {}, which empties it and keeps its memory.
  std::vector<char>().swap(unescaped_);
}

bool JsonReader::skip_string() noexcept {
  for (;;) {
    at_ = find_stop<Stop::kQuoteOrBackslash>(at_, end_);
    if (at_ == end_) return false;
    if (*at_ == '"') {
      ++at_;
      return true;
    }
    if (end_ - at_ < 2) return false;
    at_ += 2;
  }
}

JsonReader::Step JsonReader::next_member(string_view& key) noexcept {
  const auto step = next('}');
  if (step != Step::kItem) return step;
  if (peek() != '"') return Step::kError;
  const char* const first = ++at_;
  if (!skip_string()) return Step::kError;
  key = {first, static_cast<std::size_t>(at_ - first) - 1};
  if (peek() != ':') return Step::kError;
  ++at_;
  return Step::kItem;
}

bool JsonReader::read_string(string_view& text) {
  if (peek() != '"') return false;
  const char* const first = at_ + 1;
  const char* const stop = find_stop<Stop::kAnythingUnusual>(first, end_);
  if (stop == end_ || *stop != '"') return read_unusual_string(first, text);
  text = {first, static_cast<std::size_t>(stop - first)};
  at_ = stop + 1;
  return true;
}

/// A string with escapes, with more than ASCII, or with what no string may hold.
bool JsonReader::read_unusual_string(const char* first, string_view& text) {
  at_ = first;
  if (!skip_string()) return false;
  const string_view raw{first, static_cast<std::size_t>(at_ - first) - 1};
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  if (std::any_of(raw.begin(), raw.end(), is_control)) return false;
  if (!simdjson::validate_utf8(raw.data(), raw.size())) return false;
  text = raw;
  if (raw.find('\\') == string_view::npos) return true;
  const auto size = static_cast<std::size_t>(end_ - begin_);
  if (unescaped_size_ == 0 && unescaped_.size() < size) unescaped_.resize(size);
  char* const out = unescaped_.data() + unescaped_size_;
  const char* const stop = unescape(raw, out);
  if (stop == nullptr) return false;
  text = {out, static_cast<std::size_t>(stop - out)};
  unescaped_size_ += text.size();
  return true;
}

bool JsonReader::read_token(string_view& token) noexcept {
  skip_space();
  const char* const first = at_;
  while (at_ != end_ && !ends_token(*at_)) ++at_;
  token = {first, static_cast<std::size_t>(at_ - first)};
  return !token.empty() && at_ != end_;
}

bool JsonReader::skip_value() noexcept {
  switch (peek()) {
    case '"':
      ++at_;
      return skip_string();
    case '{':
    case '[':
      ++at_;
      return skip_to_depth_zero(1);
    default:
      string_view token;
      return read_token(token);
  }
}

bool JsonReader::skip_to_depth_zero(std::size_t depth) noexcept {
  opened_ = false;
  while (at_ != end_) {
    const char c = *at_++;
    if (c == '"') {
      if (!skip_string()) return false;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace dupwatch::decoder
