#include "daemon/cli/audit_options.hpp"

#include <charconv>
#include <cstdio>

namespace dupwatch::cli {
namespace {

constexpr std::string_view kBase32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::uint64_t kHour = 3'600'000;

/// Days from 1970-01-01 in the civil calendar (Howard Hinnant's algorithm).
std::int64_t days_from_civil(int year, int month, int day) noexcept {
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t era = y / 400;
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719'468;
}

}  // namespace

std::optional<std::uint64_t> parse_age(std::string_view text) {
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  // A hundred years: what is longer is a slip.
  if (error != std::errc{} || stopped + 1 != end || number > 876'000) return std::nullopt;
  if (*stopped == 'h') return number * kHour;
  if (*stopped == 'd') return number * 24 * kHour;
  return std::nullopt;
}

std::optional<std::uint64_t> parse_since(const std::string& text, std::uint64_t now_millis) {
  if (const auto age = parse_age(text)) return now_millis > *age ? now_millis - *age : 0;
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int used = 0;
  auto body = text;
  if (body.ends_with('Z')) body.pop_back();
  const int fields = std::sscanf(  // NOLINT(cert-err34-c,*-vararg): every field is checked below
      body.c_str(), "%4d-%2d-%2d%n%*1[T ]%2d:%2d%n:%2d%n", &year, &month, &day, &used, &hour, &minute, &used,
      &second, &used);
  const bool whole = static_cast<std::size_t>(used) == body.size();
  if ((fields != 3 && fields != 5 && fields != 6) || !whole || year < 1970 || year > 9999 || month < 1 ||
      month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 59) {
    return std::nullopt;
  }
  const auto seconds = days_from_civil(year, month, day) * 86'400 + std::int64_t{hour} * 3600 +
                       std::int64_t{minute} * 60 + second;
  return static_cast<std::uint64_t>(seconds) * 1000;
}

bool parse_severities(const std::string& text, std::array<bool, core::kSeverities>& out) {
  std::array<bool, core::kSeverities> chosen{};
  std::string_view rest = text;
  for (;;) {
    const auto comma = rest.find(',');
    const auto name = rest.substr(0, comma);
    bool known = false;
    for (std::size_t i = 0; i < core::kSeverities; ++i) {
      if (to_string(static_cast<core::Severity>(i)) != name) continue;
      chosen[i] = true;
      known = true;
    }
    if (!known) return false;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  out = chosen;
  return true;
}

std::string run_id_before(std::uint64_t millis) {
  if (millis == 0) return "wrun_";
  const auto last = millis - 1;
  std::string id = "wrun_";
  for (int digit = 9; digit >= 0; --digit) id += kBase32[(last >> (5U * static_cast<unsigned>(digit))) & 31U];
  return id + std::string(16, 'Z');
}

}  // namespace dupwatch::cli
