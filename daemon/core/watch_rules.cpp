#include <utility>

#include "daemon/core/watch.hpp"

/// What a profile with rules of its own needs of the watch.
namespace dupwatch::core {

void Watch::add_streamed_parts(EventRow row) {
  row.streamed = true;
  for_each_part(profile_, row, [this](const EventRow& part) { add_streamed(part); });
}

void Watch::judge_arrival(RunIndex::Handle run, std::uint32_t row) {
  if (!index_.log(run).row(row).streamed) return;
  rules_.judge_order(index_.log(run), row, current_.verdicts);
  report_verdicts(run, Origin::kStream);
}

void Watch::note_doubt(RunIndex::Handle run, std::uint32_t row) {
  const auto run_id = index_.run_id(run);
  if (const auto doubt = rules_.doubt_of(index_.log(run), row, run_id))
    late_.rules.note(run_id, doubt->id, now_);
}

void Watch::doubts_looked_at(std::string_view run_id, std::vector<Finding> findings, Instant now) {
  now_ = std::max(now_, now);
  for (auto& finding : findings) {
    if (!finding.shape || !is_lasting(*finding.shape)) continue;
    // The table may show a row before the stream brings it.
    const bool may_be_told = late_.rules.has_lasted(run_id, finding.id) ||
                             reporter_.reported().is_settled(finding.id, now_) ||
                             !late_.rules.note(run_id, finding.id, now_);
    if (may_be_told) reporter_.report(std::move(finding), now_);
  }
  late_.rules.answered(run_id);
}

}  // namespace dupwatch::core
