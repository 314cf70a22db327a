#include "daemon/core/first_records.hpp"

#include <array>

namespace dupwatch::core {
namespace {

struct Written {
  Rule rule;
  Shape shape;
  std::string_view why;
};

/// The format of a version that is out: it changes with no sentence of ours.
constexpr auto kWritten = std::to_array<Written>({
    {Rule::kDuplicate, Shape::kNoClosing, "the configuration names no closing event for this type"},
    {Rule::kDuplicate, Shape::kBeforeClose, "it sorts before the closing event"},
    {Rule::kDuplicate, Shape::kAfterClose, "it sorts behind the closing event"},
    {Rule::kDuplicateCreated, Shape::kBeforeClose, "the entity's consumer is still there to take it"},
    {Rule::kDuplicateCreated, Shape::kAfterClose,
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines skip it"},
    {Rule::kDuplicateCreated, Shape::kFirstAfterClose,
     "nothing of its class stands before the closing event, so no engine skips it"},
    {Rule::kDuplicateCreated, Shape::kNoClosing, "skipped by core 5.0.0-beta.47 and later; parked before"},
    {Rule::kSecondTerminal, Shape::kSameType,
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines skip it"},
    {Rule::kSecondTerminal, Shape::kOtherType,
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines keep the first outcome and log an "
     "error"},
    {Rule::kLifecycleAfterClose, Shape::kAfterClose,
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines skip it, they had one of its class "
     "before"},
    {Rule::kLifecycleAfterClose, Shape::kFirstAfterClose,
     "nothing of its class stands before the closing event, so no engine skips it"},
    {Rule::kDeliveryAfterDisposal, Shape::kPlain,
     "4.x finds nobody to take it; 5.0 sets it aside and fails if the run ends with it set aside"},
    {Rule::kIdScheme, Shape::kPlain,
     "5.0.0-beta.42 and later refuse an id that is not slot-numbered; others read it in the wrong place"},
    {Rule::kIdScheme, Shape::kNoSlot,
     "5.0.0-beta.42 and later refuse a run with ULIDs: such runs must end on the old engine first"},
    {Rule::kSlotGap, Shape::kPlain, "5.0 refuses a log with a hole; deleting rows makes one"},
    {Rule::kDuplicateRunEvent, Shape::kSameType, "replay ignores it"},
    {Rule::kDuplicateRunEvent, Shape::kReseeds,
     "on 4.x it moves started_at, and if that happened between two replays all correlation ids change"},
    {Rule::kDuplicateRunEvent, Shape::kOtherType, "the run ended in two ways; readers may see either"},
    {Rule::kHookSelfConflict, Shape::kPlain,
     "the workflow's own code gets a HookConflictError on every version"},
    {Rule::kRunLost, Shape::kPlain, "the run has failed; it can be revived only by hand"},
    {Rule::kAfterRunEnd, Shape::kPlain, "an ended run is not replayed"},
    {Rule::kStuckStep, Shape::kPlain, "such steps are found in most corrupted runs and in no healthy one"},
    {Rule::kOrphan, Shape::kPlain, "the run does not fail: it hangs, or is retried for ever"},
});

}  // namespace

std::optional<Shape> shape_in_first_record(Rule rule, std::string_view why) noexcept {
  for (const auto& entry : kWritten) {
    if (entry.rule == rule && entry.why == why) return entry.shape;
  }
  return std::nullopt;
}

}  // namespace dupwatch::core
