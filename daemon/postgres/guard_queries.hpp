#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"

/// The guard: a BEFORE INSERT trigger on the watched table that drops the second creation event of an entity.
/// Its three objects (a function and two sequences) live in the table's own schema, so that whoever may write
/// the table needs no other right and a dump of the schema holds all of it.
namespace dupwatch::postgres {

/// What the guard is about.
enum class GuardScope : std::uint8_t {
  kCreated,   ///< creation events of steps, waits and hooks
  kLifecycle  ///< also step_started and step_retrying behind the step's closing event
};

/// The statements that install the guard, or replace one of another scope, inside a transaction: of them only
/// CREATE TRIGGER locks the table (SHARE ROW EXCLUSIVE: it waits for writers, and they for it).
[[nodiscard]] std::vector<std::string> guard_install_statements(const core::Profile& profile,
                                                                GuardScope scope);
/// The statements that remove it and everything it made.
[[nodiscard]] std::vector<std::string> guard_remove_statements(const core::Profile& profile);
/// Both for a DBA to read: the installation, and the removal as comments.
[[nodiscard]] std::string guard_sql(const core::Profile& profile, GuardScope scope);

/// The guard as the catalogue has it.
struct GuardState {
  bool enabled = false;
  /// nullopt: the function is not what this version would install.
  std::optional<GuardScope> scope{};
  /// nullopt: the counters are missing or may not be read.
  std::optional<std::uint64_t> suppressed{};
  std::optional<std::uint64_t> passed{};
};
/// nullopt inside: there is none. Any role may ask.
[[nodiscard]] Expected<std::optional<GuardState>> find_guard(Connection& sql, const core::Profile& profile,
                                                             Waiter& waiter);

/// What decides whether the guard may stand on this table.
struct GuardFacts {
  bool plain_table = false;
  /// Row-level security that binds even the owner hides rows from the guard.
  bool forced_row_security = false;
  /// A valid unique index over run, identity and type: it does the guard's work.
  bool unique_index = false;
  /// The table of 5.x: ids are slot numbers, and its writers take a dropped row for a slot that is taken.
  bool slot_schema = false;
  /// Without both every insert would read the table.
  bool indexed = false;
  /// Where another isolation level than read committed is the default; empty: nowhere.
  std::string isolation{};
  /// The guard's function is on another table.
  bool on_other_table = false;
};
/// nullopt inside: there is no such table.
[[nodiscard]] Expected<std::optional<GuardFacts>> read_guard_facts(Connection& sql,
                                                                   const core::Profile& profile,
                                                                   Waiter& waiter);

}  // namespace dupwatch::postgres
