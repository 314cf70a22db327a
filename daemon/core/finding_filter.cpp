#include "daemon/core/finding_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "decoder/timestamp.hpp"

namespace dupwatch::core {
namespace {

/// What is wrong with `names`; `chosen` is unchanged then.
template <class E, std::size_t N>
[[nodiscard]] std::string choose(std::array<bool, N>& chosen, std::string_view names) {
  std::array<bool, N> named{};
  for (bool more = true; more;) {
    const auto comma = names.find(',');
    more = comma != std::string_view::npos;
    const auto name = names.substr(0, comma);
    names.remove_prefix(more ? comma + 1 : names.size());
    bool known = false;
    std::string all;
    for (std::size_t i = 0; i < N; ++i) {
      const auto label = to_string(static_cast<E>(i));
      all += fmt::format("{}{}", i == 0 ? "" : ", ", label);
      if (label != name) continue;
      named[i] = true;
      known = true;
    }
    if (!known) return fmt::format("expected one or more of {}, with commas", all);
  }
  chosen = named;
  return {};
}

[[nodiscard]] bool is_found(const Finding& finding, const std::string& part) noexcept {
  const auto has_part = [&](const std::string& text) { return text.find(part) != std::string::npos; };
  return part.empty() || has_part(finding.run_id) ||
         std::ranges::any_of(finding.identity,
                             [&](const auto& value) { return value && has_part(*value); }) ||
         parse_finding_id(part) == finding.id;
}

}  // namespace

bool FindingFilter::admits(const Finding& finding) const noexcept {
  return severities[static_cast<std::size_t>(finding.severity)] &&
         rules[static_cast<std::size_t>(finding.rule)] && states[static_cast<std::size_t>(finding.state)] &&
         (run_id.empty() || run_id == finding.run_id) &&
         (correlation_id.empty() ||
          std::ranges::any_of(finding.identity,
                              [this](const auto& value) { return value && *value == correlation_id; })) &&
         is_found(finding, search) && (!since || finding.flagged_at.micros >= since->micros);
}

std::string FindingFilter::only_severities(std::string_view names) {
  return choose<Severity>(severities, names);
}

std::string FindingFilter::only_rules(std::string_view names) {
  return choose<Rule>(rules, names);
}

std::string FindingFilter::only_states(std::string_view names) {
  return choose<FindingState>(states, names);
}

std::optional<std::uint64_t> parse_finding_id(std::string_view text) noexcept {
  std::uint64_t id = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, id, 16);
  if (text.size() != 16 || text.front() == '-' || error != std::errc{} || rest != end) return std::nullopt;
  return id;
}

std::optional<decoder::Timestamp> parse_rfc3339(std::string_view text) {
  // As timestamptz_out would put it.
  std::string time(text);
  if (time.size() < 11 || (time[10] != 'T' && time[10] != 't')) return std::nullopt;
  time[10] = ' ';
  if (time.back() == 'Z' || time.back() == 'z') {
    time.pop_back();
    time += "+00:00";
  }
  return decoder::parse_timestamp(time);
}

}  // namespace dupwatch::core
