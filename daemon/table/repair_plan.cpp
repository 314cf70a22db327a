#include "daemon/table/repair_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/run_key.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::table {
namespace {

using core::Rule;
using core::Severity;
using RowIds = JudgedRun::RowIds;

/// Rows whose removal heals a run with ULIDs, and that carry nothing another row does not (measured: deleting
/// the row with the larger id lets the run complete).
bool is_removable(const core::Finding& finding) {
  if (finding.severity != Severity::kFatal || !finding.shape || core::is_beyond_repair(finding)) return false;
  switch (core::rule_case(finding.rule, *finding.shape).removal) {
    case core::Removal::kHeals:
    case core::Removal::kByHand:
    case core::Removal::kFirstOfClass:
      return true;
    case core::Removal::kOutcome:
    case core::Removal::kNever:
      return false;
  }
  return false;
}

/// The rows of the run, for people to read and run.
std::string run_condition(const core::Profile& profile, const std::string& run_id) {
  const auto values =
      core::split_run_key(run_id, profile.scope_columns.size()).value_or(std::vector<std::string>{run_id});
  std::string out;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    out += fmt::format("{} = {} AND ", postgres::quote_identifier(profile.scope_columns[i]),
                       postgres::printed_literal(values[i]));
  }
  return out + fmt::format("{} = {}", postgres::quote_identifier(profile.run_column),
                           postgres::printed_literal(values.back()));
}

/// Moves rows out of the log, keeping every column, in one transaction.
void move_rows(RepairPlan& plan, const core::Profile& profile, const std::string& run_id, const RowIds& ids) {
  const auto table = postgres::qualified(profile.schema, profile.table);
  const auto where = fmt::format("{} AND {} IN ({})", run_condition(profile, run_id),
                                 postgres::quote_identifier(profile.id_column),
                                 postgres::quoted_list(ids, postgres::printed_literal));
  plan.sql.push_back({.text = "BEGIN"});
  plan.sql.push_back(
      {.text = fmt::format("CREATE TABLE IF NOT EXISTS public.dupwatch_removed (LIKE {} INCLUDING DEFAULTS)",
                           table)});
  plan.sql.push_back(
      {.text = fmt::format("INSERT INTO public.dupwatch_removed SELECT * FROM {} WHERE {}", table, where)});
  plan.sql.push_back({.text = fmt::format("DELETE FROM {} WHERE {}", table, where),
                      .note = fmt::format("must say DELETE {}, else ROLLBACK", ids.size()),
                      .rows = ids.size()});
}

/// A run that has failed needs more than its log mended.
void reset_run(RepairPlan& plan, const JudgedRun& story, const core::RunsTable& runs) {
  plan.sql.push_back({.text = fmt::format("UPDATE {} SET status = 'running', completed_at = NULL, error = "
                                          "NULL, error_cbor = NULL WHERE {} = {}",
                                          postgres::qualified(runs.schema, runs.name),
                                          postgres::quote_identifier(runs.id_column),
                                          postgres::printed_literal(story.run_id())),
                      .note = "not started_at: it seeds the ids",
                      .rows = 1});
  plan.sentences.emplace_back(
      "The run has failed already: its run_failed event goes too, and its row in workflow_runs is reset, "
      "else the "
      "next replay stops at once.");
  const auto hooks = story.open_entities("hook");
  const auto waits = story.open_entities("wait");
  if (!hooks.empty() || !waits.empty()) {
    plan.sentences.push_back(fmt::format(
        "The failure deleted the rows of {} open hooks and {} open waits from workflow_hooks and "
        "workflow_waits. "
        "They must be put back by hand from a backup, or resuming ends in HookNotFound or \"Wait not "
        "found\": {}.",
        hooks.size(), waits.size(), postgres::quoted_list(hooks.empty() ? waits : hooks, [](const auto& id) {
          return std::string(id);
        })));
  }
  plan.sentences.emplace_back(
      "Afterwards restart one worker process: at its start it queues every pending and running run again. "
      "Make sure "
      "that no other process works on the run meanwhile.");
}

