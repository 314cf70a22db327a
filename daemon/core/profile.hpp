#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/rule.hpp"

/// What the watched table means: which columns make an identity, which types admit no duplicate, what closes
/// what.
namespace dupwatch::core {

/// One event type. Types of one `group` describe the same kind of entity (step, wait, hook); an event of a
/// group is "after close" when an event of the same entity and group with `closes` has a smaller id.
struct EventType {
  std::string name;
  /// A second row of the entity and class is a duplicate, told as `duplicate_rule`.
  bool unique = false;
  Rule duplicate_rule = Rule::kDuplicate;
  /// With `unique`: also when all identity columns are NULL. False for attr_set, which a step body may
  /// repeat.
  bool unique_when_null = true;
  /// Types of one class exclude each other; 0 = the type is a class of its own.
  std::uint8_t event_class = 0;
  bool closes = false;
  bool ends_run = false;
  /// 0 = no group.
  std::uint8_t group = 0;
  /// The rule for a row of this type, itself no duplicate, behind the closing event.
  std::optional<Rule> after_close{};
  /// Begins an entity: not expected after the run's end.
  bool opens = false;
  /// Contradicts an opening event of the same entity.
  bool conflicts = false;
  bool fails_run = false;
  /// Its time seeds the correlation ids of the run.
  bool reseeds = false;
  /// Kept in memory although no rule is about the type: every id of a run counts for its scheme.
  bool kept = false;
  /// Of a profile with rules of its own: the one that this is a part of, see ProfileRule.
  std::uint8_t rule = kNoRule;
  static constexpr std::uint8_t kNoRule = 0xFF;

  /// Whether rows of this type may be kept in the index.
  [[nodiscard]] bool tracked() const noexcept {
    return unique || closes || ends_run || after_close.has_value() || conflicts || kept;
  }
  /// Whether a row can make a finding or change one; one that can't is not kept.
  [[nodiscard]] bool tracked(bool null_identity) const noexcept {
    return tracked() && (unique_when_null || !null_identity || kept);
  }
  friend bool operator==(const EventType&, const EventType&) = default;
};

/// A relation with one row for each step or wait.
struct EntityTable {
  std::string name;
  std::string run_column;
  /// Of steps the correlation id itself; of waits the run id, "-" and the correlation id.
  std::string id_column;
  std::string status_column;
  friend bool operator==(const EntityTable&, const EntityTable&) = default;
};

/// The relation that lists runs and their state; lets the baseline find open runs without reading the log.
struct RunsTable {
  std::string schema;
  std::string name;
  std::string id_column;
  std::string status_column;
  std::vector<std::string> open_states;
  /// A number that grows with what the engine writes, here and in the log; both may be missing or unreadable.
  /// Empty: there is none.
  std::string spec_column{};
  /// Tables of the entities, in the same schema.
  EntityTable steps{};
  EntityTable waits{};
  friend bool operator==(const RunsTable&, const RunsTable&) = default;
};

/// A rule in the user's words: what may not be among the rows of an entity, which are the rows of a run that
/// have the same values in `columns` (without columns all rows of the run).
struct ProfileRule {
  std::string name;
  /// One of Rule::kProfileRule: what the rule forbids.
  Shape kind = Shape::kTakenTwice;
  /// Places in Profile::identity_columns, or one of the two below.
  std::vector<std::uint8_t> columns;
  static constexpr std::uint8_t kIdColumn = 0xFF;
  static constexpr std::uint8_t kTypeColumn = 0xFE;
  /// A row with a NULL in one of the columns takes part, and NULL equals NULL.
  bool nulls_equal = false;
  /// Types that end, close, open, or are the first half of a pair; empty for the other kinds.
  std::vector<std::string> first;
  /// The types that the rule is about; empty = all others.
  std::vector<std::string> types;
  /// Of a rule about numbers without a hole: the first one.
  std::int64_t from = 0;
  Severity severity = Severity::kUnknown;
  /// Why it matters, for people; empty = what the kind says.
  std::string reason;
  /// Its places in Profile::types, first and one beyond the last; the last one takes any other type.
  std::uint8_t types_begin = 0;
  std::uint8_t types_end = 0;
  bool takes_others = false;
  friend bool operator==(const ProfileRule&, const ProfileRule&) = default;
};

/// What the rows are called, for people.
struct ProfileLabels {
  std::string run = "run";
  std::string event = "event";
  friend bool operator==(const ProfileLabels&, const ProfileLabels&) = default;
};

struct Profile {
  std::string name;
  std::string schema;
  std::string table;
  /// Up to kScopeMax columns in front of the run: runs are one only where all of these are equal too, and the
  /// text that names a run holds all of it (run_key.hpp).
  std::vector<std::string> scope_columns{};
  std::string run_column;
  std::string id_column;
  /// 1 to 4 columns that make the identity together with run and type.
  std::vector<std::string> identity_columns;
  /// Empty: the table has no type column and every row is of the one type "".
  std::string type_column;
  /// Known types, at most kTypesMax. A type that is not listed is counted as `other`.
  std::vector<EventType> types;
  /// An unlisted type admits no duplicate either (a generic table without `types`).
  bool unlisted_unique = false;
  std::optional<RunsTable> runs;
  /// Ids may be slot numbers, and then all of a run's are.
  bool slot_ids = false;
  /// Rules of its own, in the place of what the types alone say: each has types of its own in `types`. A row
  /// takes part in any number of them.
  std::vector<ProfileRule> rules;
  ProfileLabels labels;
  /// How long rows stay invisible behind greater ids of the table is measured: order_watch.hpp.
  bool order_watch = false;

  static constexpr std::size_t kTypesMax = 64;
  static constexpr std::size_t kRulesMax = 12;
  static constexpr std::size_t kIdentityMax = 4;
  static constexpr std::size_t kScopeMax = 3;

  /// Index into `types`, nullopt for an unlisted type. Linear: the list is short and the first byte decides
  /// mostly.
  [[nodiscard]] std::optional<std::uint8_t> find_type(std::string_view type) const noexcept;
  [[nodiscard]] bool has_rules() const noexcept { return !rules.empty(); }
  /// No row can be left out for its type.
  [[nodiscard]] bool any_type() const noexcept;
  /// Names of the types whose rows a rule needs, each once.
  [[nodiscard]] std::vector<std::string> tracked_types() const;
  /// Rows are taken out of its table by dupwatch: what heals a log was measured with that engine, whose run
  /// column alone names the run.
  [[nodiscard]] bool takes_rows_out() const { return name == "workflow-devkit" && scope_columns.empty(); }
  /// schema.table as written in findings.
  [[nodiscard]] std::string qualified_name() const { return schema + "." + table; }
  friend bool operator==(const Profile&, const Profile&) = default;
};

/// The event log of `workflow` / `@workflow/world-postgres`: types, entities and closings of all 4.x and 5.0
/// lines.
[[nodiscard]] Profile workflow_devkit_profile();

}  // namespace dupwatch::core
