#include <array>
#include <string>

#include "daemon/core/rule.hpp"

/// Takes the place of rule_text.cpp in a program whose every sentence is another. Its tests pass all the
/// same: no code depends on what the rules say to people.
namespace dupwatch::core {
namespace {

constexpr std::string_view kText = "another sentence";

}  // namespace

const RuleInfo& rule_info(Rule rule) noexcept {
  static const auto infos = [] {
    std::array<RuleInfo, kRules> out{};
    for (std::size_t i = 0; i < kRules; ++i) {
      out[i] = {static_cast<Rule>(i), Confidence::kHint, kText, kText};
    }
    return out;
  }();
  return infos.at(static_cast<std::size_t>(rule));
}

std::string_view reason_text(Rule /*rule*/, Shape /*shape*/) noexcept {
  return kText;
}

}  // namespace dupwatch::core
