#include "daemon/core/rule.hpp"

#include <algorithm>
#include <iterator>

namespace dupwatch::core {
namespace {

constexpr auto kF = Severity::kFatal;
constexpr auto kC = Severity::kConflict;
constexpr auto kH = Severity::kHarmless;
constexpr auto kU = Severity::kUnknown;

// Columns 1, 2 and 4 are those of the table "log shape" measured with core 4.2.4 and 4.8.9, 5.0.0-beta.41 and
// 5.0.0-beta.55; tests/engines repeats it. Column 3 differs from column 4 for attr_set alone (measured with
// beta.42 and beta.44), and column 5 is read in the contract of spec version 9: what follows an entity's
// terminal event is inert.
constexpr auto kCases = std::to_array<RuleCase>({
    {Rule::kDuplicate, Shape::kNoClosing, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kDuplicate, Shape::kBeforeClose, {kH, kH, kH, kH, kH}, Removal::kNever},
    {Rule::kDuplicate, Shape::kAfterClose, {kF, kF, kF, kF, kF}, Removal::kByHand},
    {Rule::kDuplicate, Shape::kFirstAfterClose, {kF, kF, kF, kF, kF}, Removal::kByHand},
    {Rule::kDuplicateCreated, Shape::kBeforeClose, {kH, kH, kH, kH, kH}, Removal::kNever},
    {Rule::kDuplicateCreated, Shape::kAfterClose, {kF, kF, kH, kH, kH}, Removal::kHeals},
    {Rule::kDuplicateCreated, Shape::kFirstAfterClose, {kF, kF, kF, kF, kH}, Removal::kHeals},
    // attr_set has no consumer that stays: 4.x rejects the type, beta.41 to beta.46 set it aside and fail
    // when the run ends, beta.47 and later skip it.
    {Rule::kDuplicateCreated, Shape::kNoClosing, {kU, kF, kF, kH, kH}, Removal::kNever},
    {Rule::kDuplicateCreated, Shape::kIndexed, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kSecondTerminal, Shape::kSameType, {kF, kF, kH, kH, kH}, Removal::kHeals},
    {Rule::kSecondTerminal, Shape::kOtherType, {kF, kF, kC, kC, kC}, Removal::kOutcome},
    {Rule::kLifecycleAfterClose, Shape::kAfterClose, {kF, kF, kH, kH, kH}, Removal::kHeals},
    {Rule::kLifecycleAfterClose, Shape::kFirstAfterClose, {kF, kF, kF, kF, kH}, Removal::kFirstOfClass},
    // 5.x sets it aside and fails if the run ends with it set aside: 34 of 41 logs (beta.55), 21 of 28
    // (beta.41); the others had it behind all that the workflow needed.
    {Rule::kDeliveryAfterDisposal, Shape::kPlain, {kF, kF, kF, kF, kH}, Removal::kNever},
    {Rule::kIdScheme, Shape::kPlain, {kU, kU, kF, kF, kU}, Removal::kNever},
    {Rule::kIdScheme, Shape::kNoSlot, {kH, kH, kF, kF, kU}, Removal::kNever},
    // 52 of 52 logs; 5.x takes the time of the run, which never changes.
    {Rule::kIdScheme, Shape::kTwoSeeds, {kF, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kSlotGap, Shape::kPlain, {kU, kF, kF, kF, kU}, Removal::kNever},
    {Rule::kDuplicateRunEvent, Shape::kSameType, {kH, kH, kH, kH, kH}, Removal::kNever},
    {Rule::kDuplicateRunEvent, Shape::kReseeds, {kU, kH, kH, kH, kH}, Removal::kNever},
    {Rule::kDuplicateRunEvent, Shape::kOtherType, {kC, kC, kC, kC, kC}, Removal::kNever},
    {Rule::kHookSelfConflict, Shape::kPlain, {kC, kC, kC, kC, kC}, Removal::kNever},
    {Rule::kRunLost, Shape::kPlain, {kF, kF, kF, kF, kF}, Removal::kNever},
    {Rule::kAfterRunEnd, Shape::kPlain, {kH, kH, kH, kH, kH}, Removal::kNever},
    {Rule::kStuckStep, Shape::kPlain, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kOrphan, Shape::kPlain, {kU, kU, kU, kU, kU}, Removal::kNever},
    // Of a profile's rules the configuration says the severity.
    {Rule::kProfileRule, Shape::kTakenTwice, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kProfileRule, Shape::kSecondEnding, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kProfileRule, Shape::kAfterEnding, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kProfileRule, Shape::kAfterClosing, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kProfileRule, Shape::kContradiction, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kProfileRule, Shape::kNotOpened, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kProfileRule, Shape::kHole, {kU, kU, kU, kU, kU}, Removal::kNever},
    {Rule::kProfileRule, Shape::kOutOfOrder, {kU, kU, kU, kU, kU}, Removal::kNever},
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
    case Rule::kProfileRule:
      return "profile_rule";
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

std::string_view to_string(Shape shape) noexcept {
  switch (shape) {
    case Shape::kPlain:
      return "plain";
    case Shape::kNoClosing:
      return "no_closing";
    case Shape::kBeforeClose:
      return "before_close";
    case Shape::kAfterClose:
      return "after_close";
    case Shape::kFirstAfterClose:
      return "first_after_close";
    case Shape::kSameType:
      return "same_type";
    case Shape::kOtherType:
      return "other_type";
    case Shape::kReseeds:
      return "reseeds";
    case Shape::kNoSlot:
      return "no_slot";
    case Shape::kTwoSeeds:
      return "two_seeds";
    case Shape::kIndexed:
      return "indexed";
    case Shape::kTakenTwice:
      return "taken_twice";
    case Shape::kSecondEnding:
      return "second_ending";
    case Shape::kAfterEnding:
      return "after_ending";
    case Shape::kAfterClosing:
      return "after_closing";
    case Shape::kContradiction:
      return "contradiction";
    case Shape::kNotOpened:
      return "not_opened";
    case Shape::kHole:
      return "hole";
    case Shape::kOutOfOrder:
      return "out_of_order";
  }
  return "?";
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

Severity severity_of(const RuleCase& entry, Engine engine) noexcept {
  if (engine != Engine::kUnknown) return entry.severity[static_cast<std::size_t>(engine)];
  const auto first = entry.severity.front();
  return std::ranges::count(entry.severity, first) == std::ssize(entry.severity) ? first : kU;
}

std::array<bool, kRules> removable_rules() noexcept {
  std::array<bool, kRules> out{};
  for (const auto& entry : kCases) {
    if (entry.removal == Removal::kHeals) out[static_cast<std::size_t>(entry.rule)] = true;
  }
  return out;
}

}  // namespace dupwatch::core
