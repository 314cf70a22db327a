#include "daemon/config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace dupwatch::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kDurationUnits = {Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000},
                                       Unit{"ms", 1}};
constexpr std::array kByteUnits = {Unit{"GiB", std::uint64_t{1} << 30U},
                                   Unit{"MiB", std::uint64_t{1} << 20U},
                                   Unit{"KiB", std::uint64_t{1} << 10U},
                                   Unit{"GB", 1'000'000'000},
                                   Unit{"MB", 1'000'000},
                                   Unit{"kB", 1'000},
                                   Unit{"B", 1}};

[[nodiscard]] std::optional<std::uint64_t> digits(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  // from_chars takes no sign for an unsigned type, which is what is wanted here.
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

[[nodiscard]] std::optional<std::uint64_t> with_unit(std::string_view text,
                                                     std::span<const Unit> units) noexcept {
  const auto letters = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto unit = std::ranges::find(units, text.substr(letters), &Unit::name);
  if (unit == units.end()) return std::nullopt;
  const auto number = digits(text.substr(0, letters));
  if (!number || *number > std::numeric_limits<std::uint64_t>::max() / unit->factor) return std::nullopt;
  return *number * unit->factor;
}

/// In the largest unit that leaves no remainder; zero in the smallest but one, as people write it.
[[nodiscard]] std::string with_best_unit(std::uint64_t value, std::span<const Unit> units,
                                         std::string_view zero) {
  if (value == 0) return std::string{zero};
  const auto unit = std::ranges::find_if(units, [&](const Unit& u) { return value % u.factor == 0; });
  return unit == units.end() ? fmt::format("{}", value)
                             : fmt::format("{}{}", value / unit->factor, unit->name);
}

[[nodiscard]] bool is_variable_name(std::string_view text) noexcept {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto later = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !text.empty() && letter(text.front()) && std::ranges::all_of(text, later);
}

/// `reference` is what stands between the braces.
[[nodiscard]] Parsed<std::string> look_up(std::string_view reference, const Environment& env) {
  const auto operator_at = reference.find(":-");
  const auto name = reference.substr(0, operator_at);
  if (!is_variable_name(name)) {
    return Refusal{"${NAME} or ${NAME:-default}", "write $$ for a dollar sign that stands for itself"};
  }
  const auto value = env(name);
  if (operator_at != std::string_view::npos) {
    return value && !value->empty() ? *value : std::string{reference.substr(operator_at + 2)};
  }
  if (value) return *value;
  return Refusal{fmt::format("the environment variable {} to be set", name),
                 fmt::format("set it, or give a default: ${{{}:-...}}", name)};
}

}  // namespace

Parsed<std::string> expand(std::string_view text, const Environment& env) {
  std::string out;
  while (!text.empty()) {
    const auto dollar = std::min(text.find('$'), text.size());
    out += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.starts_with("$$")) {
      out += '$';
      text.remove_prefix(2);
    } else if (text.starts_with("${")) {
      const auto brace = text.find('}');
      if (brace == std::string_view::npos) {
        return Refusal{"} after ${", "write $$ for a dollar sign that stands for itself"};
      }
      auto value = look_up(text.substr(2, brace - 2), env);
      if (std::holds_alternative<Refusal>(value)) return value;
      out += std::get<std::string>(value);
      text.remove_prefix(brace + 1);
    } else if (!text.empty()) {
      out += '$';
      text.remove_prefix(1);
    }
  }
  return out;
}

Parsed<core::Milliseconds> parse_duration(std::string_view text, Range<core::Milliseconds> range) {
  const auto min = static_cast<std::uint64_t>(range.min.count());
  const auto max = static_cast<std::uint64_t>(range.max.count());
  const auto value = with_unit(text, kDurationUnits);
  if (value && *value >= min && *value <= max) return core::Milliseconds{static_cast<std::int64_t>(*value)};
  return Refusal{fmt::format("a duration from {} to {}", with_best_unit(min, kDurationUnits, "0s"),
                             with_best_unit(max, kDurationUnits, "0s")),
                 value ? "" : "write a whole number and a unit: ms, s, m or h, e.g. 500ms or 30s"};
}

Parsed<std::uint64_t> parse_bytes(std::string_view text, Range<std::uint64_t> range) {
  const auto value = with_unit(text, kByteUnits);
  if (value && *value >= range.min && *value <= range.max) return *value;
  return Refusal{fmt::format("a size from {} to {}", with_best_unit(range.min, kByteUnits, "0B"),
                             with_best_unit(range.max, kByteUnits, "0B")),
                 value ? "" : "write a whole number and a unit: B, KiB, MiB, GiB, kB, MB or GB, e.g. 256MiB"};
}

Parsed<core::WalLimit> parse_wal_limit(std::string_view text) {
  if (text.ends_with('%')) {
    const auto percent = digits(text.substr(0, text.size() - 1));
    if (percent && *percent >= 1 && *percent <= 99) {
      return core::WalLimit{.percent = static_cast<std::uint32_t>(*percent)};
    }
    return Refusal{"a share from 1% to 99%, or a size", ""};
  }
  auto bytes = parse_bytes(text, {0, std::uint64_t{1024} << 40U});
  if (auto* refusal = std::get_if<Refusal>(&bytes)) return std::move(*refusal);
  return core::WalLimit{.bytes = std::get<std::uint64_t>(bytes)};
}

Parsed<std::uint64_t> parse_number(std::string_view text, Range<std::uint64_t> range) {
  const auto value = digits(text);
  if (value && *value >= range.min && *value <= range.max) return *value;
  return Refusal{fmt::format("a whole number from {} to {}", range.min, range.max), ""};
}

Parsed<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Refusal{"true or false", ""};
}

Parsed<std::size_t> parse_choice(std::string_view text, std::span<const std::string_view> choices) {
  const auto found = std::ranges::find(choices, text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  return Refusal{fmt::format("one of {}", fmt::join(choices, ", ")), did_you_mean(text, choices)};
}

Parsed<core::LogLevel> parse_log_level(std::string_view text) {
  // In the order of the enum.
  static constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warn", "error"};
  auto index = parse_choice(text, kLogLevels);
  if (auto* refusal = std::get_if<Refusal>(&index)) return std::move(*refusal);
  return static_cast<core::LogLevel>(std::get<std::size_t>(index));
}

Parsed<core::PluginChoice> parse_plugin(std::string_view text) {
  // In the order of the enum.
  static constexpr std::array<std::string_view, 3> kPlugins = {"auto", "wal2json", "pgoutput"};
  auto index = parse_choice(text, kPlugins);
  if (auto* refusal = std::get_if<Refusal>(&index)) return std::move(*refusal);
  return static_cast<core::PluginChoice>(std::get<std::size_t>(index));
}

}  // namespace dupwatch::config
