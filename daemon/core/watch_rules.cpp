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
  if (rules_.is_doubtful(index_.log(run), row)) late_.rules.note(index_.run_id(run), now_);
}

void Watch::doubts_looked_at(std::vector<Finding> findings, Instant now) {
  now_ = std::max(now_, now);
  for (auto& finding : findings) {
    if (finding.shape && is_lasting(*finding.shape)) reporter_.report(std::move(finding), now_);
  }
}

}  // namespace dupwatch::core
