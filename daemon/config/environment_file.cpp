#include "daemon/config/environment_file.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fstream>

namespace dupwatch::config {
namespace {

constexpr std::size_t kBytesMax = std::size_t{1} << 20U;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

bool is_name(std::string_view name) {
  if (name.empty() || (std::isdigit(static_cast<unsigned char>(name[0])) != 0)) return false;
  return std::ranges::all_of(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

/// One walk over the text, a value at a time.
class AssignmentReader {
 public:
  explicit AssignmentReader(std::string_view text) : text_(text) {}

  [[nodiscard]] Variables read() {
    Variables variables;
    while (at_ < text_.size()) {
      skip_blank_lines();
      if (at_ >= text_.size()) break;
      if (text_[at_] == '#' || text_[at_] == ';') {
        skip_line();
        continue;
      }
      const auto end = text_.find_first_of("=\n", at_);
      if (end == std::string_view::npos || text_[end] == '\n') {
        skip_line();
        continue;
      }
      auto name = text_.substr(at_, end - at_);
      while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
      at_ = end + 1;
      auto found = value();
      if (is_name(name)) variables.insert_or_assign(std::string(name), std::move(found));
    }
    return variables;
  }

 private:
  void skip_blank_lines() {
    while (at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == '\n')) ++at_;
  }
  void skip_line() {
    const auto end = text_.find('\n', at_);
    at_ = end == std::string_view::npos ? text_.size() : end + 1;
  }

  /// Up to the end of the line that no backslash and no quote continues.
  std::string value() {
    std::string out;
    std::size_t kept = 0;  // blanks at the end of an unquoted value do not count
    char quote = '\0';
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\\' && quote != '\'' && at_ + 1 < text_.size()) {
        const char next = text_[++at_];
        // Inside double quotes a backslash stands before few characters only.
        if (next != '\n') {
          if (quote == '"' && std::string_view("\"\\`$").find(next) == std::string_view::npos) out += '\\';
          out += next;
        }
        kept = out.size();
      } else if (quote == '\0' && c == '\n') {
        ++at_;
        break;
      } else if (c == quote) {
        quote = '\0';
        kept = out.size();
      } else if (quote == '\0' && (c == '"' || c == '\'') && out.size() == kept) {
        quote = c;
      } else {
        out += c;
        if (quote != '\0' || !is_blank(c)) kept = out.size();
      }
    }
    out.resize(kept);
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Variables parse_environment_file(std::string_view text) {
  return AssignmentReader(text).read();
}

Variables read_environment_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_environment_file(text);
}

}  // namespace dupwatch::config
