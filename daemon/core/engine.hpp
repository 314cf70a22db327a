#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/core/packed_text.hpp"

/// All that is known of the watched engine apart from its rules (rule.hpp) and its table (profile.hpp).
namespace dupwatch::core {

/// Generations that treat the same log differently. A run has one; one database may hold runs of several.
enum class Engine : std::uint8_t {
  kV4,                     ///< @workflow/core 4.x, up to 4.8.9 at least
  kV5BeforeClassSkip,      ///< 5.0.0 up to beta.41
  kV5BeforeAttributeSkip,  ///< beta.42 to beta.46: repeated events of a class are skipped, but for attr_set
  kV5,                     ///< beta.47 to 5.2 (spec versions up to 8): those of attr_set too
  kV5SingleOrchestrator,   ///< spec version 9: what follows an entity's terminal event is inert. Read, not
                           ///< replayed
  kUnknown                 ///< newer than all that were read
};
inline constexpr std::size_t kEngines = 6;
/// Those with severities of their own; for kUnknown only what all of them agree on is certain.
inline constexpr std::size_t kGenerations = 5;
[[nodiscard]] std::string_view to_string(Engine engine) noexcept;
/// It takes slot numbers alone and refuses a run with ULIDs (core 5.0.0-beta.42 and later).
[[nodiscard]] constexpr bool refuses_ulids(Engine engine) noexcept {
  return engine == Engine::kV5BeforeAttributeSkip || engine == Engine::kV5;
}
/// It reads a noop in the place of any event (core 5.0.0-beta.47 and later).
[[nodiscard]] constexpr bool reads_noop(Engine engine) noexcept {
  return engine == Engine::kV5 || engine == Engine::kV5SingleOrchestrator;
}

/// Where the spec version of a run is read.
enum class SpecSource : std::uint8_t {
  kNone,    ///< nowhere: no column has it, or none may be read
  kEvents,  ///< in its events
  kRuns     ///< in the table of runs
};
[[nodiscard]] std::string_view to_string(SpecSource source) noexcept;
/// The generation whose engines begin runs of this spec version; nullopt: 0, which is none.
[[nodiscard]] std::optional<Engine> engine_of_spec(int spec) noexcept;
/// As the column has it; 0: it is no spec version.
[[nodiscard]] int spec_of(std::string_view text) noexcept;

/// What the database tells of the engine.
struct EngineSigns {
  /// Columns of 5.0 in the runs table; the table of slots (world-postgres 5.0.0-beta.33); its column of spec
  /// version 9.
  bool v5_columns = false;
  bool slot_table = false;
  bool seq_in_band = false;
  /// The least and the greatest spec version of a run, or of the newest runs; 0 = not known.
  int spec_least = 0;
  int spec_greatest = 0;
  SpecSource specs = SpecSource::kNone;
};
/// What `engine: auto` stands for: a run is of the generation that its own spec version says, and without one
/// of that of the log, which has one for runs with slot numbers and one for runs with ULIDs.
struct AutoEngines {
  Engine ulids = Engine::kV4;
  Engine slots = Engine::kV5;
  /// Why, a clause for people.
  std::string_view why = "nothing is known of the schema";
  /// Where runs say their own; kNone too in a schema of 4.x, in which there is one generation.
  SpecSource by_run = SpecSource::kNone;
  /// There are runs of an engine that was not replayed: newer than 5.2.
  bool unreplayed = false;
  friend bool operator==(const AutoEngines&, const AutoEngines&) = default;
};
[[nodiscard]] AutoEngines auto_engines(const EngineSigns& signs) noexcept;

/// Who said which generation a run is of.
enum class EngineFrom : std::uint8_t {
  kConfiguration,
  kRun,  ///< its own spec version
  kLog   ///< the schema and the newest runs
};
inline constexpr std::size_t kEngineFroms = 3;
[[nodiscard]] std::string_view to_string(EngineFrom from) noexcept;
/// The same as a clause for people, behind the generation.
[[nodiscard]] std::string_view clause_of(EngineFrom from) noexcept;
struct TakenEngine {
  Engine engine = Engine::kV4;
  EngineFrom from = EngineFrom::kLog;
  friend bool operator==(const TakenEngine&, const TakenEngine&) = default;
};
/// `own`: as engine_of_spec() has it; `slots`: an id of the run is a slot number.
[[nodiscard]] TakenEngine engine_of_run(const AutoEngines& log, std::optional<Engine> own,
                                        bool slots) noexcept;

/// The number in an id of the form "evnt_" + ten zeros + sixteen decimal digits; nullopt: it has another
/// form. postgres::is_slot_number says the same in SQL.
[[nodiscard]] std::optional<std::uint64_t> slot_of(std::string_view id) noexcept;
/// The same of a packed id.
[[nodiscard]] bool is_slot_number(const Token& id) noexcept;
[[nodiscard]] std::uint64_t slot_of(const Token& slot_number) noexcept;

/// Milliseconds since the Unix epoch in a ULID; 0 for what is none, as a slot number.
[[nodiscard]] std::uint64_t ulid_millis(const Token& id) noexcept;

/// Migration 0010 deletes all but one row of an identity of these types, then makes its unique index.
inline constexpr std::array<std::string_view, 3> kDeduplicatedTypes = {"step_created", "hook_created",
                                                                       "wait_created"};
/// Migration 0014 adds this type to the index and deletes nothing: it fails on duplicates.
inline constexpr std::string_view kAttributeType = "attr_set";
/// Fills a slot and says nothing.
inline constexpr std::string_view kNoopType = "noop";

}  // namespace dupwatch::core