/// Closing rows that sort before the row that begins their entity (the clock of who wrote them was behind),
/// where another of the same type sorts after it: without the first of the two the run replays (measured),
/// without the second it dies.
RowIds misplaced_closings(const JudgedRun& story, const core::Profile& profile) {
  RowIds out;
  const auto& events = story.events();  // in the order of their ids
  for (auto first = events.begin(); first != events.end(); ++first) {
    const auto type = profile.find_type(first->type);
    if (!type || !profile.types[*type].closes || !first->correlation_id) continue;
    const auto opens = [&](const JudgedRun::Event& event) {
      const auto other = profile.find_type(event.type);
      return other && profile.types[*other].opens && event.identity == first->identity;
    };
    if (std::any_of(events.begin(), first, opens)) continue;
    const auto opening = std::find_if(first, events.end(), opens);
    const bool again = std::any_of(opening, events.end(), [&](const JudgedRun::Event& event) {
      return event.type == first->type && event.identity == first->identity;
    });
    if (again) out.insert(first->id);
  }
  return out;
}

/// Rows without which the log is judged to have nothing fatal in it, the run's failure left out; empty: no
/// such rows are known.
RowIds rows_whose_removal_heals(const JudgedRun& story, const core::Profile& profile,
                                const RowIds& failures) {
  auto rows = misplaced_closings(story, profile);
  for (;;) {
    auto gone = rows;
    gone.insert(failures.begin(), failures.end());
    const JudgedRun after(story, gone, JudgedRun::Rewrite::kRemoved);
    const auto before = rows.size();
    for (const auto& finding : after.findings()) {
      if (is_removable(finding)) rows.insert(finding.duplicate.id);
    }
    if (rows.size() != before) continue;
    return after.fails() ? RowIds{} : rows;
  }
}

/// Where the engine reads one in any place, a noop keeps the slot.
std::string noop_advice(const JudgedRun& story) {
  if (!core::reads_noop(story.engine()) || !story.end_type().empty()) return {};
  RowIds rows;
  std::string findings;
  for (const auto& finding : story.findings()) {
    if (!is_removable(finding)) continue;
    rows.insert(finding.duplicate.id);
    findings += (findings.empty() ? "" : ", ") + core::finding_id_text(finding.id);
  }
  if (rows.empty() || JudgedRun(story, rows, JudgedRun::Rewrite::kNoop).fails()) return {};
  return fmt::format(
      "Judged again with a noop in the place of {}, the log has nothing fatal left; core 5.0.0-beta.55 "
      "replays such a log, engines before 5.0.0-beta.47 fail on a noop. With `engine: v5` in the "
      "configuration: `dupwatch quarantine apply RUN_ID FINDING --neutralise noop`, FINDING is {}.",
      rows.size() == 1 ? "the row" : fmt::format("{} rows", rows.size()), findings);
}

std::string other_outcomes(const JudgedRun& story) {
  std::string ids;
  for (const auto& finding : story.findings()) {
    const bool outcome =
        finding.shape && core::rule_case(finding.rule, *finding.shape).removal == core::Removal::kOutcome;
    if (!outcome || finding.severity != Severity::kFatal) continue;
    ids +=
        fmt::format("{}{} (first: {})", ids.empty() ? "" : ", ", finding.duplicate.id, finding.canonical.id);
  }
  return ids;
}

/// What a person has to know or to decide, whatever is done.
struct Decisions {
  RowIds deliveries;
  RowIds beyond_repair;
  std::string outcomes;
  bool hook_created = false;
};

Decisions decisions(const JudgedRun& story) {
  Decisions out;
  out.outcomes = other_outcomes(story);
  for (const auto& finding : story.findings()) {
    if (core::is_beyond_repair(finding)) out.beyond_repair.insert(finding.duplicate.id);
    if (finding.rule == Rule::kDeliveryAfterDisposal) out.deliveries.insert(finding.duplicate.id);
    out.hook_created = out.hook_created ||
                       (finding.type == "hook_created" && finding.shape == core::Shape::kFirstAfterClose);
  }
  return out;
}

