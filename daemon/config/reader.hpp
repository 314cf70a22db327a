#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config/keys.hpp"

namespace dupwatch::config {

class Reader {
 public:
  Reader(const ConfigNode& node, std::string key, bool secret, const Environment& env, Problems& problems)
      : node_(node), key_(std::move(key)), secret_(secret), env_(env), problems_(problems) {}

  /// The value through one of the parse functions of values.hpp; `parse` maps text to Parsed<T>.
  template <class Parse>
  [[nodiscard]] auto read(const Parse& parse) const {
    using Result = std::invoke_result_t<Parse, std::string_view>;
    using Value = std::variant_alternative_t<0, Result>;
    const auto text = scalar(node_, expectation(parse));
    if (!text) return std::optional<Value>{};
    return accept(node_, *text, parse(*text));
  }

  template <class Parse, class T>
  void into(T& target, const Parse& parse) const {
    if (auto value = read(parse)) target = static_cast<T>(*std::move(value));
  }

  template <class T>
  void choice(T& target, std::span<const std::string_view> choices) const {
    into(target, [&](std::string_view text) { return parse_choice(text, choices); });
  }

  /// A list of `min` to `max` different items.
  [[nodiscard]] std::optional<std::vector<std::string>> list(Parsed<std::string> (*parse)(std::string_view),
                                                             Range<std::size_t> count) const;

  /// A map of names to lists of at least one name.
  [[nodiscard]] std::optional<std::vector<std::pair<std::string, std::vector<std::string>>>> map_of_lists(
      Parsed<std::string> (*parse)(std::string_view), std::size_t max) const;

  [[nodiscard]] Place place() const noexcept { return node_.place; }
  [[nodiscard]] const ConfigNode& node() const noexcept { return node_; }
  /// Of a value inside this one.
  [[nodiscard]] Reader inner(const ConfigNode& node, std::string_view key) const {
    return {node, key_ + "." + std::string(key), secret_, env_, problems_};
  }
  void refuse(const ConfigNode& node, std::string expected, std::string remedy = {}) const {
    problems_.add(node.place, key_, shown(node), std::move(expected), std::move(remedy));
  }

 private:
  /// What `parse` expects, as it says itself when it refuses a text that nothing accepts.
  template <class Parse>
  [[nodiscard]] static std::string expectation(const Parse& parse) {
    const auto refused = parse(std::string_view{"\x01"});
    const auto* refusal = std::get_if<Refusal>(&refused);
    return refusal == nullptr ? "a value" : refusal->expected;
  }

  template <class T>
  [[nodiscard]] std::optional<T> accept(const ConfigNode& node, const std::string& text,
                                        std::variant<T, Refusal> parsed) const {
    if (auto* value = std::get_if<T>(&parsed)) return std::move(*value);
    auto& refusal = std::get<Refusal>(parsed);
    if (text != node.text) refusal.remedy = "look at what the environment variable holds";
    problems_.add(node.place, key_, shown(node), std::move(refusal.expected), std::move(refusal.remedy));
    return std::nullopt;
  }

  /// The expanded text of a scalar; nullopt, reported, for anything else.
  [[nodiscard]] std::optional<std::string> scalar(const ConfigNode& node, const std::string& expected) const;
  [[nodiscard]] std::string shown(const ConfigNode& node) const;
  [[nodiscard]] std::optional<std::vector<std::string>> list_of(
      const ConfigNode& node, Parsed<std::string> (*parse)(std::string_view), Range<std::size_t> count) const;

  const ConfigNode& node_;
  const std::string key_;
  const bool secret_;
  const Environment& env_;
  Problems& problems_;
};

}  // namespace dupwatch::config
