#include "daemon/postgres/entity_queries.hpp"

#include <fmt/format.h>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/slot_number.hpp"

namespace dupwatch::postgres {
namespace {

constexpr std::string_view kReadable =
    "SELECT count(*) = $3::int FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = "
    "c.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = ANY ($4::text[]) AND NOT a.attisdropped"
    " AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')"
    " AND NOT pg_catalog.row_security_active(c.oid)";

Expected<bool> readable(Connection& sql, const std::string& schema, const std::string& table,
                        const std::vector<std::string>& columns, Waiter& waiter) {
  return ask_bool(sql, std::string(kReadable),
                  {schema, table, std::to_string(columns.size()), array_literal(columns)}, waiter);
}

std::string column(std::string_view alias, const std::string& name) {
  return fmt::format("{}.{}", alias, quote_identifier(name));
}

/// `r` is the runs table, restricted to $1 and $2.
std::string of_the_runs(const core::RunsTable& runs) {
  return fmt::format("{} = ANY ($1::text[]) AND {}::text = ANY ($2::text[])", column("r", runs.id_column),
                     column("r", runs.status_column));
}

std::string events_of(const core::Profile& profile, const std::string& entity, const std::string& types) {
  auto from = fmt::format("FROM {} e WHERE {} = {} AND {}::text IN ({})",
                          qualified(profile.schema, profile.table), column("e", profile.run_column),
                          column("r", profile.runs->id_column), column("e", profile.type_column), types);
  if (!entity.empty()) from += fmt::format(" AND {} = {}", column("e", profile.identity_columns[0]), entity);
  return from;
}

/// Rows of an entity table `t` of the runs `r`.
std::string from_entities(const core::RunsTable& runs, const core::EntityTable& table) {
  return fmt::format(" FROM {} t JOIN {} r ON {} = {} WHERE {}", qualified(runs.schema, table.name),
                     qualified(runs.schema, runs.name), column("r", runs.id_column),
                     column("t", table.run_column), of_the_runs(runs));
}

}  // namespace

Expected<ReadableTables> readable_tables(Connection& sql, const core::RunsTable& runs, Waiter& waiter) {
  ReadableTables out;
  const auto look = [&](bool& target, const std::string& table, const std::vector<std::string>& columns) {
    auto answer = readable(sql, runs.schema, table, columns, waiter);
    if (auto* error = std::get_if<Error>(&answer)) return std::optional(std::move(*error));
    target = std::get<bool>(answer);
    return std::optional<Error>{};
  };
  const auto entity = [&](bool& target, const core::EntityTable& table) {
    return look(target, table.name, {table.run_column, table.id_column, table.status_column});
  };
  if (auto error = look(out.runs, runs.name, {runs.id_column, runs.status_column})) return std::move(*error);
  if (auto error = entity(out.steps, runs.steps)) return std::move(*error);
  if (auto error = entity(out.waits, runs.waits)) return std::move(*error);
  return out;
}

std::string next_open_runs_query(const core::RunsTable& runs) {
  const auto id = column("r", runs.id_column);
  return fmt::format(
      "SELECT {0} FROM {1} r WHERE {0} > $1 AND {2}::text = ANY ($2::text[]) ORDER BY {0} LIMIT $3", id,
      qualified(runs.schema, runs.name), column("r", runs.status_column));
}

std::string orphan_runs_query(const core::Profile& profile) {
  const auto& runs = *profile.runs;
  return fmt::format("SELECT {}, '', 'run_created' FROM {} r WHERE {} AND NOT EXISTS (SELECT {}) LIMIT {}",
                     column("r", runs.id_column), qualified(runs.schema, runs.name), of_the_runs(runs),
                     events_of(profile, "", "'run_created'"), kEntityRowsMax);
}

std::string orphan_steps_query(const core::Profile& profile) {
  const auto& steps = profile.runs->steps;
  const auto id = column("t", steps.id_column);
  return fmt::format("SELECT {}, {}, 'step_created'{} AND NOT EXISTS (SELECT {}) LIMIT {}",
                     column("t", steps.run_column), id, from_entities(*profile.runs, steps),
                     events_of(profile, id, "'step_created'"), kEntityRowsMax);
}

std::string orphan_waits_query(const core::Profile& profile) {
  const auto& waits = profile.runs->waits;
  const auto run = column("t", waits.run_column);
  const auto id = fmt::format("substr({}, length({}) + 2)", column("t", waits.id_column), run);
  return fmt::format(
      "SELECT {}, {}, 'wait_completed'{} AND {}::text = 'completed' AND NOT EXISTS (SELECT {}) LIMIT {}", run,
      id, from_entities(*profile.runs, waits), column("t", waits.status_column),
      events_of(profile, id, "'wait_completed'"), kEntityRowsMax);
}

std::string stuck_steps_query(const core::Profile& profile) {
  const auto& steps = profile.runs->steps;
  const auto id = column("t", steps.id_column);
  return fmt::format(
      "SELECT {}, {}, 'step_started'{} AND {}::text = 'running' AND (SELECT count(*) {}) > 1"
      " AND NOT EXISTS (SELECT {}) LIMIT {}",
      column("t", steps.run_column), id, from_entities(*profile.runs, steps),
      column("t", steps.status_column), events_of(profile, id, "'step_started'"),
      events_of(profile, id, "'step_retrying', 'step_completed', 'step_failed'"), kEntityRowsMax);
}

namespace {

/// Of rows `e` that `from` and `where` choose.
std::string gaps_query(const core::Profile& profile, core::SpecSource specs, const std::string& from,
                       const std::string& where) {
  const auto id = column("e", profile.id_column);
  const RunKey key(profile);
  const auto table = qualified(profile.schema, profile.table);
  // A slot is 26 digits, its number far below 2^63. Slot 1 is run_created's and may be missing. Where another
  // id is among them no engine counts.
  return fmt::format(
      "SELECT {0}, id, coalesce(before, ''), {10} FROM (SELECT {6}, {1} AS id, right({1}, 18)::bigint AS "
      "slot,"
      " lag({1}) OVER runs AS before, lag(right({1}, 18)::bigint) OVER runs AS slot_before FROM {2} e{3}"
      " WHERE {4} AND {5}"
      " WINDOW runs AS (PARTITION BY {6} ORDER BY {1} COLLATE \"C\")) slots"
      " WHERE slot <> coalesce(slot_before, least(slot - 1, 1)) + 1"
      " AND NOT EXISTS (SELECT FROM {2} o WHERE {9} AND NOT {7}) LIMIT {8}",
      key.text("slots"), id, table, from, where, is_slot_number(id), key.columns("e"),
      is_slot_number(column("o", profile.id_column)), kEntityRowsMax, key.same("o", "slots"),
      spec_of_run(profile, specs, key.text("slots")));
}

}  // namespace

std::string slot_gaps_query(const core::Profile& profile, core::SpecSource specs) {
  const auto& runs = *profile.runs;
  return gaps_query(profile, specs,
                    fmt::format(" JOIN {} r ON {} = {}", qualified(runs.schema, runs.name),
                                column("r", runs.id_column), column("e", profile.run_column)),
                    of_the_runs(runs));
}

std::string slot_gaps_of_query(const core::Profile& profile, core::SpecSource specs, const KeyTypes& types) {
  std::vector<std::string> ends;
  for (const auto& type : profile.types) {
    if (type.ends_run) ends.push_back(type.name);
  }
  const RunKey key(profile, types);
  const auto ended =
      fmt::format("SELECT FROM {} z WHERE {} AND {}::text IN ({})", qualified(profile.schema, profile.table),
                  key.same("z", "e"), column("z", profile.type_column), quoted_list(ends, quote_literal));
  return gaps_query(profile, specs, "",
                    fmt::format("{} AND NOT EXISTS ({})", key.is_one_of("e", "$1"), ended));
}

}  // namespace dupwatch::postgres
