#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/core/engine.hpp"

/// The rules as data: what each says, and whether replay fails on it, per generation of the engine. Measured
/// with the real engines (tests/engines) where `Confidence` says so.
namespace dupwatch::core {

/// Closed list; each is a metric label and a key of the section `rules`.
enum class Rule : std::uint8_t {
  kDuplicate,         ///< a generic table: a second row of an identity
  kDuplicateCreated,  ///< a second step_created, wait_created, hook_created, or attr_set with a correlation
                      ///< id
  kSecondTerminal,    ///< a second closing event of an entity
  kLifecycleAfterClose,  ///< created, started or retrying behind the closing event
  kDeliveryAfterDisposal,
  kIdScheme,  ///< ULID and slot-numbered ids in one run
  kSlotGap,   ///< a slot-numbered run with a slot missing
  kDuplicateRunEvent,
  kHookSelfConflict,
  kRunLost,  ///< run_failed behind a fatal finding
  kAfterRunEnd,
  kStuckStep,
  kOrphan,
  kProfileRule  ///< a rule that the profile in the configuration names
};
inline constexpr std::size_t kRules = 14;
[[nodiscard]] std::string_view to_string(Rule rule) noexcept;

/// Whether replay fails on the log as it is.
enum class Severity : std::uint8_t {
  kFatal,     ///< the next replay that reads the log fails the run
  kConflict,  ///< replay goes on, and the workflow's own code sees a contradiction, or an outcome is dropped
  kHarmless,
  kUnknown  ///< the log alone can't tell; reason_text() says what decides
};
inline constexpr std::size_t kSeverities = 4;
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;

/// How a row meets its rule; with the rule it decides the severity.
enum class Shape : std::uint8_t {
  kPlain,
  kNoClosing,        ///< the profile names nothing that closes it
  kBeforeClose,      ///< the closing event is not there yet, or has the larger id
  kAfterClose,       ///< an event of the same class stands before the closing event
  kFirstAfterClose,  ///< none does: no consumer ever took one of the class
  kSameType,
  kOtherType,
  kReseeds,   ///< run_started, whose time seeds the correlation ids of a 4.x run
  kNoSlot,    ///< no id of the run is a slot number
  kTwoSeeds,  ///< the correlation ids have two times: run_started was written again between two replays
  kIndexed,   ///< the engine's unique index admits one such row; of a person's act before its migration alone
  // What a rule of a profile forbids.
  kTakenTwice,     ///< unique: a second row of an entity
  kSecondEnding,   ///< one_ending: the entity has ended before
  kAfterEnding,    ///< nothing_after: the run had ended
  kAfterClosing,   ///< after_closing: the entity was closed
  kContradiction,  ///< conflict: the entity has a row of the other type
  kNotOpened,      ///< opener: no row of the entity that opens it stands before
  kHole,           ///< dense: the number before it is missing
  kOutOfOrder      ///< increasing: a row with a greater id had committed
};
inline constexpr std::size_t kShapes = 19;
[[nodiscard]] std::string_view to_string(Shape shape) noexcept;

/// Whether a fatal row of a case may be taken out of a log of ULIDs. One policy for the daemon, for a
/// person's command and for the plan of `explain`.
enum class Removal : std::uint8_t {
  kHeals,         ///< replayed with the real engines, with the row and without it: nothing is lost
  kByHand,        ///< heals as far as the configured rules know: a person takes it out
  kFirstOfClass,  ///< heals, and no row of its class sorts before it: a person takes it out
  kOutcome,       ///< one of two outcomes would be dropped
  kNever          ///< something would be lost with it, or removal does not heal
};

/// How sure it is that the severities are right.
enum class Confidence : std::uint8_t {
  kMeasured,  ///< replayed with the real engines
  kRead,      ///< read in their source or in reports
  kHint       ///< a correlation that is still under study
};
[[nodiscard]] std::string_view to_string(Confidence confidence) noexcept;

/// Rules that a periodic query decides, not the events of the stream.
[[nodiscard]] constexpr bool is_table_rule(Rule rule) noexcept {
  return rule == Rule::kSlotGap || rule == Rule::kStuckStep || rule == Rule::kOrphan;
}

/// Of a profile's rules: what a transaction that is still open may set right. It is a finding when it lasts,
/// and the table has the last word.
[[nodiscard]] constexpr bool is_lasting(Shape shape) noexcept {
  return shape == Shape::kNotOpened || shape == Shape::kHole;
}

/// Of a profile's rules: the order of commits alone shows it, so the table can neither show nor refute it.
[[nodiscard]] constexpr bool is_of_the_stream(Shape shape) noexcept {
  return shape == Shape::kOutOfOrder;
}

/// One finding per run, whichever row shows it.
[[nodiscard]] constexpr bool is_of_the_run(Rule rule) noexcept {
  return rule == Rule::kIdScheme || rule == Rule::kSlotGap || rule == Rule::kRunLost;
}

struct RuleInfo {
  Rule rule;
  Confidence confidence;
  /// What happened, for people.
  std::string_view sentence;
  /// Where it can occur.
  std::string_view versions;
};
[[nodiscard]] const RuleInfo& rule_info(Rule rule) noexcept;

struct RuleCase {
  Rule rule;
  Shape shape;
  /// By Engine, but for kUnknown.
  std::array<Severity, kGenerations> severity;
  Removal removal;
};
[[nodiscard]] std::span<const RuleCase> rule_cases() noexcept;
/// The row of rule_cases() for this pair; every pair that the rules make is there.
[[nodiscard]] const RuleCase& rule_case(Rule rule, Shape shape) noexcept;
/// For kUnknown what all generations agree on, else kUnknown.
[[nodiscard]] Severity severity_of(const RuleCase& entry, Engine engine) noexcept;
/// Why a case has its severities, or of kUnknown what decides. For people alone: no code may depend on it.
[[nodiscard]] std::string_view reason_text(Rule rule, Shape shape) noexcept;
/// By Rule: whether rows of some case may be taken out without being asked.
[[nodiscard]] std::array<bool, kRules> removable_rules() noexcept;

/// A user's word on one rule.
struct RuleSetting {
  bool enabled = true;
  /// Takes the place of the table's severity in every case.
  std::optional<Severity> severity;
  friend bool operator==(const RuleSetting&, const RuleSetting&) = default;
};
using RuleSettings = std::array<RuleSetting, kRules>;

}  // namespace dupwatch::core
