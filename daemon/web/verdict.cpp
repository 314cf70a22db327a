#include "daemon/web/verdict.hpp"

#include <fmt/format.h>

namespace dupwatch::web {
namespace {

[[nodiscard]] std::string duplicates(std::uint64_t count) {
  return fmt::format("{} duplicate {}", count, count == 1 ? "event" : "events");
}

}  // namespace

FindingCounts count_findings(const core::StatusSnapshot& status) noexcept {
  FindingCounts counts;
  for (const auto& by_after_close : status.open_findings) {
    counts.all += by_after_close[0] + by_after_close[1];
    counts.after_close += by_after_close[1];
  }
  return counts;
}

Verdict judge(const core::StatusSnapshot& status, bool alive) {
  using Level = Verdict::Level;
  if (!alive) return {Level::kBlind, "Not watching: the event loop is stuck."};
  const auto counts = count_findings(status);
  const auto known = counts.all > 0 ? " " + duplicates(counts.all) + " known so far." : std::string{};
  if (!status.ready)
    return {Level::kBlind, fmt::format("Not watching: {}.{}", status.not_ready_reason, known)};
  if (counts.after_close > 0) {
    return {Level::kAfterClose,
            fmt::format(
                "Watching. {} found, {} of them after a closing event: replay of these runs by a 4.x engine "
                "fails.",
                duplicates(counts.all), counts.after_close)};
  }
  if (counts.all > 0) {
    return {Level::kDuplicates,
            fmt::format("Watching. {} found, none after a closing event.", duplicates(counts.all))};
  }
  return {Level::kOk, "Watching. No duplicate events found."};
}

std::string_view to_string(Verdict::Level level) noexcept {
  switch (level) {
    case Verdict::Level::kOk:
      return "ok";
    case Verdict::Level::kDuplicates:
      return "duplicates";
    case Verdict::Level::kAfterClose:
      return "after_close";
    case Verdict::Level::kBlind:
      return "blind";
  }
  return "?";
}

}  // namespace dupwatch::web
