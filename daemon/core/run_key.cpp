#include "daemon/core/run_key.hpp"

namespace dupwatch::core {
namespace {

constexpr char kSeparator = '/';
constexpr std::string_view kWrittenSeparator = "%2F";
constexpr std::string_view kWrittenPercent = "%25";

void write_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == kSeparator) {
      out += kWrittenSeparator;
    } else if (c == '%') {
      out += kWrittenPercent;
    } else {
      out += c;
    }
  }
}

std::string read_value(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const bool separator = text.starts_with(kWrittenSeparator);
    const bool percent = text.starts_with(kWrittenPercent);
    out += separator ? kSeparator : text.front();
    text.remove_prefix(separator || percent ? kWrittenPercent.size() : 1);
  }
  return out;
}

}  // namespace

void write_run_key(std::string& out, std::span<const decoder::Value> scope, std::string_view run) {
  out.clear();
  for (const auto& value : scope) {
    write_value(out, value.text);
    out += kSeparator;
  }
  out += run;
}

std::optional<std::vector<std::string>> split_run_key(std::string_view key, std::size_t scope_columns) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < scope_columns; ++i) {
    const auto end = key.find(kSeparator);
    if (end == std::string_view::npos) return std::nullopt;
    values.push_back(read_value(key.substr(0, end)));
    key.remove_prefix(end + 1);
  }
  values.emplace_back(key);
  return values;
}

}  // namespace dupwatch::core
