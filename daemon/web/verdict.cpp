#include "daemon/web/verdict.hpp"

#include <fmt/format.h>

namespace dupwatch::web {
namespace {

[[nodiscard]] std::string open_findings(std::uint64_t count) {
  return fmt::format("{} open {}", count, count == 1 ? "finding" : "findings");
}

}  // namespace

FindingCounts count_findings(const core::StatusSnapshot& status) noexcept {
  FindingCounts counts;
  for (const auto& by_severity : status.open_findings) {
    for (const auto count : by_severity) counts.all += count;
    counts.fatal += by_severity[static_cast<std::size_t>(core::Severity::kFatal)];
  }
  return counts;
}

Verdict judge(const core::StatusSnapshot& status, bool alive) {
  using Level = Verdict::Level;
  if (!alive) return {Level::kBlind, "Not watching: the event loop is stuck."};
  const auto counts = count_findings(status);
  const auto known = counts.all > 0 ? " " + open_findings(counts.all) + " so far." : std::string{};
  if (!status.ready)
    return {Level::kBlind, fmt::format("Not watching: {}.{}", status.not_ready_reason, known)};
  if (counts.fatal > 0) {
    return {Level::kFatal, fmt::format("Watching. {}, {} of them fatal: the next replay of these runs fails.",
                                       open_findings(counts.all), counts.fatal)};
  }
  if (counts.all > 0) {
    return {Level::kFindings, fmt::format("Watching. {}, none of them fatal.", open_findings(counts.all))};
  }
  return {Level::kOk, "Watching. No open findings."};
}

std::string_view to_string(Verdict::Level level) noexcept {
  switch (level) {
    case Verdict::Level::kOk:
      return "ok";
    case Verdict::Level::kFindings:
      return "findings";
    case Verdict::Level::kFatal:
      return "fatal";
    case Verdict::Level::kBlind:
      return "blind";
  }
  return "?";
}

}  // namespace dupwatch::web
