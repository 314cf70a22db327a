#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the watched table means: which columns make an identity, which types admit no duplicate, what closes
/// what.
namespace dupwatch::core {

/// One event type. Types of one `group` describe the same kind of entity (step, wait, hook); an event of a
/// group is "after close" when an event of the same entity and group with `closes` has a smaller id.
struct EventType {
  std::string name;
  /// A second row of the same identity is a duplicate.
  bool unique = false;
  /// With `unique`: also when all identity columns are NULL. False for attr_set, which a step body may
  /// repeat.
  bool unique_when_null = true;
  bool closes = false;
  bool ends_run = false;
  /// 0 = no group.
  std::uint8_t group = 0;

  /// Whether rows of this type may be kept in the index.
  [[nodiscard]] bool tracked() const noexcept { return unique || closes; }
  /// Whether a row can make a finding or change one; one that can't is not kept.
  [[nodiscard]] bool tracked(bool null_identity) const noexcept {
    return closes || (unique && (unique_when_null || !null_identity));
  }
};

/// The relation that lists runs and their state; lets the baseline find open runs without reading the log.
struct RunsTable {
  std::string schema;
  std::string name;
  std::string id_column;
  std::string status_column;
  std::vector<std::string> open_states;
};

struct Profile {
  std::string name;
  std::string schema;
  std::string table;
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

  static constexpr std::size_t kTypesMax = 64;

  /// Index into `types`, nullopt for an unlisted type. Linear: the list is short and the first byte decides
  /// mostly.
  [[nodiscard]] std::optional<std::uint8_t> find_type(std::string_view type) const noexcept;
  /// schema.table as written in findings.
  [[nodiscard]] std::string qualified_name() const { return schema + "." + table; }
};

/// The event log of `workflow` / `@workflow/world-postgres`: types, entities and closings of all 4.x and 5.0
/// lines.
[[nodiscard]] Profile workflow_devkit_profile();

}  // namespace dupwatch::core