std::string listed(const RowIds& ids) {
  return postgres::quoted_list(ids, [](const auto& id) { return id; });
}

void say_decisions(RepairPlan& plan, const Decisions& open) {
  if (!open.outcomes.empty()) {
    plan.sentences.push_back(
        fmt::format("A step both completed and failed. Which outcome is right is not for a tool to say; "
                    "removing the later row "
                    "keeps the first: {}.",
                    open.outcomes));
  }
  if (!open.deliveries.empty()) {
    plan.sentences.push_back(fmt::format(
        "Removing {} lets the run go on and loses the payload that was delivered.", listed(open.deliveries)));
  }
}

/// On the removal of `rows`, with what its healing rests on.
std::string removal_advice(const RowIds& rows, const core::Profile& profile) {
  const bool one = rows.size() == 1;
  return fmt::format(
      "Move {} out of the log, as owner of the table. Judged again without {}, the log has "
      "nothing fatal left; {}.",
      one ? "this row" : fmt::format("these {} rows", rows.size()), one ? "it" : "them",
      profile.slot_ids ? "cores 4.2.4 and 4.8.9 replay such a log"
                       : "no engine was asked: these are the configured rules alone");
}

}  // namespace

std::string printed(const RepairStatement& statement) {
  return statement.text + ";" + (statement.note.empty() ? "" : "  -- " + statement.note);
}

RepairPlan repair_plan(const JudgedRun& story, const core::Profile& profile) {
  RepairPlan plan;
  const auto open = decisions(story);
  const bool removable = std::ranges::any_of(story.findings(), is_removable);
  if (!removable && open.outcomes.empty() && open.deliveries.empty() && open.beyond_repair.empty())
    return plan;
  if (story.slot_numbered()) {
    plan.sentences.emplace_back(
        "Never delete a row of this run: its ids are slot numbers, and the engine refuses a log with a hole. "
        "Engines "
        "from 5.0.0-beta.42 on skip repeated events of a class: upgrade the workers.");
    if (auto advice = noop_advice(story); !advice.empty() && profile.scope_columns.empty())
      plan.sentences.push_back(std::move(advice));
    return plan;
  }
  const auto end = story.end_type();
  if (!end.empty() && end != "run_failed") {
    plan.sentences.push_back(fmt::format("Nothing: the run has ended ({}) and is not replayed.", end));
    return plan;
  }
  if (!open.beyond_repair.empty()) {
    plan.sentences.push_back(fmt::format(
        "{}: the only wait_created of its wait, after the wait_completed. Newer engines replay the wait "
        "neither with it nor without: start the run again.",
        listed(open.beyond_repair)));
    return plan;
  }
  say_decisions(plan, open);
  if (!removable) return plan;
  const bool failed = end == "run_failed" && profile.runs.has_value();
  RowIds failures;
  for (const auto& event : story.events()) {
    if (failed && event.type == "run_failed") failures.insert(event.id);
  }
  auto rows = rows_whose_removal_heals(story, profile, failures);
  if (rows.empty()) {
    plan.sentences.emplace_back(
        "No rows are known whose removal leaves nothing fatal in the log: there is no SQL for it.");
    return plan;
  }
  plan.sentences.push_back(removal_advice(rows, profile));
  if (open.hook_created) {
    plan.sentences.emplace_back(
        "A hook_created goes: where the workflow calls getConflict() on that hook, core 4.8.9 does not "
        "replay "
        "the log without it either.");
  }
  rows.insert(failures.begin(), failures.end());
  move_rows(plan, profile, story.run_id(), rows);
  plan.rows = std::move(rows);
  if (failed) reset_run(plan, story, *profile.runs);
  plan.sql.push_back({.text = "COMMIT"});
  return plan;
}

}  // namespace dupwatch::table
