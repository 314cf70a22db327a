#include "daemon/config/web_config_value.hpp"

#include <array>
#include <charconv>
#include <system_error>

namespace dupwatch::config {

using std::chrono::nanoseconds;

void WebConfigValue::refuse(const ConfigNode& node, std::string expected, std::string remedy) const {
  std::string found;
  if (node.kind == ConfigNode::Kind::kMap) found = "a map";
  if (node.kind == ConfigNode::Kind::kList) found = "a list";
  if (node.kind == ConfigNode::Kind::kScalar && !secret_) found = in_quotes(node.text);
  problems_.add(node.place, key_, std::move(found), std::move(expected), std::move(remedy));
}

std::optional<std::string> WebConfigValue::text_of(const ConfigNode& node) const {
  if (node.kind == ConfigNode::Kind::kScalar) return node.text;
  if (node.kind != ConfigNode::Kind::kNull) refuse(node, "one value", "");
  return std::nullopt;
}

std::vector<std::string> WebConfigValue::list() const {
  std::vector<std::string> out;
  if (node_.kind == ConfigNode::Kind::kNull) return out;
  if (node_.kind != ConfigNode::Kind::kList) {
    refuse("a list", "write each on a line of its own, after a dash");
    return out;
  }
  for (const auto& item : node_.items) {
    if (auto one = text_of(item)) out.push_back(*std::move(one));
  }
  return out;
}

std::optional<bool> parse_go_bool(std::string_view text) {
  constexpr auto kTrue = std::to_array<std::string_view>({"true", "yes", "on", "y"});
  constexpr auto kFalse = std::to_array<std::string_view>({"false", "no", "off", "n"});
  std::string lower{text};
  const auto to_lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::ranges::transform(lower, lower.begin(), to_lower);
  // true, True or TRUE, and no other mixture.
  const auto capitals = std::ranges::count_if(text, [](char c) { return c >= 'A' && c <= 'Z'; });
  const bool first = !text.empty() && text.front() != lower.front();
  const bool all = static_cast<std::size_t>(capitals) == text.size();
  if (capitals > 0 && !all && !(capitals == 1 && first)) return std::nullopt;
  if (std::ranges::find(kTrue, lower) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, lower) != kFalse.end()) return false;
  return std::nullopt;
}

std::optional<nanoseconds> parse_go_duration(std::string_view text) {
  constexpr auto kUnits = std::to_array<std::pair<std::string_view, double>>(
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}});
  constexpr double kMax = 9.2e18;
  if (text == "0") return nanoseconds{0};
  double sum = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double count = 0;
    const auto [rest, error] =
        std::from_chars(text.data(), text.data() + text.size(), count, std::chars_format::fixed);
    if (error != std::errc{} || count < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    const auto unit = text.substr(0, text.find_first_of("0123456789."));
    const auto* known = std::ranges::find(kUnits, unit, &std::pair<std::string_view, double>::first);
    if (known == kUnits.end()) return std::nullopt;
    text.remove_prefix(unit.size());
    sum += count * known->second;
  }
  if (!(sum < kMax)) return std::nullopt;
  return nanoseconds{static_cast<nanoseconds::rep>(sum)};
}

}  // namespace dupwatch::config
