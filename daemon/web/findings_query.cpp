#include "daemon/web/findings_query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "daemon/web/request_rules.hpp"

namespace dupwatch::web {
namespace {

constexpr std::size_t kLimitDefault = 100;

template <class Number>
[[nodiscard]] bool read_number(std::string_view text, Number& out) noexcept {
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, out);
  return error == std::errc{} && rest == end;
}

[[nodiscard]] std::optional<StatusStore::Cursor> cursor_of(std::string_view text, std::string_view origin) {
  if (take_part(text, '-') != origin) return std::nullopt;
  StatusStore::Cursor cursor;
  const bool whole = read_number(take_part(text, '-'), cursor.floor) &&
                     read_number(take_part(text, '-'), cursor.top) &&
                     read_number(take_part(text, '-'), cursor.ring) && read_number(text, cursor.below);
  return whole ? std::optional(cursor) : std::nullopt;
}

/// Puts one parameter in its place; what is wrong with it, empty = nothing.
class Parameters {
 public:
  Parameters(FindingsQuery& out, std::size_t limit_max, std::string_view origin)
      : out_(out), limit_max_(limit_max), origin_(origin) {}

  [[nodiscard]] std::string take(std::string_view name, const std::string& value) {
    const auto* known =
        std::ranges::find(kNames, name, [](const auto& parameter) { return parameter.first; });
    if (known == kNames.end()) {
      std::string all;
      for (const auto& [other, how] : kNames) all += fmt::format("{}{}", all.empty() ? "" : ", ", other);
      return fmt::format("there is no such parameter; known are {}", all);
    }
    auto& taken = taken_[static_cast<std::size_t>(known - kNames.begin())];
    if (std::exchange(taken, true)) return fmt::format("{} is given twice", name);
    const auto wrong = (this->*known->second)(value);
    return wrong.empty() ? wrong : fmt::format("{}: {}", name, wrong);
  }

 private:
  using Take = std::string (Parameters::*)(const std::string&);

  std::string severity(const std::string& value) { return out_.filter.only_severities(value); }
  std::string rule(const std::string& value) { return out_.filter.only_rules(value); }
  std::string state(const std::string& value) { return out_.filter.only_states(value); }
  std::string run_id(const std::string& value) { return not_empty(out_.filter.run_id, value); }
  std::string correlation_id(const std::string& value) {
    return not_empty(out_.filter.correlation_id, value);
  }
  std::string search(const std::string& value) { return not_empty(out_.filter.search, value); }
  std::string since(const std::string& value) {
    out_.filter.since = core::parse_rfc3339(value);
    return out_.filter.since ? "" : "expected a time with its zone, such as 2026-11-24T05:21:38Z";
  }
  std::string limit(const std::string& value) {
    const bool whole = read_number(value, out_.limit);
    if (whole && out_.limit >= 1 && out_.limit <= limit_max_) return {};
    return fmt::format("expected a whole number from 1 to {}", limit_max_);
  }
  std::string cursor(const std::string& value) {
    out_.cursor = cursor_of(value, origin_);
    return out_.cursor ? "" : "it is not of this daemon, which may have been restarted; begin without it";
  }
  static std::string not_empty(std::string& out, const std::string& value) {
    out = value;
    return value.empty() ? "expected an id" : "";
  }

  static constexpr auto kNames = std::to_array<std::pair<std::string_view, Take>>({
      {"severity", &Parameters::severity},
      {"rule", &Parameters::rule},
      {"state", &Parameters::state},
      {"run_id", &Parameters::run_id},
      {"correlation_id", &Parameters::correlation_id},
      {"search", &Parameters::search},
      {"since", &Parameters::since},
      {"limit", &Parameters::limit},
      {"cursor", &Parameters::cursor},
  });

  FindingsQuery& out_;
  std::size_t limit_max_;
  std::string_view origin_;
  std::array<bool, kNames.size()> taken_{};
};

}  // namespace

std::variant<FindingsQuery, std::string> parse_findings_query(std::string_view query, std::size_t limit_max,
                                                              std::string_view origin) {
  FindingsQuery out{.filter = {}, .limit = std::min(kLimitDefault, limit_max), .cursor = {}};
  Parameters parameters(out, limit_max, origin);
  while (!query.empty()) {
    auto parameter = take_part(query, '&');
    if (parameter.empty()) continue;
    const auto name = take_part(parameter, '=');
    const auto value = percent_decoded(parameter);
    if (!value) return fmt::format("{}: it is badly escaped", name);
    if (auto wrong = parameters.take(name, *value); !wrong.empty()) return wrong;
  }
  return out;
}

std::string cursor_text(const StatusStore::Cursor& cursor, std::string_view origin) {
  return fmt::format("{}-{}-{}-{}-{}", origin, cursor.floor, cursor.top, cursor.ring, cursor.below);
}

}  // namespace dupwatch::web
