#include "daemon/core/rule.hpp"

/// What the rules say to people, apart from what they decide: a program that links other texts judges the
/// same.
namespace dupwatch::core {
namespace {

constexpr std::array<RuleInfo, kRules> kInfos{{
    {Rule::kDuplicate, Confidence::kRead, "a second row of one identity", "any table of profile generic"},
    {Rule::kDuplicateCreated, Confidence::kMeasured,
     "two workers created the same step, wait, hook or attribute",
     "world-postgres before 4.1.2; later where the unique index is missing"},
    {Rule::kSecondTerminal, Confidence::kMeasured, "the entity was closed twice",
     "world-postgres without conditional updates, before 4.1.1; no index prevents it"},
    {Rule::kLifecycleAfterClose, Confidence::kMeasured,
     "an event of the entity sorts after its closing event",
     "world-postgres before 4.3.0 and 5.0.0-beta.21; rarely later, from clocks that differ"},
    {Rule::kDeliveryAfterDisposal, Confidence::kMeasured, "a hook received a payload after it was disposed",
     "world-postgres before 4.3.4 and 5.0.0-beta.35"},
    {Rule::kIdScheme, Confidence::kMeasured, "ids of two kinds in one run",
     "ULIDs beside slot numbers: world-postgres 5.0.0-beta.33 and later; two seeds: 4.x"},
    {Rule::kSlotGap, Confidence::kMeasured, "a slot-numbered run lacks a slot",
     "world-postgres 5.0.0-beta.33 and later"},
    {Rule::kDuplicateRunEvent, Confidence::kMeasured, "a run-level event that occurs once was written twice",
     "run_created: before 4.3.5 and 5.0.0-beta.28; run_started: any version with racing workers"},
    {Rule::kHookSelfConflict, Confidence::kMeasured,
     "a hook lost its token to itself: hook_created and hook_conflict for one hook",
     "world-postgres before 4.3.0 and 5.0.0-beta.14"},
    {Rule::kRunLost, Confidence::kRead, "the run failed after a fatal finding", "all"},
    {Rule::kAfterRunEnd, Confidence::kRead, "something was created after the run had ended", "all"},
    {Rule::kStuckStep, Confidence::kHint,
     "a step was started more than once and has neither ended nor been retried", "all"},
    {Rule::kOrphan, Confidence::kRead, "the engine's tables and its event log disagree",
     "steps: before 4.3.5 and 5.0.0-beta.36; waits and runs: all"},
    {Rule::kProfileRule, Confidence::kRead, "a rule of the profile is broken",
     "any table whose profile has rules"},
}};

struct ReasonText {
  Rule rule;
  Shape shape;
  std::string_view text;
};

constexpr auto kReasons = std::to_array<ReasonText>({
    {Rule::kDuplicate, Shape::kNoClosing, "the configuration names no closing event for this type"},
    {Rule::kDuplicate, Shape::kBeforeClose, "it sorts before the closing event"},
    {Rule::kDuplicate, Shape::kAfterClose, "it sorts after the closing event"},
    {Rule::kDuplicate, Shape::kFirstAfterClose, "it sorts after the closing event"},
    {Rule::kDuplicateCreated, Shape::kBeforeClose, "the entity's consumer is still there to take it"},
    {Rule::kDuplicateCreated, Shape::kAfterClose,
     "4.x and 5.0 up to beta.41 have no handler waiting for this event, so replay fails; later engines skip "
     "it"},
    {Rule::kDuplicateCreated, Shape::kFirstAfterClose,
     "nothing of its class stands before the closing event, so no engine skips it"},
    {Rule::kDuplicateCreated, Shape::kNoClosing,
     "skipped by core 5.0.0-beta.47 and later; set aside before, and the run fails when it ends"},
    {Rule::kDuplicateCreated, Shape::kIndexed,
     "taken out because the unique index of the engine's migration admits one such row"},
    {Rule::kSecondTerminal, Shape::kSameType,
     "4.x and 5.0 up to beta.41 have no handler waiting for this event, so replay fails; later engines skip "
     "it"},
    {Rule::kSecondTerminal, Shape::kOtherType,
     "4.x and 5.0 up to beta.41 have no handler waiting for this event, so replay fails; later engines keep "
     "the first outcome and log an "
     "error"},
    {Rule::kLifecycleAfterClose, Shape::kAfterClose,
     "4.x and 5.0 up to beta.41 have no handler waiting for this event, so replay fails; later engines skip "
     "it, they had one of its class "
     "before"},
    {Rule::kLifecycleAfterClose, Shape::kFirstAfterClose,
     "nothing of its class stands before the closing event, so no engine skips it"},
    {Rule::kDeliveryAfterDisposal, Shape::kPlain,
     "4.x has no handler waiting for it, so replay fails; 5.0 sets it aside and fails if the run ends with "
     "it set aside"},
    {Rule::kIdScheme, Shape::kPlain,
     "5.0.0-beta.42 and later refuse an id that is not slot-numbered; others read it in the wrong place"},
    {Rule::kIdScheme, Shape::kNoSlot,
     "5.0.0-beta.42 and later refuse a run with ULIDs: such runs must end on the old engine first"},
    {Rule::kIdScheme, Shape::kTwoSeeds,
     "the correlation ids have two times: run_started was written again between two replays, and the ids of "
     "the first are drawn no more"},
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
    {Rule::kOrphan, Shape::kPlain, "the run does not fail: it hangs, or is retried forever"},
    {Rule::kProfileRule, Shape::kTakenTwice, "another row has the same values, and the profile allows one"},
    {Rule::kProfileRule, Shape::kSecondEnding, "it had ended before, and the profile allows one ending"},
    {Rule::kProfileRule, Shape::kAfterEnding,
     "it sorts after the ending, and the profile allows nothing there"},
    {Rule::kProfileRule, Shape::kAfterClosing, "it sorts after the row that closed it"},
    {Rule::kProfileRule, Shape::kContradiction, "a row of the type that excludes this one is there"},
    {Rule::kProfileRule, Shape::kNotOpened, "no row that opens it sorts before"},
    {Rule::kProfileRule, Shape::kHole, "the number before it is missing"},
    {Rule::kProfileRule, Shape::kOutOfOrder,
     "a row with a greater id had committed, so a reader that goes by the id has passed it"},
});

}  // namespace

const RuleInfo& rule_info(Rule rule) noexcept {
  return kInfos[static_cast<std::size_t>(rule)];
}

std::string_view reason_text(Rule rule, Shape shape) noexcept {
  for (const auto& entry : kReasons) {
    if (entry.rule == rule && entry.shape == shape) return entry.text;
  }
  return {};
}

}  // namespace dupwatch::core
