#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config/document.hpp"
#include "daemon/config/values.hpp"

namespace dupwatch::config {

/// A value of the file, and where complaints about it go.
class WebConfigValue {
 public:
  WebConfigValue(const ConfigNode& node, std::string key, bool secret, Problems& problems)
      : node_(node), key_(std::move(key)), secret_(secret), problems_(problems) {}

  void refuse(std::string expected, std::string remedy = {}) const {
    refuse(node_, std::move(expected), std::move(remedy));
  }

  /// nullopt, reported unless there is nothing: not one value.
  [[nodiscard]] std::optional<std::string> text() const { return text_of(node_); }

  /// Each in turn; nothing at all is an empty list.
  [[nodiscard]] std::vector<std::string> list() const;

  template <class T>
  void choice(T& into, std::span<const std::pair<std::string_view, T>> choices) const {
    const auto given = text();
    if (!given) return;
    if (const auto found = pick(node_, choices)) into = *found;
  }

  /// Of a list, each in turn.
  template <class T>
  void choices(std::vector<T>& into, std::span<const std::pair<std::string_view, T>> choices) const {
    const auto all = list();  // reports what is no list
    if (all.empty()) return;
    for (const auto& item : node_.items) {
      if (item.kind != ConfigNode::Kind::kScalar) continue;
      if (const auto found = pick(item, choices)) into.push_back(*found);
    }
  }

  [[nodiscard]] const ConfigNode& node() const noexcept { return node_; }
  [[nodiscard]] Place place() const noexcept { return node_.place; }

 private:
  void refuse(const ConfigNode& node, std::string expected, std::string remedy) const;
  [[nodiscard]] std::optional<std::string> text_of(const ConfigNode& node) const;

  template <class T>
  [[nodiscard]] std::optional<T> pick(const ConfigNode& node,
                                      std::span<const std::pair<std::string_view, T>> choices) const {
    const auto found = std::ranges::find(choices, node.text, &std::pair<std::string_view, T>::first);
    if (found != choices.end()) return found->second;
    std::vector<std::string_view> names;
    for (const auto& choice : choices) names.push_back(choice.first);
    refuse(node, fmt::format("one of {}", fmt::join(names, ", ")), did_you_mean(node.text, names));
    return std::nullopt;
  }

  const ConfigNode& node_;
  const std::string key_;
  const bool secret_;
  Problems& problems_;
};

/// As YAML 1.1 has them, which Go's reader follows.
[[nodiscard]] std::optional<bool> parse_go_bool(std::string_view text);

/// As Go's time.ParseDuration: 1m30s, 1.5h, 500ms, 0.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text);

}  // namespace dupwatch::config
