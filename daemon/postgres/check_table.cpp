#include <fmt/format.h>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/checks.hpp"
#include "daemon/postgres/entity_queries.hpp"
#include "daemon/postgres/form_faults.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/scan_queries.hpp"
#include "daemon/postgres/setup.hpp"

namespace dupwatch::postgres {
namespace {

std::string identity_text(const core::Profile& profile) {
  return "(" + quoted_list(unique_columns(profile), [](const std::string& name) { return name; }) + ")";
}

// The engine's own cure first. A bare unique index is never recommended: the writers of 4.1.1 take its error
// for a failure of the run.
std::string unique_index_cure(const core::Profile& profile) {
  if (profile.name != "workflow-devkit") {
    return "If the application handles SQLSTATE 23505: a unique index over these columns (NULLS NOT DISTINCT "
           "on Postgres "
           "15 and later, built CONCURRENTLY, after the existing duplicates are gone).";
  }
  return "Upgrade @workflow/world-postgres to 4.1.2 or later: its migration adds "
         "workflow_events_entity_creation_unique "
         "and its writers expect the conflict. Run `dupwatch audit --before-migration` first: the migration "
         "deletes "
         "all but the physically first row, which need not be the canonical one. Where the upgrade must "
         "wait, `dupwatch guard install` keeps them out. Do not add a unique index to 4.1.1 by hand.";
}

void check_runs_right(CheckContext& context, const std::string& grants) {
  const auto& table = *context.config.profile.runs;
  const auto runs = context.take("runs_right", can_read_runs(context.sql, table, context.waiter));
  if (!runs) return;
  context.add("runs_right", *runs ? Verdict::kPass : Verdict::kWarn,
              table.schema + "." + table.name +
                  (*runs ? " may be read"
                         : " may not be read: the first start looks for open runs in the log itself"),
              *runs ? std::string{} : grants);
}

void check_entity_rights(CheckContext& context, const std::string& grants) {
  const auto& runs = *context.config.profile.runs;
  const auto tables = context.take("entity_rights", readable_tables(context.sql, runs, context.waiter));
  if (!tables) return;
  const bool all = tables->runs && tables->steps && tables->waits;
  context.add("entity_rights", all ? Verdict::kPass : Verdict::kWarn,
              all ? runs.steps.name + " and " + runs.waits.name + " may be read"
                  : "not all of " + runs.name + ", " + runs.steps.name + " and " + runs.waits.name +
                        " may be read: stuck steps and orphans are not looked for there",
              all ? std::string{} : grants);
}

}  // namespace

void check_table(CheckContext& context) {
  const auto& profile = context.config.profile;
  auto found = context.take(
      "table", find_table(context.sql, profile, context.config.slot.publication, context.waiter));
  if (!found) return;
  for (const auto& problem : find_form_faults({.config = context.config}, *found)) {
    if (problem.fault == FormFault::kTableMissing || problem.fault == FormFault::kNotATable) {
      context.add("table", Verdict::kFail, problem.found, problem.fix);
      return;
    }
  }
  // No table is one of the faults above.
  if (!*found) return;
  const auto& table = context.table.emplace(std::move(**found));
  context.add("table", Verdict::kPass,
              profile.qualified_name() + (table.partitioned() ? " is partitioned" : " exists"));
  const auto missing = table.missing_columns();
  if (!missing.empty()) {
    context.add("columns", Verdict::kFail, "missing: " + quoted_list(missing, quote_identifier),
                "Correct table.scope_columns, run_column, id_column, identity_columns and type_column.");
    context.table.reset();
    return;
  }
  context.add("columns", Verdict::kPass,
              quoted_list(watched_columns(profile), [](const auto& name) { return name; }));
}

void check_table_form(CheckContext& context) {
  if (!context.table || !context.plugin) return;
  const auto before = context.report.lines.size();
  for (const auto& problem :
       find_form_faults({.config = context.config, .plugin = *context.plugin}, context.table)) {
    // check_publication has lines of its own for those.
    if (is_of_publication(problem.fault)) continue;
    context.add(std::string(to_string(problem.fault)), problem.refuses ? Verdict::kFail : Verdict::kWarn,
                problem.found, problem.fix);
  }
  if (context.report.lines.size() == before) {
    context.add("table_form", Verdict::kPass, "its rows are in the stream, and all of them can be read");
  }
}

void check_rights(CheckContext& context) {
  const auto& profile = context.config.profile;
  if (!context.table) return;
  const auto grants = grant_statements(context.config);
  const auto readable = context.take("select_right", has_select(context.sql, profile, context.waiter));
  if (!readable) return;
  if (!*readable) {
    context.add("select_right", Verdict::kFail, "the watched columns may not be read", grants);
    return;
  }
  context.add("select_right", Verdict::kPass, "the watched columns may be read");
  const auto xmin = context.take("xmin_right", has_select_on_xmin(context.sql, profile, context.waiter));
  if (!xmin) return;
  context.add(
      "xmin_right", *xmin ? Verdict::kPass : Verdict::kWarn,
      *xmin ? "the transaction ids of rows may be read"
            : "the transaction ids of rows may not be read: findings on rows that are read back lack them",
      *xmin ? std::string{} : grants);
  if (!profile.runs) return;
  if (context.config.baseline == core::Baseline::kActive) check_runs_right(context, grants);
  if (context.config.recheck.interval.count() != 0) check_entity_rights(context, grants);
}

void check_unique_index(CheckContext& context) {
  const auto& profile = context.config.profile;
  // No one index would do what rules do.
  if (!context.table || profile.has_rules()) return;
  const auto answer = context.query(
      "unique_index",
      "SELECT quote_ident(x.relname), i.indisvalid AND i.indisready, pg_get_expr(i.indpred, i.indrelid),"
      " coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false), quote_ident(n.nspname)"
      " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid"
      " JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace,"
      " LATERAL (SELECT array_agg(a.attname::text) AS names FROM unnest(i.indkey::int2[]) WITH ORDINALITY "
      "k(attnum, place)"
      " JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
      " WHERE k.place <= i.indnkeyatts) c"
      " WHERE i.indrelid = $1::oid AND i.indisunique AND i.indexprs IS NULL"
      " AND c.names @> $2::text[] AND c.names <@ $2::text[] ORDER BY 2 DESC",
      {std::to_string(context.table->oid), array_literal(unique_columns(profile))});
  if (!answer) return;
  if (row_count(*answer) == 0) {
    context.add("unique_index", Verdict::kWarn,
                "none on " + identity_text(profile) + ": duplicates can commit", unique_index_cure(profile));
    return;
  }
  const auto name = text_cell(*answer, 0, 0);
  if (cell(*answer, 0, 1) != "t") {
    context.add("unique_index", Verdict::kWarn,
                name + " is invalid: its build failed, so duplicates can commit",
                "DROP INDEX CONCURRENTLY " + text_cell(*answer, 0, 4) + "." + name +
                    "; remove the duplicates, then run the engine's migration again.");
    return;
  }
  const auto where = text_cell(*answer, 0, 2);
  const bool nulls_equal = cell(*answer, 0, 3) == "t";
  context.add("unique_index", Verdict::kPass,
              name + " prevents duplicates of " + identity_text(profile) +
                  (where.empty() ? "" : " WHERE " + where) +
                  (nulls_equal ? "" : "; rows with NULL in it are not covered"));
}

namespace {

/// As the query of check_primary_key() names the columns.
std::string run_and_id(const core::Profile& profile) {
  std::string out;
  for (const auto& name : profile.scope_columns) out += name + ",";
  return out + profile.run_column + "," + profile.id_column;
}

}  // namespace

void check_primary_key(CheckContext& context) {
  const auto& profile = context.config.profile;
  if (!context.table) return;
  const auto answer =
      context.query("primary_key",
                    "SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM pg_catalog.pg_index i, "
                    "unnest(i.indkey::int2[])"
                    " WITH ORDINALITY k(attnum, place) JOIN pg_catalog.pg_attribute a ON a.attrelid = "
                    "$1::oid AND a.attnum = k.attnum"
                    " WHERE i.indrelid = $1::oid AND i.indisprimary AND k.place <= i.indnkeyatts",
                    {std::to_string(context.table->oid)});
  if (!answer) return;
  const auto key = text_cell(*answer, 0, 0);
  const bool devkit = profile.name == "workflow-devkit";
  if (key == profile.id_column) {
    context.add("primary_key", Verdict::kPass, "(" + key + ")" + (devkit ? ": engine 4.x, ids by time" : ""));
  } else if (key == run_and_id(profile)) {
    context.add("primary_key", Verdict::kPass,
                "(" + key + ")" + (devkit ? ": engine 5.x, ids by place in the run" : ""));
  } else {
    context.add("primary_key", Verdict::kWarn,
                key.empty()
                    ? "none: two rows may have one id, and look like one row delivered twice"
                    : "(" + key + "): rows are told apart by run and id, which it may not keep unique",
                "Set table.id_column to a column that is unique within a run.");
  }
}

void check_engine(CheckContext& context) {
  const auto& config = context.config;
  if (!context.table || !config.profile.runs || config.rules.engine) return;
  const auto& runs = *config.profile.runs;
  const auto signs = context.take("engine", engine_signs(context.sql, config.profile, context.waiter));
  if (!signs) return;
  const auto engines = core::auto_engines(*signs);
  auto found = "auto takes runs with ULIDs for " + std::string(to_string(engines.ulids)) +
               " and runs with slot numbers for " + std::string(to_string(engines.slots)) + ": " +
               std::string(engines.why);
  if (engines.by_run != core::SpecSource::kNone) {
    found += "; a run with a spec version in " +
             (engines.by_run == core::SpecSource::kEvents ? config.profile.qualified_name()
                                                          : runs.schema + "." + runs.name) +
             " is taken for what that says";
  }
  if (engines.unreplayed) {
    context.add("engine", Verdict::kWarn, found + "; no verdict for it was replayed with the engine",
                "Say which generation it is with `engine:`, or look for a newer dupwatch.");
  } else if (signs->slot_table && (signs->spec_greatest == 0 || signs->specs == core::SpecSource::kNone)) {
    context.add("engine", Verdict::kWarn, found,
                "GRANT SELECT (" + quote_identifier(runs.spec_column) + ") ON " +
                    qualified(runs.schema, runs.name) +
                    " TO dupwatch's role, or say which generation it is "
                    "with `engine:`.");
  } else {
    context.add("engine", Verdict::kPass, found);
  }
}

}  // namespace dupwatch::postgres
