#include "daemon/table/repair_plan.hpp"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "daemon/postgres/quoting.hpp"

namespace dupwatch::table {
namespace {

using core::Rule;
using core::Severity;

/// The wait's only wait_created: core 4.2 replays a wait without it, 4.8.9 doesn't (measured).
bool is_irreparable(const core::Finding& finding) {
  return finding.rule == Rule::kLifecycleAfterClose && finding.type == "wait_created";
}

/// Rows whose removal heals a run with ULIDs, and that carry nothing another row does not (measured: deleting
/// the row with the larger id lets the run complete).
bool is_removable(const core::Finding& finding) {
  if (finding.severity != Severity::kFatal || !finding.shape || is_irreparable(finding)) return false;
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

/// Moves rows out of the log, keeping every column, in one transaction.
void move_rows(RepairPlan& plan, const core::Profile& profile, const std::string& run_id,
               const std::set<std::string>& ids) {
  const auto table = postgres::qualified(profile.schema, profile.table);
  const auto where =
      fmt::format("{} = {} AND {} IN ({})", postgres::quote_identifier(profile.run_column),
                  postgres::quote_literal(run_id), postgres::quote_identifier(profile.id_column),
                  postgres::quoted_list(ids, postgres::quote_literal));
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
                                          postgres::quote_literal(story.run_id())),
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

}  // namespace

std::string printed(const RepairStatement& statement) {
  return statement.text + ";" + (statement.note.empty() ? "" : "  -- " + statement.note);
}

RepairPlan repair_plan(const JudgedRun& story, const core::Profile& profile) {
  RepairPlan plan;
  std::set<std::string> ids;
  std::set<std::string> deliveries;
  std::set<std::string> irreparable;
  for (const auto& finding : story.findings()) {
    if (is_irreparable(finding)) irreparable.insert(finding.duplicate.id);
    if (is_removable(finding)) ids.insert(finding.duplicate.id);
    if (finding.rule == Rule::kDeliveryAfterDisposal) deliveries.insert(finding.duplicate.id);
  }
  const auto outcomes = other_outcomes(story);
  if (ids.empty() && outcomes.empty() && deliveries.empty() && irreparable.empty()) return plan;
  if (story.slot_numbered()) {
    plan.sentences.emplace_back(
        "Never delete a row of this run: its ids are slot numbers, and the engine refuses a log with a hole. "
        "Engines "
        "from 5.0.0-beta.42 on skip repeated events of a class: upgrade the workers.");
    return plan;
  }
  const auto end = story.end_type();
  if (!end.empty() && end != "run_failed") {
    plan.sentences.push_back(fmt::format("Nothing: the run has ended ({}) and is not replayed.", end));
    return plan;
  }
  if (!irreparable.empty()) {
    plan.sentences.push_back(fmt::format(
        "{}: the only wait_created of its wait, after the wait_completed. Newer engines replay the wait "
        "neither with it nor without: start the run again.",
        postgres::quoted_list(irreparable, [](const auto& id) { return id; })));
    return plan;
  }
  if (!outcomes.empty()) {
    plan.sentences.push_back(
        fmt::format("A step both completed and failed. Which outcome is right is not for a tool to say; "
                    "removing the later row "
                    "keeps the first: {}.",
                    outcomes));
  }
  if (!deliveries.empty()) {
    plan.sentences.push_back(
        fmt::format("Removing {} lets the run go on and loses the payload that was delivered.",
                    postgres::quoted_list(deliveries, [](const auto& id) { return id; })));
  }
  if (ids.empty()) return plan;
  plan.sentences.push_back(
      fmt::format("Move {} out of the log, as owner of the table. Replay does without {}.",
                  ids.size() == 1 ? "this row" : fmt::format("these {} rows", ids.size()),
                  ids.size() == 1 ? "it" : "them"));
  const bool failed = end == "run_failed" && profile.runs.has_value();
  if (failed) {
    for (const auto& event : story.events()) {
      if (event.type == "run_failed") ids.insert(event.id);
    }
  }
  move_rows(plan, profile, story.run_id(), ids);
  if (failed) reset_run(plan, story, *profile.runs);
  plan.sql.push_back({.text = "COMMIT"});
  return plan;
}

}  // namespace dupwatch::table
