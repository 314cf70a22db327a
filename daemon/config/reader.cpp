#include "daemon/config/reader.hpp"
#include "daemon/core/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dupwatch::config {

std::string Reader::shown(const ConfigNode& node) const {
  if (secret_) return {};
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return "nothing";
    case ConfigNode::Kind::kScalar:
      // As written: what a variable holds may be a secret whatever the key.
      return in_quotes(node.text);
    case ConfigNode::Kind::kList:
      return "a list";
    case ConfigNode::Kind::kMap:
      return "a map";
  }
  return {};
}

std::optional<std::string> Reader::scalar(const ConfigNode& node, const std::string& expected) const {
  if (node.kind != ConfigNode::Kind::kScalar) {
    problems_.add(node.place, key_, shown(node), expected,
                  node.kind == ConfigNode::Kind::kNull
                      ? "write a value, \"\" for an empty one, or remove the key"
                      : "");
    return std::nullopt;
  }
  auto expanded = expand(node.text, env_);
  if (auto* refusal = std::get_if<Refusal>(&expanded)) {
    problems_.add(node.place, key_, shown(node), std::move(refusal->expected), std::move(refusal->remedy));
    return std::nullopt;
  }
  auto& text = std::get<std::string>(expanded);
  for (std::string_view rest = text; !rest.empty();) {
    const auto length = core::utf8_length(rest);
    if (length == 0) {
      problems_.add(node.place, key_, shown(node), "UTF-8 text",
                    "look at what the environment variable holds");
      return std::nullopt;
    }
    rest.remove_prefix(length);
  }
  // To another type, so nothing is elided.
  return std::move(text);  // cppcheck-suppress returnStdMoveLocal
}

std::optional<std::vector<std::string>> Reader::list_of(const ConfigNode& node,
                                                        Parsed<std::string> (*parse)(std::string_view),
                                                        Range<std::size_t> count) const {
  if (node.kind != ConfigNode::Kind::kList || node.items.size() < count.min ||
      node.items.size() > count.max) {
    const bool is_list = node.kind == ConfigNode::Kind::kList;
    problems_.add(node.place, key_, is_list ? fmt::format("{} items", node.items.size()) : shown(node),
                  fmt::format("a list of {} to {} names", count.min, count.max),
                  is_list ? "" : "e.g. [a, b]");
    return std::nullopt;
  }
  std::vector<std::string> out;
  bool complete = true;
  for (const auto& item : node.items) {
    const auto text = scalar(item, "a name");
    auto value = text ? accept(item, *text, parse(*text)) : std::nullopt;
    if (!value) {
      complete = false;
    } else if (std::ranges::find(out, *value) != out.end()) {
      problems_.add(item.place, key_, shown(item) + " a second time", "each name once");
      complete = false;
    } else {
      out.push_back(*std::move(value));
    }
  }
  return complete ? std::optional{std::move(out)} : std::nullopt;
}

std::optional<std::vector<std::string>> Reader::list(Parsed<std::string> (*parse)(std::string_view),
                                                     Range<std::size_t> count) const {
  return list_of(node_, parse, count);
}

std::optional<std::vector<std::pair<std::string, std::vector<std::string>>>> Reader::map_of_lists(
    Parsed<std::string> (*parse)(std::string_view), std::size_t max) const {
  if (node_.kind != ConfigNode::Kind::kMap || node_.items.empty() || node_.items.size() > max) {
    problems_.add(node_.place, key_, shown(node_),
                  fmt::format("a map of 1 to {} names to lists of names", max),
                  "e.g. {order_closed: [order_opened, order_paid]}");
    return std::nullopt;
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> out;
  bool complete = true;
  for (const auto& entry : node_.items) {
    const auto name = parse(entry.key);
    if (const auto* refusal = std::get_if<Refusal>(&name)) {
      problems_.add(entry.key_place, key_, in_quotes(entry.key), refusal->expected, refusal->remedy);
      complete = false;
      continue;
    }
    auto values = list_of(entry, parse, {1, max});
    complete = complete && values.has_value();
    if (values) out.emplace_back(entry.key, *std::move(values));
  }
  return complete ? std::optional{std::move(out)} : std::nullopt;
}

}  // namespace dupwatch::config
