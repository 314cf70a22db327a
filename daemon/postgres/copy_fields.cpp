#include "daemon/postgres/copy_fields.hpp"

namespace dupwatch::postgres {
namespace {

char unescaped(char c) noexcept {
  switch (c) {
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
    case 'v':
      return '\v';
    default:
      return c;
  }
}

}  // namespace

void CopyFields::split(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  size_ = 0;
  text_.clear();
  // Views into it stay valid: a value is never longer than its escaped form.
  if (line.find('\\') != std::string_view::npos) text_.reserve(line.size());
  for (bool more = true; more && size_ < kMax;) {
    const auto tab = line.find('\t');
    fields_[size_++] = value_of(line.substr(0, tab));
    more = tab != std::string_view::npos;
    if (more) line.remove_prefix(tab + 1);
  }
}

std::optional<std::string_view> CopyFields::value_of(std::string_view field) {
  if (field == "\\N") return std::nullopt;
  if (field.find('\\') == std::string_view::npos) return field;
  const auto begin = text_.size();
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool escape = field[i] == '\\' && i + 1 < field.size();
    text_ += escape ? unescaped(field[++i]) : field[i];
  }
  return std::string_view{text_}.substr(begin);
}

}  // namespace dupwatch::postgres
