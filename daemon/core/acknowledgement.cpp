#include "daemon/core/acknowledgement.hpp"

#include <fmt/format.h>

#include <charconv>

#include "daemon/core/finding.hpp"
#include "daemon/core/finding_filter.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::core {
namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;

int rank(Severity severity) noexcept {
  switch (severity) {
    case Severity::kHarmless:
      return 0;
    case Severity::kUnknown:
      return 1;
    case Severity::kConflict:
      return 2;
    case Severity::kFatal:
      return 3;
  }
  return 3;
}

/// "8h" in seconds.
std::optional<std::int64_t> parse_span(std::string_view text) noexcept {
  constexpr std::int64_t kCountMax = 100'000'000;
  std::int64_t count = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || rest + 1 != end || count < 0 || count > kCountMax) return std::nullopt;
  switch (*rest) {
    case 's':
      return count;
    case 'm':
      return count * 60;
    case 'h':
      return count * 3600;
    case 'd':
      return count * kSecondsPerDay;
    case 'w':
      return count * kSecondsPerDay * 7;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_worse(Severity severity, Severity than) noexcept {
  return rank(severity) > rank(than);
}

std::optional<decoder::Timestamp> parse_until(std::string_view text, decoder::Timestamp now) {
  constexpr std::int64_t kSpanMax = Acknowledgement::kDaysMax * kSecondsPerDay * 1'000'000;
  auto until = parse_rfc3339(text);
  if (const auto span = parse_span(text)) until = decoder::Timestamp{now.micros + *span * 1'000'000};
  if (!until || until->micros <= now.micros || until->micros - now.micros > kSpanMax) return std::nullopt;
  return until;
}

std::string to_json(const Acknowledgement& acknowledgement) {
  return fmt::format(R"({{"by":{},"comment":{},"at":"{}","until":"{}","severity":"{}"}})",
                     json_string(acknowledgement.by), json_string(acknowledgement.comment),
                     to_iso8601(acknowledgement.at), to_iso8601(acknowledgement.until),
                     to_string(acknowledgement.severity));
}

bool Acknowledgements::put(std::uint64_t finding_id, Acknowledgement acknowledgement) {
  if (!remove(finding_id) && by_id_.size() == kMax) return false;
  ends_.emplace(acknowledgement.until.micros, finding_id);
  by_id_.emplace(finding_id, std::move(acknowledgement));
  return true;
}

bool Acknowledgements::remove(std::uint64_t finding_id) {
  const auto known = by_id_.find(finding_id);
  if (known == by_id_.end()) return false;
  ends_.erase({known->second.until.micros, finding_id});
  by_id_.erase(known);
  return true;
}

const Acknowledgement* Acknowledgements::find(std::uint64_t finding_id) const noexcept {
  const auto known = by_id_.find(finding_id);
  return known == by_id_.end() ? nullptr : &known->second;
}

std::vector<std::uint64_t> Acknowledgements::take_expired(decoder::Timestamp now) {
  std::vector<std::uint64_t> out;
  while (!ends_.empty() && ends_.begin()->first <= now.micros) {
    out.push_back(ends_.begin()->second);
    by_id_.erase(out.back());
    ends_.erase(ends_.begin());
  }
  return out;
}

std::vector<std::uint64_t> Acknowledgements::ids() const {
  std::vector<std::uint64_t> out;
  out.reserve(ends_.size());
  for (const auto& [end, id] : ends_) out.push_back(id);
  return out;
}

}  // namespace dupwatch::core
