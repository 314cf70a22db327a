#include "daemon/quarantine/eligibility.hpp"

#include <algorithm>

namespace dupwatch::quarantine {
namespace {

/// By the policy of the finding's case alone.
std::optional<Refusal> rule_refusal(const core::Finding& finding) noexcept {
  if (!finding.shape) return Refusal::kRule;
  switch (core::rule_case(finding.rule, *finding.shape).removal) {
    case core::Removal::kHeals:
      return std::nullopt;
    case core::Removal::kFirstOfClass:
      return Refusal::kCanonical;
    case core::Removal::kOutcome:
      return Refusal::kOutcome;
    case core::Removal::kByHand:
    case core::Removal::kNever:
      return Refusal::kRule;
  }
  return Refusal::kRule;  // GCOVR_EXCL_LINE: the switch has them all
}

/// A row without correlation id is distinct from all others to an index, but not to the DELETE before it.
bool is_indexed(const LogRow& row) noexcept {
  return std::ranges::find(core::kDeduplicatedTypes, row.type) != core::kDeduplicatedTypes.end() ||
         (row.type == core::kAttributeType && row.correlation_id);
}

}  // namespace

std::string_view explanation(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::kNotFatal:
      return "replay does not fail on this row";
    case Refusal::kSlotNumbered:
      return "the ids of this run are slot numbers, and the engine refuses a log with a hole";
    case Refusal::kRunEnded:
      return "the run has ended: no replay reads its log again";
    case Refusal::kRule:
      return "rows of this rule are never removed: something would be lost with them, or removal does not "
             "heal";
    case Refusal::kOutcome:
      return "a step both completed and failed; which outcome is right is not for a tool to say";
    case Refusal::kCanonical:
      return "no row of its identity sorts before it: it is the one that replay reads first";
    case Refusal::kChanged:
      return "the log changed meanwhile: the row is gone, its canonical row is, or the run has ended";
    case Refusal::kRestored:
      return "a person has put this row back";
    case Refusal::kRunLimit:
      return "quarantine.max_per_run rows of this run were taken in the last hour";
    case Refusal::kCircuitOpen:
      return "the circuit is open: see `dupwatch quarantine status`";
    case Refusal::kUnverified:
      return "the row is in the log, but the log does not show the finding";
    case Refusal::kStaysFatal:
      return "without it, and without all else that may go, another row is still fatal to the run: see "
             "`dupwatch explain`";
    case Refusal::kNotIndexed:
      return "the engine's unique index does not cover this row: its migration neither deletes it nor fails "
             "on it";
    case Refusal::kNotSlotNumbered:
      return "the ids of this run are no slot numbers: remove the row, which leaves nothing behind";
    case Refusal::kEngine:
      return "only engines from 5.0.0-beta.47 on read a noop: where that is yours, say `engine: v5` in the "
             "configuration";
  }
  return {};  // GCOVR_EXCL_LINE: the switch has them all
}

std::optional<Refusal> refusal(const core::Finding& finding, bool slot_numbered) noexcept {
  // The two that hold whatever the rule says come first: they are the dangerous ones.
  if (slot_numbered) return Refusal::kSlotNumbered;
  if (finding.duplicate.id <= finding.canonical.id) return Refusal::kCanonical;
  if (finding.severity != core::Severity::kFatal) return Refusal::kNotFatal;
  if (const auto refused = rule_refusal(finding)) return refused;
  if (finding.state == core::FindingState::kRunEnded) return Refusal::kRunEnded;
  return std::nullopt;
}

std::optional<Refusal> noop_refusal(const core::Finding& finding, bool slot_numbered,
                                    std::optional<core::Engine> engine) noexcept {
  if (!slot_numbered) return Refusal::kNotSlotNumbered;
  if (!engine || !core::reads_noop(*engine)) return Refusal::kEngine;
  if (finding.duplicate.id <= finding.canonical.id) return Refusal::kCanonical;
  if (finding.severity != core::Severity::kFatal) return Refusal::kNotFatal;
  const auto why = rule_refusal(finding);
  // A row that is the first of its class is what such an engine does not skip.
  if (why && why != Refusal::kCanonical) return why;
  if (core::is_beyond_repair(finding)) return Refusal::kRule;
  if (finding.state == core::FindingState::kRunEnded) return Refusal::kRunEnded;
  return std::nullopt;
}

bool canonical_is_misplaced(const core::Finding& finding, std::span<const LogRow> run,
                            const core::Profile& profile) noexcept {
  const auto opens = [&](std::string_view type) {
    const auto known = std::ranges::find(profile.types, type, &core::EventType::name);
    return known != profile.types.end() && known->opens;
  };
  const auto canonical = std::ranges::find(run, finding.canonical.id, &LogRow::id);
  if (canonical == run.end() || !canonical->correlation_id || opens(canonical->type)) return false;
  bool begins_later = false;
  for (const auto& row : run) {
    if (row.correlation_id != canonical->correlation_id || !opens(row.type)) continue;
    if (row.id < canonical->id) return false;
    begins_later = true;
  }
  return begins_later;
}

std::optional<Refusal> migration_refusal(std::span<const LogRow> run, std::string_view id,
                                         bool slot_numbered) noexcept {
  if (slot_numbered) return Refusal::kSlotNumbered;
  const auto row = std::ranges::find(run, id, &LogRow::id);
  if (row == run.end() || !is_indexed(*row)) return Refusal::kNotIndexed;
  const bool second = std::ranges::any_of(run, [&](const LogRow& other) {
    return other.id < id && other.type == row->type && other.correlation_id == row->correlation_id;
  });
  return second ? std::nullopt : std::optional(Refusal::kCanonical);
}

}  // namespace dupwatch::quarantine
