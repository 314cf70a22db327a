#include "daemon/web/verdict.hpp"

#include <fmt/format.h>

#include "daemon/core/finding.hpp"

namespace dupwatch::web {
namespace {

[[nodiscard]] std::string open_findings(std::uint64_t count) {
  return fmt::format("{} open {}", count, count == 1 ? "finding" : "findings");
}

/// "Watching since 2026-11-24 05:21 UTC, coverage complete"
[[nodiscard]] std::string watching_since(const core::StatusSnapshot& status) {
  if (!status.coverage.complete_since) return "Watching";
  const auto time = core::to_iso8601(*status.coverage.complete_since);
  return fmt::format("Watching since {} {} UTC, coverage complete", time.substr(0, 10), time.substr(11, 5));
}

/// What a person can do while `status` is not ready.
[[nodiscard]] std::string_view way_out(const core::StatusSnapshot& status) {
  if (status.state == core::StreamState::kBackingOff) {
    return "If Postgres is being restarted, nothing: dupwatch retries automatically, and the slot keeps what "
           "it misses. Otherwise dupwatch check names what must be fixed.";
  }
  if (status.state == core::StreamState::kStandby) {
    return "Nothing, where two instances are meant to be: the other one has the page to look at. A second "
           "one that is not "
           "meant to stand by needs another slot.name.";
  }
  if (status.state != core::StreamState::kStreaming) return "Wait a moment: it is about to connect.";
  if (!status.table_identity_ok) return "Run dupwatch check: it names what must be fixed, with the SQL.";
  return "Nothing for now: it continues automatically. If this stays, dupwatch check and the log say why.";
}

}  // namespace

FindingCounts count_findings(const core::StatusSnapshot& status) noexcept {
  FindingCounts counts;
  for (const auto& by_severity : status.findings.open) {
    for (const auto count : by_severity) counts.all += count;
    counts.fatal += by_severity[static_cast<std::size_t>(core::Severity::kFatal)];
  }
  return counts;
}

Verdict judge(const core::StatusSnapshot& status, bool alive) {
  using Level = Verdict::Level;
  if (!alive) {
    return {Level::kBlind, "Not watching: the event loop is stuck.",
            "Restart dupwatch; its log and a core dump tell why. The slot keeps what it has missed."};
  }
  const auto counts = count_findings(status);
  const auto known = counts.all > 0 ? " " + open_findings(counts.all) + " so far." : std::string{};
  if (!status.ready) {
    return {Level::kBlind, fmt::format("Not watching: {}.{}", status.not_ready_reason, known),
            std::string{way_out(status)}};
  }
  const auto watching = watching_since(status);
  if (counts.fatal > 0) {
    return {Level::kFatal,
            counts.fatal == 1
                ? fmt::format("1 fatal finding: its run will fail on its next replay. {}.", watching)
                : fmt::format("{} fatal findings: their runs will fail on their next replay. {}.",
                              counts.fatal, watching),
            "Open a finding below, and run the command that it shows: it says what can be done."};
  }
  if (counts.all > 0) {
    return {
        Level::kFindings, fmt::format("{}, 0 fatal findings, {}.", watching, open_findings(counts.all)), {}};
  }
  return {Level::kOk, watching + ", 0 fatal findings.", {}};
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
