#include "daemon/app/quarantine_act.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include "daemon/app/run_story.hpp"
#include "daemon/postgres/quarantine_queries.hpp"
#include "daemon/quarantine/eligibility.hpp"

namespace dupwatch::app {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Expected;
using postgres::Result;
using postgres::Waiter;
using Kind = ActOutcome::Kind;

// The server's statement_timeout of 5 s speaks first.
constexpr std::chrono::seconds kAnswerTimeout{10};

Expected<Result> query(Connection& sql, const std::string& text, const Connection::Params& params,
                       Waiter& waiter) {
  return sql.execute(text, params, waiter, kAnswerTimeout);
}

/// Short timeouts: an application that waits for a lock of ours would be worse than a row that stays.
std::optional<Error> begin(Connection& sql, Waiter& waiter) {
  for (const auto* text :
       {"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        // The last is for restore: the guard on the table would drop the row a second time.
        "SELECT set_config('lock_timeout', '500ms', true), set_config('statement_timeout', '5s', true),"
        " set_config('dupwatch.guard', 'off', true)"}) {
    auto answer = query(sql, text, {}, waiter);
    if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  }
  return std::nullopt;
}

Expected<ActOutcome> end(Connection& sql, Waiter& waiter, bool commit, ActOutcome outcome) {
  auto answer = query(sql, commit ? "COMMIT" : "ROLLBACK", {}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  return outcome;
}

/// The run as it is now.
std::optional<Error> read_story(RunStory& story, const core::Config& config, const TableGround& ground,
                                Connection& sql, Waiter& waiter) {
  auto rows = postgres::run_rows_query(sql, config.profile, ground.run_type, waiter);
  if (auto* error = std::get_if<Error>(&rows)) return std::move(*error);
  auto answer = query(sql, std::get<std::string>(rows), {story.run_id()}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  for (int i = 0; i < postgres::row_count(result); ++i) story.add(result, i);
  story.judge();
  return std::nullopt;
}

ActOutcome refused(std::string_view reason, std::string_view explanation, std::string event_id) {
  return {.kind = Kind::kRefused,
          .event_id = std::move(event_id),
          .reason = std::string(reason),
          .explanation = std::string(explanation)};
}

/// A finding that the log does not show any more may have been dealt with by an earlier act.
Expected<ActOutcome> look_for_entry(const core::Config& config, const std::string& run_id,
                                    const std::string& finding_id, Connection& sql, Waiter& waiter) {
  auto answer = query(sql, postgres::quarantine_removed_query(),
                      {config.profile.qualified_name(), run_id, finding_id}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (postgres::row_count(result) == 0) return end(sql, waiter, false, {.kind = Kind::kUnknown});
  return end(sql, waiter, false,
             {.kind = Kind::kAlready,
              .entry = std::string(postgres::cell(result, 0, 0).value_or("")),
              .event_id = std::string(postgres::cell(result, 0, 1).value_or(""))});
}

Expected<ActOutcome> move_row(const core::Config& config, const TableGround& ground,
                              const core::Finding& finding, Connection& sql, Waiter& waiter) {
  auto columns = postgres::stored_columns(sql, config.profile, waiter);
  if (auto* error = std::get_if<Error>(&columns)) return std::move(*error);
  const auto act = postgres::quarantine_act(config.profile, ground.run_type,
                                            std::get<std::vector<postgres::StoredColumn>>(columns));
  auto answer = query(sql, act,
                      {finding.run_id, finding.duplicate.id, core::finding_id_text(finding.id),
                       std::string(core::to_string(finding.rule)), core::to_json(finding), finding.table},
                      waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  if (postgres::row_count(result) != 1) {
    return end(
        sql, waiter, false,
        refused("changed",
                "the log changed meanwhile: the row is gone, its canonical row is, or the run has ended",
                finding.duplicate.id));
  }
  return end(sql, waiter, true,
             {.kind = Kind::kDone,
              .entry = std::string(postgres::cell(result, 0, 0).value_or("")),
              .event_id = finding.duplicate.id});
}

struct Entry {
  std::string table;
  std::string event_id;
  bool restored = false;
  std::set<std::string, std::less<>> columns;
};

/// No columns: there is no such entry.
Expected<Entry> read_entry(const std::string& id, Connection& sql, Waiter& waiter) {
  auto answer = query(sql, postgres::quarantine_entry_query(), {id}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  Entry entry;
  for (int i = 0; i < postgres::row_count(result); ++i) {
    entry.columns.emplace(postgres::cell(result, i, 0).value_or(""));
    entry.table = postgres::cell(result, i, 1).value_or("");
    entry.event_id = postgres::cell(result, i, 3).value_or("");
    entry.restored = postgres::cell(result, i, 4) == "true";
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

Expected<ActOutcome> quarantine_row(const core::Config& config, const TableGround& ground,
                                    const std::string& run_id, const std::string& finding_id, bool dry_run,
                                    Connection& sql, Waiter& waiter) {
  if (auto error = begin(sql, waiter)) return std::move(*error);
  auto locked =
      query(sql, postgres::quarantine_lock_query(), {config.profile.qualified_name(), run_id}, waiter);
  if (auto* error = std::get_if<Error>(&locked)) return std::move(*error);
  RunStory story(config, run_id, ground.ulid_engine);
  if (auto error = read_story(story, config, ground, sql, waiter)) return std::move(*error);
  const auto finding = std::ranges::find_if(
      story.findings(), [&](const auto& f) { return core::finding_id_text(f.id) == finding_id; });
  if (finding == story.findings().end()) return look_for_entry(config, run_id, finding_id, sql, waiter);
  if (const auto why = quarantine::refusal(*finding, story.slot_numbered())) {
    return end(sql, waiter, false,
               refused(quarantine::to_string(*why), quarantine::explanation(*why), finding->duplicate.id));
  }
  if (dry_run) {
    return end(sql, waiter, false, {.kind = Kind::kWouldBeDone, .event_id = finding->duplicate.id});
  }
  return move_row(config, ground, *finding, sql, waiter);
}

Expected<ActOutcome> restore_row(const core::Config& config, const std::string& id, Connection& sql,
                                 Waiter& waiter) {
  if (auto error = begin(sql, waiter)) return std::move(*error);
  auto found = read_entry(id, sql, waiter);
  if (auto* error = std::get_if<Error>(&found)) return std::move(*error);
  const auto& entry = std::get<Entry>(found);
  if (entry.columns.empty()) return end(sql, waiter, false, {.kind = Kind::kUnknown});
  ActOutcome outcome{.kind = Kind::kAlready, .entry = id, .event_id = entry.event_id};
  if (entry.restored) return end(sql, waiter, false, outcome);
  if (entry.table != config.profile.qualified_name()) {
    return end(sql, waiter, false,
               refused("other_table", "the row comes from another table: " + entry.table, entry.event_id));
  }
  // The lock of this statement keeps ALTER TABLE out between the look at the columns and the insert.
  auto locked = query(sql, "LOCK TABLE " + postgres::quoted_table(config.profile) + " IN ROW EXCLUSIVE MODE",
                      {}, waiter);
  if (auto* error = std::get_if<Error>(&locked)) return std::move(*error);
  auto columns = postgres::stored_columns(sql, config.profile, waiter);
  if (auto* error = std::get_if<Error>(&columns)) return std::move(*error);
  auto& kept = std::get<std::vector<postgres::StoredColumn>>(columns);
  std::erase_if(kept, [&](const auto& column) { return !entry.columns.contains(column.name); });
  if (kept.size() != entry.columns.size()) {
    return end(sql, waiter, false,
               refused("column_missing", "the table has lost a column that the row has", entry.event_id));
  }
  auto answer = query(sql, postgres::quarantine_restore(config.profile, kept), {id}, waiter);
  if (auto* error = std::get_if<Error>(&answer)) {
    if (error->sqlstate != "23505") return std::move(*error);
    return refused("collision", "a row with its key is in the table", entry.event_id);
  }
  const auto& result = *std::get<Result>(answer);
  if (postgres::row_count(result) == 0) return end(sql, waiter, false, outcome);
  if (postgres::cell(result, 0, 0) != "t") {
    return end(
        sql, waiter, false,
        refused("not_identical", "the row would not be what it was: a trigger or a changed type alters it",
                entry.event_id));
  }
  outcome.kind = Kind::kDone;
  return end(sql, waiter, true, outcome);
}

}  // namespace dupwatch::app
