#include "daemon/quarantine/act.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <vector>

#include "daemon/core/replay_rules.hpp"
#include "daemon/postgres/audit_queries.hpp"
#include "daemon/quarantine/eligibility.hpp"
#include "daemon/quarantine/limits.hpp"
#include "daemon/quarantine/queries.hpp"
#include "daemon/table/judged_run.hpp"

namespace dupwatch::quarantine {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Expected;
using postgres::Result;
using postgres::Waiter;
using Kind = ActOutcome::Kind;

// The server's statement_timeout of 5 s speaks first.
constexpr std::chrono::seconds kActTimeout{10};

Expected<Result> query(Connection& sql, const std::string& text, const Connection::Params& params,
                       Waiter& waiter) {
  return sql.execute(text, params, waiter, kActTimeout);
}

/// Short timeouts: an application that waits for a lock of ours would be worse than a row that stays.
std::vector<Connection::Statement> opening() {
  return {{"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", {}},
          // The last is for restore: the guard on the table would drop the row a second time.
          {"SELECT set_config('lock_timeout', '500ms', true), set_config('statement_timeout', '5s', true),"
           " set_config('dupwatch.guard', 'off', true)",
           {}}};
}

Expected<std::vector<Result>> batch(Connection& sql, std::span<const Connection::Statement> statements,
                                    Waiter& waiter) {
  return sql.execute_batch(statements, waiter, kActTimeout);
}

Expected<ActOutcome> end(Connection& sql, Waiter& waiter, bool commit, ActOutcome outcome) {
  auto answer = query(sql, commit ? "COMMIT" : "ROLLBACK", {}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return outcome;
}

/// The run as it is now, and the table's columns, which can't change before the transaction ends.
struct Ground {
  table::JudgedRun story;
  std::vector<StoredColumn> columns;
  Limits limits{};
};

/// Begins the transaction, waits for other acts on the run and reads what is to be judged: one round trip. A
/// statement of its own reads the run, because its snapshot must be younger than the lock.
std::optional<Error> begin_act(Ground& ground, const core::Config& config, const table::TableFacts& table,
                               const ActRequest& request, Connection& sql, Waiter& waiter) {
  const auto& profile = config.profile;
  auto statements = opening();
  statements.push_back({lock_query(), {profile.qualified_name(), ground.story.run_id()}});
  if (request.automatic) {
    statements.push_back({limits_query(), {profile.qualified_name(), request.run_id, request.finding_id}});
  }
  // No rule looks at created_at. Reading also locks the table against ALTER TABLE, so it comes before the
  // look at the columns.
  statements.push_back(
      {postgres::run_rows_text(profile, table.key_types, table.extras, false, table.traits.ids),
       {ground.story.run_id()}});
  statements.push_back({stored_columns_query(), {quoted_table(profile)}});
  auto answer = batch(sql, statements, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& results = std::get<std::vector<Result>>(answer);
  const auto& rows = *results[results.size() - 2];
  for (int i = 0; i < postgres::row_count(rows); ++i) ground.story.add(rows, i);
  ground.story.judge();
  ground.columns = read_stored_columns(*results.back());
  if (request.automatic) ground.limits = read_limits(*results[results.size() - 3]);
  return std::nullopt;
}

ActOutcome refused(std::string_view reason, std::string_view explanation, std::string event_id) {
  return {.kind = Kind::kRefused,
          .event_id = std::move(event_id),
          .reason = std::string(reason),
          .explanation = std::string(explanation)};
}

ActOutcome refused(core::QuarantineRefusal why, std::string event_id) {
  auto outcome = refused(core::to_string(why), quarantine::explanation(why), std::move(event_id));
  outcome.refusal = why;
  return outcome;
}

/// nullopt: nothing of the configuration stands against the act.
std::optional<ActOutcome> over_limit(const core::QuarantineConfig& config, const Limits& limits,
                                     const std::string& event_id) {
  using Refusal = core::QuarantineRefusal;
  if (limits.circuit) return refused(Refusal::kCircuitOpen, event_id);
  if (limits.restored) return refused(Refusal::kRestored, event_id);
  if (limits.run >= config.max_per_run) return refused(Refusal::kRunLimit, event_id);
  const char* limit = nullptr;
  if (limits.minute >= config.max_per_minute) limit = "max_per_minute";
  if (limits.hour >= config.max_per_hour) limit = "max_per_hour";
  if (limit == nullptr) return std::nullopt;
  auto outcome = refused(Refusal::kCircuitOpen, event_id);
  outcome.limit = limit;
  return outcome;
}

/// The entry of an act of before, kUnknown when there is none.
Expected<ActOutcome> look_for_entry(const core::Config& config, const ActRequest& request, Connection& sql,
                                    Waiter& waiter) {
  const auto xid = request.xid ? std::optional(std::to_string(*request.xid)) : std::nullopt;
  auto answer = query(sql, kept_query(),
                      {config.profile.qualified_name(), request.run_id, request.finding_id,
                       std::string(action_of(request.write)), xid},
                      waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (postgres::row_count(result) == 0) return ActOutcome{.kind = Kind::kUnknown};
  return ActOutcome{.kind = Kind::kAlready,
                    .entry = std::string(postgres::cell(result, 0, 0).value_or("")),
                    .event_id = std::string(postgres::cell(result, 0, 1).value_or(""))};
}

/// A finding that the log does not show may have been dealt with before, or its row is gone.
Expected<ActOutcome> without_finding(const core::Config& config, const table::TableFacts& table,
                                     const ActRequest& request, const std::string& event_id, Connection& sql,
                                     Waiter& waiter) {
  auto found = look_for_entry(config, request, sql, waiter);
  if (std::holds_alternative<Error>(found)) return found;
  auto& outcome = std::get<ActOutcome>(found);
  if (outcome.kind == Kind::kUnknown && request.automatic) {
    auto answer =
        query(sql, row_exists_query(config.profile, table.key_types.run), {request.run_id, event_id}, waiter);
    if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
    const bool there = postgres::cell(*std::get<Result>(answer), 0, 0) == "t";
    outcome =
        refused(there ? core::QuarantineRefusal::kUnverified : core::QuarantineRefusal::kChanged, event_id);
  }
  return end(sql, waiter, false, std::move(outcome));
}

std::optional<core::QuarantineRefusal> refusal_of(const table::JudgedRun& story, const core::Finding& finding,
                                                  Write write, std::optional<core::Engine> engine) {
  return write == Write::kNoop ? quarantine::noop_refusal(finding, story.slot_numbered(), engine)
                               : quarantine::refusal(finding, story.slot_numbered());
}

/// Whether the run dies all the same: its log is judged without the row, and without all else that may go.
bool stays_fatal(const table::JudgedRun& story, const core::Finding& finding, Write write,
                 std::optional<core::Engine> engine) {
  table::JudgedRun::RowIds rows{finding.duplicate.id};
  for (const auto& other : story.findings()) {
    if (!refusal_of(story, other, write, engine)) rows.insert(other.duplicate.id);
  }
  using Rewrite = table::JudgedRun::Rewrite;
  return table::JudgedRun(story, rows, write == Write::kNoop ? Rewrite::kNoop : Rewrite::kRemoved).fails();
}

std::vector<quarantine::LogRow> rows_of(const table::JudgedRun& story) {
  std::vector<quarantine::LogRow> rows;
  for (const auto& event : story.events()) {
    rows.push_back({.id = event.id, .type = event.type, .correlation_id = event.correlation_id});
  }
  return rows;
}

/// The commit is a round trip of its own: as long as it is not sent, an act whose client dies is undone.
Expected<ActOutcome> keep_row(const core::Config& config, const table::TableFacts& table,
                              const Ground& ground, const core::Finding& finding, const ActRequest& request,
                              Connection& sql, Waiter& waiter,
                              std::span<const std::string_view> only_types = {}) {
  const auto act = act_query(config.profile, table.key_types.run, ground.columns, request.write, only_types);
  auto answer = query(sql, act,
                      {finding.run_id, finding.duplicate.id, core::finding_id_text(finding.id),
                       std::string(core::to_string(finding.rule)), core::to_json(finding), finding.table,
                       request.automatic ? "daemon" : "operator"},
                      waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (postgres::row_count(result) != 1) {
    auto found = look_for_entry(config, request, sql, waiter);
    if (std::holds_alternative<Error>(found)) return found;
    auto& outcome = std::get<ActOutcome>(found);
    if (outcome.kind == Kind::kUnknown) {
      outcome = refused(core::QuarantineRefusal::kChanged, finding.duplicate.id);
    }
    return end(sql, waiter, false, std::move(outcome));
  }
  if (postgres::cell(result, 0, 1) != "t") {
    return end(sql, waiter, false, refused(core::QuarantineRefusal::kChanged, finding.duplicate.id));
  }
  return end(sql, waiter, true,
             {.kind = Kind::kDone,
              .entry = std::string(postgres::cell(result, 0, 0).value_or("")),
              .event_id = finding.duplicate.id});
}

/// What is kept with a row that goes for the migration's sake: the finding about it, or, where its rule is
/// off or does not speak of the row, the same made from the rows alone.
core::Finding migration_finding(const core::Config& config, const table::JudgedRun& story,
                                const std::string& event_id) {
  constexpr auto kRule = core::Rule::kDuplicateCreated;
  for (const auto& finding : story.findings()) {
    if (finding.rule == kRule && finding.duplicate.id == event_id) return finding;
  }
  const auto& events = story.events();
  const auto row = std::ranges::find(events, event_id, &table::JudgedRun::Event::id);
  const auto canonical = std::ranges::find_if(events, [&](const auto& event) {
    return event.type == row->type && event.correlation_id == row->correlation_id;
  });
  core::Finding finding;
  finding.rule = kRule;
  finding.severity = core::Severity::kUnknown;
  finding.shape = core::Shape::kIndexed;
  finding.engine = story.engine();
  finding.origin = core::Origin::kBaseline;
  finding.state = story.end_type().empty() ? core::FindingState::kOpen : core::FindingState::kRunEnded;
  finding.set_table(config.profile);
  finding.run_id = story.run_id();
  finding.identity = {row->correlation_id};
  finding.type = row->type;
  finding.canonical.id = canonical->id;
  finding.duplicate.id = event_id;
  finding.id = core::finding_id(finding.table, kRule, finding.run_id, event_id);
  return finding;
}

struct Entry {
  std::string table;
  std::string event_id;
  bool restored = false;
  std::string action{};
  std::set<std::string, std::less<>> columns;
};

/// No columns: there is no such entry.
Expected<Entry> read_entry(const std::string& id, Connection& sql, Waiter& waiter) {
  auto answer = query(sql, entry_query(), {id}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  Entry entry;
  for (int i = 0; i < postgres::row_count(result); ++i) {
    entry.columns.emplace(postgres::cell(result, i, 0).value_or(""));
    entry.table = postgres::cell(result, i, 1).value_or("");
    entry.event_id = postgres::cell(result, i, 3).value_or("");
    entry.restored = postgres::cell(result, i, 4) == "true";
    entry.action = postgres::cell(result, i, 5).value_or("");
  }
  return entry;
}

}  // namespace

std::string_view to_string(ActOutcome::Kind kind) noexcept {
  switch (kind) {
    case Kind::kDone:
      return "done";
    case Kind::kAlready:
      return "already_done";
    case Kind::kWouldBeDone:
      return "dry_run";
    case Kind::kRefused:
      return "refused";
    case Kind::kUnknown:
      return "unknown";
  }
  return "unknown";
}

Expected<ActOutcome> quarantine_row(const core::Config& config, const table::TableFacts& table,
                                    const ActRequest& request, Connection& sql, Waiter& waiter) {
  Ground ground{.story = table::JudgedRun(config, request.run_id, table.traits), .columns = {}};
  if (auto error = begin_act(ground, config, table, request, sql, waiter)) return std::move(*error);
  const auto& findings = ground.story.findings();
  const auto finding = std::ranges::find_if(
      findings, [&](const auto& f) { return core::finding_id_text(f.id) == request.finding_id; });
  if (finding == findings.end()) {
    return without_finding(config, table, request, request.event_id, sql, waiter);
  }
  const auto& event_id = finding->duplicate.id;
  if (const auto why = refusal_of(ground.story, *finding, request.write, config.rules.engine)) {
    return end(sql, waiter, false, refused(*why, event_id));
  }
  if (quarantine::canonical_is_misplaced(*finding, rows_of(ground.story), config.profile)) {
    return end(sql, waiter, false, refused(core::QuarantineRefusal::kRule, event_id));
  }
  if (!request.partial && stays_fatal(ground.story, *finding, request.write, config.rules.engine)) {
    return end(sql, waiter, false, refused(core::QuarantineRefusal::kStaysFatal, event_id));
  }
  if (request.automatic) {
    if (auto limit = over_limit(config.quarantine, ground.limits, event_id)) {
      return end(sql, waiter, false, std::move(*limit));
    }
  }
  if (request.dry_run) return end(sql, waiter, false, {.kind = Kind::kWouldBeDone, .event_id = event_id});
  return keep_row(config, table, ground, *finding, request, sql, waiter);
}

std::optional<Error> open_circuit(const core::Config& config, std::string_view reason,
                                  std::string_view detail, Connection& sql, Waiter& waiter) {
  auto statements = opening();
  statements.push_back(
      {open_circuit_query(), {config.profile.qualified_name(), std::string(reason), std::string(detail)}});
  statements.push_back({"COMMIT", {}});
  auto answer = batch(sql, statements, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return std::nullopt;
}

Expected<ActOutcome> quarantine_for_migration(const core::Config& config, const table::TableFacts& table,
                                              const std::string& run_id, const std::string& event_id,
                                              bool dry_run, Connection& sql, Waiter& waiter) {
  Ground ground{.story = table::JudgedRun(config, run_id, table.traits), .columns = {}};
  ActRequest request{.run_id = run_id, .finding_id = {}, .event_id = event_id, .dry_run = dry_run};
  if (auto error = begin_act(ground, config, table, request, sql, waiter)) return std::move(*error);
  const auto rows = rows_of(ground.story);
  if (std::ranges::find(rows, event_id, &quarantine::LogRow::id) == rows.end()) {
    return end(sql, waiter, false, {.kind = Kind::kUnknown, .event_id = event_id});
  }
  if (const auto why = quarantine::migration_refusal(rows, event_id, ground.story.slot_numbered())) {
    return end(sql, waiter, false, refused(*why, event_id));
  }
  if (dry_run) return end(sql, waiter, false, {.kind = Kind::kWouldBeDone, .event_id = event_id});
  std::vector<std::string_view> types(core::kDeduplicatedTypes.begin(), core::kDeduplicatedTypes.end());
  types.push_back(core::kAttributeType);
  const auto finding = migration_finding(config, ground.story, event_id);
  request.finding_id = core::finding_id_text(finding.id);
  return keep_row(config, table, ground, finding, request, sql, waiter, types);
}

Expected<ActOutcome> restore_row(const core::Config& config, const std::string& id, Connection& sql,
                                 Waiter& waiter) {
  if (auto begun = batch(sql, opening(), waiter); std::holds_alternative<Error>(begun)) {
    return std::get<Error>(std::move(begun));
  }
  auto found = read_entry(id, sql, waiter);
  if (auto* error = std::get_if<Error>(&found)) return std::move(*error);
  const auto& entry = std::get<Entry>(found);
  if (entry.columns.empty()) return end(sql, waiter, false, {.kind = Kind::kUnknown});
  ActOutcome outcome{.kind = Kind::kAlready, .entry = id, .event_id = entry.event_id};
  if (entry.restored) return end(sql, waiter, false, outcome);
  if (entry.action == "recorded") {
    return end(sql, waiter, false,
               refused("recorded", "the row was copied and never left the log", entry.event_id));
  }
  if (entry.table != config.profile.qualified_name()) {
    return end(sql, waiter, false,
               refused("other_table", "the row comes from another table: " + entry.table, entry.event_id));
  }
  // The lock of this statement keeps ALTER TABLE out between the look at the columns and the insert.
  auto locked =
      query(sql, "LOCK TABLE " + quoted_table(config.profile) + " IN ROW EXCLUSIVE MODE", {}, waiter);
  if (auto* error = std::get_if<Error>(&locked)) return std::move(*error);
  auto columns = query(sql, stored_columns_query(), {quoted_table(config.profile)}, waiter);
  if (auto* error = std::get_if<Error>(&columns)) return std::move(*error);
  auto kept = read_stored_columns(*std::get<Result>(columns));
  std::erase_if(kept, [&](const auto& column) { return !entry.columns.contains(column.name); });
  if (kept.size() != entry.columns.size()) {
    return end(sql, waiter, false,
               refused("column_missing", "the table has lost a column that the row has", entry.event_id));
  }
  const bool noop = entry.action == "neutralised";
  auto answer =
      query(sql, noop ? restore_noop_query(config.profile, kept) : restore_query(config.profile, kept), {id},
            waiter);
  if (auto* error = std::get_if<Error>(&answer)) {
    if (!postgres::violates_unique(*error)) return std::move(*error);
    return refused("collision", "a row with its key is in the table", entry.event_id);
  }
  const auto& result = *std::get<Result>(answer);
  if (postgres::row_count(result) == 0) {
    return end(sql, waiter, false,
               noop ? refused("changed", "the row is a noop no more", entry.event_id) : outcome);
  }
  if (postgres::cell(result, 0, 0) != "t") {
    return end(
        sql, waiter, false,
        refused("not_identical", "the row would not be what it was: a trigger or a changed type alters it",
                entry.event_id));
  }
  outcome.kind = Kind::kDone;
  return end(sql, waiter, true, outcome);
}

}  // namespace dupwatch::quarantine
