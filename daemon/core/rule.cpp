#include "daemon/core/rule.hpp"

namespace dupwatch::core {
namespace {

constexpr auto kF = Severity::kFatal;
constexpr auto kC = Severity::kConflict;
constexpr auto kH = Severity::kHarmless;
constexpr auto kU = Severity::kUnknown;

constexpr std::array<RuleInfo, kRules> kInfos{{
    {Rule::kDuplicate, Confidence::kRead, "a second row of one identity", "any table of profile generic"},
    {Rule::kDuplicateCreated, Confidence::kMeasured,
     "two workers created the same step, wait, hook or attribute",
     "world-postgres before 4.1.2; later where the unique index is missing"},
    {Rule::kSecondTerminal, Confidence::kMeasured, "the entity was closed twice",
     "world-postgres without conditional updates, before 4.1.1; no index prevents it"},
    {Rule::kLifecycleAfterClose, Confidence::kMeasured,
     "an event of the entity sorts behind its closing event",
     "world-postgres before 4.3.0 and 5.0.0-beta.21; rarely later, from clocks that differ"},
    {Rule::kDeliveryAfterDisposal, Confidence::kMeasured, "a hook received a payload after it was disposed",
     "world-postgres before 4.3.4 and 5.0.0-beta.35"},
    {Rule::kIdScheme, Confidence::kMeasured, "ids of two schemes in one run: ULIDs beside slot numbers",
     "world-postgres 5.0.0-beta.33 and later"},
    {Rule::kSlotGap, Confidence::kMeasured, "a slot-numbered run lacks a slot",
     "world-postgres 5.0.0-beta.33 and later"},
    {Rule::kDuplicateRunEvent, Confidence::kMeasured, "a run-level event that occurs once was written twice",
     "run_created: before 4.3.5 and 5.0.0-beta.28; run_started: any version with racing workers"},
    {Rule::kHookSelfConflict, Confidence::kMeasured,
     "a hook lost its token to itself: hook_created and hook_conflict for one hook",
     "world-postgres before 4.3.0 and 5.0.0-beta.14"},
    {Rule::kRunLost, Confidence::kRead, "the run failed behind a fatal finding", "all"},
    {Rule::kAfterRunEnd, Confidence::kRead, "something was created after the run had ended", "all"},
    {Rule::kStuckStep, Confidence::kHint,
     "a step was started more than once and has neither ended nor been retried", "all"},
    {Rule::kOrphan, Confidence::kRead, "the engine's tables and its event log disagree",
     "steps: before 4.3.5 and 5.0.0-beta.36; waits and runs: all"},
}};

// Severities are those of the table "log shape" measured with core 4.2.4 and 4.8.9, 5.0.0-beta.41
// and 5.0.0-beta.55; tests/engines repeats it.
constexpr auto kCases = std::to_array<RuleCase>({
    {Rule::kDuplicate,
     Shape::kNoClosing,
     {kU, kU, kU},
     "the configuration names no closing event for this type"},
    {Rule::kDuplicate, Shape::kBeforeClose, {kH, kH, kH}, "it sorts before the closing event"},
    {Rule::kDuplicate, Shape::kAfterClose, {kF, kF, kF}, "it sorts behind the closing event"},
    {Rule::kDuplicate, Shape::kFirstAfterClose, {kF, kF, kF}, "it sorts behind the closing event"},

    {Rule::kDuplicateCreated,
     Shape::kBeforeClose,
     {kH, kH, kH},
     "the entity's consumer is still there to take it"},
    {Rule::kDuplicateCreated,
     Shape::kAfterClose,
     {kF, kF, kH},
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines skip it"},
    {Rule::kDuplicateCreated,
     Shape::kFirstAfterClose,
     {kF, kF, kF},
     "nothing of its class stands before the closing event, so no engine skips it"},
    // attr_set has no consumer that stays: 4.x rejects the type, beta.41 parks it, beta.47 and later skip it.
    {Rule::kDuplicateCreated,
     Shape::kNoClosing,
     {kU, kU, kH},
     "skipped by core 5.0.0-beta.47 and later; parked before"},

    {Rule::kSecondTerminal,
     Shape::kSameType,
     {kF, kF, kH},
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines skip it"},
    {Rule::kSecondTerminal,
     Shape::kOtherType,
     {kF, kF, kC},
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines keep the first outcome and log an "
     "error"},

    {Rule::kLifecycleAfterClose,
     Shape::kAfterClose,
     {kF, kF, kH},
     "4.x and 5.0 up to beta.41 find nobody to take it; later engines skip it, they had one of its class "
     "before"},
    {Rule::kLifecycleAfterClose,
     Shape::kFirstAfterClose,
     {kF, kF, kF},
     "nothing of its class stands before the closing event, so no engine skips it"},

    {Rule::kDeliveryAfterDisposal,
     Shape::kPlain,
     {kF, kU, kU},
     "4.x finds nobody to take it; 5.0 sets it aside and fails if the run ends with it set aside"},

    {Rule::kIdScheme,
     Shape::kPlain,
     {kU, kU, kF},
     "5.0.0-beta.42 and later refuse an id that is not slot-numbered; others read it in the wrong place"},
    {Rule::kIdScheme,
     Shape::kNoSlot,
     {kH, kH, kF},
     "5.0.0-beta.42 and later refuse a run with ULIDs: such runs must end on the old engine first"},
    {Rule::kSlotGap, Shape::kPlain, {kU, kF, kF}, "5.0 refuses a log with a hole; deleting rows makes one"},

    {Rule::kDuplicateRunEvent, Shape::kSameType, {kH, kH, kH}, "replay ignores it"},
    {Rule::kDuplicateRunEvent,
     Shape::kReseeds,
     {kU, kH, kH},
     "on 4.x it moves started_at, and if that happened between two replays all correlation ids change"},
    {Rule::kDuplicateRunEvent,
     Shape::kOtherType,
     {kC, kC, kC},
     "the run ended in two ways; readers may see either"},

    {Rule::kHookSelfConflict,
     Shape::kPlain,
     {kC, kC, kC},
     "the workflow's own code gets a HookConflictError on every version"},
    {Rule::kRunLost, Shape::kPlain, {kF, kF, kF}, "the run has failed; it can be revived only by hand"},
    {Rule::kAfterRunEnd, Shape::kPlain, {kH, kH, kH}, "an ended run is not replayed"},
    {Rule::kStuckStep,
     Shape::kPlain,
     {kU, kU, kU},
     "such steps are found in most corrupted runs and in no healthy one"},
    {Rule::kOrphan, Shape::kPlain, {kU, kU, kU}, "the run does not fail: it hangs, or is retried for ever"},
});

}  // namespace

std::string_view to_string(Rule rule) noexcept {
  switch (rule) {
    case Rule::kDuplicate:
      return "duplicate";
    case Rule::kDuplicateCreated:
      return "duplicate_created";
    case Rule::kSecondTerminal:
      return "second_terminal";
    case Rule::kLifecycleAfterClose:
      return "lifecycle_after_close";
    case Rule::kDeliveryAfterDisposal:
      return "delivery_after_disposal";
    case Rule::kIdScheme:
      return "id_scheme";
    case Rule::kSlotGap:
      return "slot_gap";
    case Rule::kDuplicateRunEvent:
      return "duplicate_run_event";
    case Rule::kHookSelfConflict:
      return "hook_self_conflict";
    case Rule::kRunLost:
      return "run_lost";
    case Rule::kAfterRunEnd:
      return "after_run_end";
    case Rule::kStuckStep:
      return "stuck_step";
    case Rule::kOrphan:
      return "orphan";
  }
  return "?";
}

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::kFatal:
      return "fatal";
    case Severity::kConflict:
      return "conflict";
    case Severity::kHarmless:
      return "harmless";
    case Severity::kUnknown:
      return "unknown";
  }
  return "?";
}

std::string_view to_string(Engine engine) noexcept {
  switch (engine) {
    case Engine::kV4:
      return "v4";
    case Engine::kV5BeforeClassSkip:
      return "v5-before-class-skip";
    case Engine::kV5:
      return "v5";
  }
  return "?";
}

std::string_view to_string(Confidence confidence) noexcept {
  switch (confidence) {
    case Confidence::kMeasured:
      return "measured";
    case Confidence::kRead:
      return "read";
    case Confidence::kHint:
      return "hint";
  }
  return "?";
}

const RuleInfo& rule_info(Rule rule) noexcept {
  return kInfos[static_cast<std::size_t>(rule)];
}

std::span<const RuleCase> rule_cases() noexcept {
  return kCases;
}

const RuleCase& rule_case(Rule rule, Shape shape) noexcept {
  // Every rule has a case.
  const RuleCase* found = kCases.data();
  for (const auto& entry : kCases) {
    if (entry.rule != rule) continue;
    if (entry.shape == shape) return entry;
    found = &entry;
  }
  return *found;
}

}  // namespace dupwatch::core
