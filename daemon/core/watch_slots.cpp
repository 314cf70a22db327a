#include <algorithm>
#include <utility>

#include "daemon/core/watch.hpp"

/// What the numbers in a run's ids, and the times in them, say beside the rules.
namespace dupwatch::core {

void Watch::observe_slots(RunIndex::Handle run) {
  const auto& log = index_.log(run);
  const bool counted = profile_.slot_ids && log.first_slot() != RunLog::kNone &&
                       log.first_other() == RunLog::kNone && log.run_end() == RunLog::kNone;
  if (!counted) return;
  late_.slots.note(index_.run_id(run), log.rows(), slot_of(log.row(log.greatest()).id), now_);
}

void Watch::slot_hole_seen(std::string_view run_id, const std::optional<SlotNumbers::Gap>& gap,
                           std::optional<Engine> own, Instant now) {
  now_ = std::max(now_, now);
  const bool told = late_.slots.told(run_id);
  late_.slots.answered(run_id, gap.has_value(), now_);
  if (gap) {
    if (auto finding = rules_.describe_gap(*gap, run_id, false, Origin::kStream, own)) {
      reporter_.report(*std::move(finding), now_);
    }
    return;
  }
  if (told) {
    reporter_.report_gone(finding_id(profile_.qualified_name(), Rule::kSlotGap, run_id, {}), now_);
  }
}

void Watch::observe_order(RunIndex::Handle run, std::uint32_t greatest_before, std::uint32_t row) {
  const auto& log = index_.log(run);
  if (!profile_.slot_ids || greatest_before == RunLog::kNone || log.greatest() == row) return;
  const auto newest = ulid_millis(log.row(greatest_before).id);
  const auto own = ulid_millis(log.row(row).id);
  if (own == 0 || newest < own) return;
  counters_.commit_order_inversion.observe(static_cast<double>(newest - own) / 1000.0);
}

}  // namespace dupwatch::core
