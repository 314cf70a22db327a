#include "daemon/core/reattachment.hpp"

#include <algorithm>

#include "daemon/core/planted.hpp"

namespace dupwatch::core {

Reattachment judge_reattachment(std::optional<CoverageRecord> known, const CoverageView& found,
                                const SeenBefore& before) {
  // What was asked to be confirmed since it was written.
  if (known && before.streamed) known->confirmed = std::max(known->confirmed, before.confirmed);
  Reattachment out;
  for (const auto& gap : compare_coverage(known, found)) {
    // These two are open, or opened with the scan of the slot's snapshot.
    if (gap.reason == GapReason::kSlotCreated && found.slot_created) continue;
    if (gap.reason == GapReason::kPositionAhead && before.pending == GapReason::kPoisonRow) continue;
    if (gap.reason == GapReason::kOtherHistory || gap.reason == GapReason::kRestored)
      out.other_rows = out.doubts_findings = true;
    out.gaps.push_back(gap);
  }
  // A server that was put back to an earlier point may have grown beyond what was confirmed before anybody
  // looks, and its slot may stand where it stood: but it was started.
  const bool restarted = before.streamed && before.restarted && !is_planted(Planted::kTrustRestarted);
  out.other_rows = out.other_rows || restarted;
  out.doubts_runs = !out.gaps.empty() || found.slot_created || restarted;
  return out;
}

GapReason gap_before_slot(const std::optional<CoverageRecord>& known, const SeenBefore& before) {
  if (before.pending) return *before.pending;
  return known || before.streamed ? GapReason::kSlotCreated : GapReason::kFirstStart;
}

}  // namespace dupwatch::core
