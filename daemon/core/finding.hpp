#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/acknowledgement.hpp"
#include "daemon/core/profile.hpp"
#include "daemon/core/rule.hpp"
#include "daemon/core/text.hpp"
#include "decoder/change.hpp"

namespace dupwatch::core {

/// How dupwatch came to see the anomaly: an event of the stream, rows read back for a cold run, the
/// baseline scan or an audit, or the periodic look at the tables.
enum class Origin : std::uint8_t { kStream, kReadBack, kBaseline, kRecheck };
inline constexpr std::size_t kOrigins = 4;
[[nodiscard]] std::string_view to_string(Origin origin) noexcept;

/// First report of a finding, or a later report because its severity, its state or one of its rows changed.
enum class FindingChange : std::uint8_t { kNew, kChanged };
[[nodiscard]] std::string_view to_string(FindingChange change) noexcept;

/// What has become of a finding.
enum class FindingState : std::uint8_t {
  kOpen,          ///< the rows are in the log and the run goes on
  kRunEnded,      ///< the run has completed, failed or been cancelled: no replay reads the log again
  kGone,          ///< a row is gone, and with it the contradiction
  kAcknowledged,  ///< open, and acknowledged by a person or in findings.acknowledged
  kQuarantined    ///< the row at fault was moved to dupwatch.quarantine
};
inline constexpr std::size_t kFindingStates = 5;
[[nodiscard]] std::string_view to_string(FindingState state) noexcept;

/// Whether a replay will meet the row of a fatal finding. Closed: a metric label.
enum class Pending : std::uint8_t {
  kNone,      ///< the finding is not fatal, or the run has ended
  kCertain,   ///< a step, wait or hook of the run is open: the next replay reads on and meets the row
  kMayReturn  ///< nothing is open: the workflow may return before it meets the row
};
inline constexpr std::size_t kPendings = 3;
[[nodiscard]] std::string_view to_string(Pending pending) noexcept;

/// One of the two rows. What is unknown is empty: a row read back from the table has no commit LSN, and its
/// commit time only where the server has track_commit_timestamp on.
struct RowEvidence {
  std::string id;
  std::optional<decoder::Xid> xid;
  std::optional<decoder::Lsn> commit_lsn;
  std::optional<decoder::Timestamp> commit_time;
};

/// One judged anomaly. `id` is stable over restarts: it depends on table, rule, run and the row at fault
/// alone.
struct Finding {
  std::uint64_t id = 0;
  Rule rule = Rule::kDuplicate;
  /// Of Rule::kProfileRule: what the profile calls it, and what it says of its weight.
  std::string profile_rule;
  std::string profile_reason;
  /// How the row meets the rule; nullopt: a record of 0.1.0 does not say it.
  std::optional<Shape> shape;
  Severity severity = Severity::kUnknown;
  /// The generation that the severity is for, and who said that the run is of it.
  Engine engine = Engine::kV4;
  EngineFrom engine_from = EngineFrom::kLog;
  FindingState state = FindingState::kOpen;
  Pending pending = Pending::kNone;
  FindingChange change = FindingChange::kNew;
  Origin origin = Origin::kStream;
  /// The closing event of the same entity has a smaller id than the row at fault, whatever that means to the
  /// engine.
  bool after_close = false;
  /// So many rows contradict the same one that a change of that one alone is no news: each row with a smaller
  /// id would make it for all of them. Not in the record.
  bool one_of_many = false;
  std::string table;
  /// dupwatch takes no rows out of this table: a person runs SQL.
  bool by_hand = false;
  std::string run_id;
  /// Values of the identity columns in the profile's order, nullopt = NULL.
  std::vector<std::optional<std::string>> identity;
  std::string type;
  /// The row that replay reads first, and the row at fault.
  RowEvidence canonical;
  RowEvidence duplicate;
  std::optional<RowEvidence> closing;
  decoder::Timestamp flagged_at;
  /// Of a person, in state acknowledged alone; nullopt there: findings.acknowledged names it.
  std::optional<Acknowledgement> acknowledgement;

  void set_table(const Profile& profile);
  /// Why this severity, for people; empty without a shape.
  [[nodiscard]] std::string_view reason() const noexcept {
    if (!profile_reason.empty()) return profile_reason;
    return shape ? reason_text(rule, *shape) : std::string_view{};
  }
  /// Its rows are in the log of a run that goes on, whoever knows of it.
  [[nodiscard]] bool stands() const noexcept {
    return state == FindingState::kOpen || state == FindingState::kAcknowledged;
  }
  /// The rule as people call it: of a profile's own rule its name.
  [[nodiscard]] std::string_view rule_name() const noexcept {
    return profile_rule.empty() ? to_string(rule) : std::string_view(profile_rule);
  }
  /// The run had ended when the finding was first seen: no replay reads the row, and nobody need be called.
  [[nodiscard]] bool came_too_late() const noexcept {
    return change == FindingChange::kNew && state == FindingState::kRunEnded && rule != Rule::kRunLost;
  }
  [[nodiscard]] std::optional<std::string> closing_id() const {
    return closing ? std::optional(closing->id) : std::nullopt;
  }
  /// Commit of the duplicate minus commit of the canonical row; negative when the canonical row committed
  /// second.
  [[nodiscard]] std::optional<std::int64_t> commit_gap_micros() const noexcept;
};

/// No engine replays the run with the row or without it: the only wait_created of its wait, late. (Core 4.2.4
/// replays it without, 4.8.9 does not: measured.)
[[nodiscard]] bool is_beyond_repair(const Finding& finding) noexcept;

/// "0f3a..." 16 hexadecimal digits.
[[nodiscard]] std::string finding_id_text(std::uint64_t id);

/// ISO 8601 in UTC with microseconds, e.g. 2026-11-24T05:21:38.123456Z.
[[nodiscard]] std::string to_iso8601(decoder::Timestamp time);

/// The command that shows the run with this finding in it, for a shell. `options`, each with a blank before
/// it, stand in front of the ids.
[[nodiscard]] std::string explain_command(std::string_view run_id, std::string_view options = {});

/// The command that takes the row at fault out of the log, for a shell, or that writes the SQL for it where a
/// person has to; empty where the row would not be taken out, as far as the finding shows.
[[nodiscard]] std::string fix_command(const Finding& finding, std::string_view options = {});
/// With the file that explain_command() is to write its SQL to.
inline constexpr std::string_view kRepairPlanOption = " --repair-plan repair.sql";

/// The finding as one JSON object without newline; the record of findings.file, /api/findings and the JSON
/// log.
[[nodiscard]] std::string to_json(const Finding& finding);

}  // namespace dupwatch::core
