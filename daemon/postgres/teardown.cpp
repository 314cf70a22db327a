#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/postgres/dsn.hpp"
#include "daemon/postgres/error.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup.hpp"
#include "daemon/postgres/setup_blocks.hpp"

namespace dupwatch::postgres {
namespace {

/// Views of the configuration, or of constants.
struct Table {
  std::string_view schema;
  std::string_view name;

  [[nodiscard]] std::string quoted() const { return qualified(schema, name); }
  [[nodiscard]] std::string exists() const { return table_condition(schema, name); }
};

constexpr Table kQuarantine{.schema = "dupwatch", .name = "quarantine"};
constexpr Table kCircuit{.schema = "dupwatch", .name = "quarantine_circuit"};

/// The tables that `setup` made for dupwatch itself.
std::vector<Table> own_tables(const core::Config& config) {
  std::vector<Table> tables{kQuarantine, kCircuit};
  const auto& findings = config.findings;
  if (!findings.table_name.empty()) {
    tables.push_back({.schema = findings.table_schema, .name = findings.table_name});
  }
  return tables;
}

/// Every table that `setup` may have given the role a right on.
std::vector<Table> granted_tables(const core::Config& config) {
  const auto& profile = config.profile;
  std::vector<Table> tables{{.schema = profile.schema, .name = profile.table}};
  if (profile.runs) {
    const auto& runs = *profile.runs;
    for (const auto* name : {&runs.name, &runs.steps.name, &runs.waits.name}) {
      tables.push_back({.schema = runs.schema, .name = *name});
    }
  }
  for (const auto& table : own_tables(config)) tables.push_back(table);
  return tables;
}

/// Looks before anything is touched: one refusal, and nothing is removed.
std::string refusals(const core::Config& config, TeardownTables tables) {
  auto body = fmt::format(
      "  IF EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = {0} AND active AND"
      " database = current_database()) THEN\n"
      "    RAISE EXCEPTION 'the replication slot % is in use, so nothing is removed', {0}\n"
      "      USING HINT = 'Stop dupwatch, and a second instance that stands by.';\n  END IF;\n",
      quote_literal(config.slot.name));
  if (tables == TeardownTables::kDrop) {
    body += fmt::format(
        "  IF {} THEN\n    LOCK TABLE {}; -- so that no row comes in behind the count\n"
        "    SELECT count(*) INTO kept FROM {} WHERE restored_at IS NULL AND action <> 'recorded';\n"
        "    IF kept > 0 THEN\n"
        "      RAISE EXCEPTION 'dupwatch.quarantine holds the only copy of % rows of the log, so nothing is "
        "removed', kept\n"
        "        USING HINT = 'dupwatch quarantine list shows them and restore puts one back; setup "
        "--uninstall --drop-tables --discard-quarantined throws them away.';\n"
        "    END IF;\n  END IF;\n",
        kQuarantine.exists(), kQuarantine.quoted(), kQuarantine.quoted());
  }
  return do_block(body, "  kept bigint;\n");
}

std::string drop_tables(const core::Config& config) {
  std::string sql;
  std::vector<std::string_view> schemas;
  for (const auto& table : own_tables(config)) {
    sql += fmt::format("DROP TABLE IF EXISTS {};\n", table.quoted());
    if (std::find(schemas.begin(), schemas.end(), table.schema) == schemas.end()) {
      schemas.push_back(table.schema);
    }
  }
  // Of the quarantine's trigger, which went with its table.
  sql += "DROP FUNCTION IF EXISTS dupwatch.quarantine_check();\n";
  for (const auto schema : schemas) {
    sql += do_block(fmt::format(
        "  IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {} AND"
        " pg_catalog.obj_description(oid, 'pg_namespace') = {}) THEN\n    DROP SCHEMA {};\n  END IF;\n"
        "EXCEPTION WHEN dependent_objects_still_exist THEN\n"
        "  RAISE NOTICE 'the schema % is kept: there are other objects in it', {};\n",
        quote_literal(schema), quote_literal(kSetupMark), quote_identifier(schema), quote_literal(schema)));
  }
  return sql;
}

std::string drop_publication(const core::Config& config) {
  const auto& name = config.slot.publication;
  return do_block(fmt::format(
      "  IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {0} AND"
      " pg_catalog.obj_description(oid, 'pg_publication') = {1}) THEN\n    DROP PUBLICATION {2};\n"
      "  ELSIF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {0}) THEN\n"
      "    RAISE NOTICE 'the publication % was not made by setup: it stays', {0};\n  END IF;\n",
      quote_literal(name), quote_literal(kSetupMark), quote_identifier(name)));
}

/// Two blocks: a role that can't be dropped must not bring its rights back.
std::string drop_role(const core::Config& config) {
  const auto role = dsn_role(config);
  const auto who = quote_identifier(role);
  // A role that was there before may need its rights for other work, so only one that setup has made loses
  // them.
  const auto made_by_setup = fmt::format(
      "EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {} AND"
      " pg_catalog.shobj_description(oid, 'pg_authid') = {})",
      quote_literal(role), quote_literal(kSetupMark));
  std::string revokes;
  for (const auto& table : granted_tables(config)) {
    revokes += fmt::format(
        "  IF {} THEN\n    REVOKE ALL ON {} FROM {};\n    REVOKE USAGE ON SCHEMA {} FROM {};\n  END IF;\n",
        table.exists(), table.quoted(), who, quote_identifier(table.schema), who);
  }
  return do_block(fmt::format(
             "  IF NOT {0} THEN\n"
             "    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {1}) THEN\n"
             "      RAISE NOTICE 'the role % was not made by setup: it keeps its rights', {1};\n"
             "    END IF;\n    RETURN;\n  END IF;\n{2}"
             "  EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', current_database(), {1});\n",
             made_by_setup, quote_literal(role), revokes)) +
         do_block(
             fmt::format(
                 "  IF {} THEN\n    DROP ROLE {};\n  END IF;\n"
                 "EXCEPTION WHEN dependent_objects_still_exist THEN\n"
                 "  GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;\n"
                 "  RAISE NOTICE 'the role is kept, other objects or databases still need it: %', why;\n",
                 made_by_setup, who),
             "  why text;\n");
}

/// What a role that was there before has got from `setup`, for a person to take back.
std::string by_hand(const core::Config& config) {
  const auto who = quote_identifier(dsn_role(config));
  std::string sql =
      "-- A role that was there before setup keeps what setup gave it. By hand, where nothing else needs "
      "it:\n";
  for (const auto& table : granted_tables(config)) {
    sql += fmt::format("--   {}\n", one_line(fmt::format("REVOKE ALL ON {} FROM {};", table.quoted(), who)));
  }
  return sql +
         fmt::format("--   {}\n", one_line(fmt::format("ALTER ROLE {} NOREPLICATION NOBYPASSRLS;", who)));
}

std::string guard_notice(const core::Profile& profile) {
  return do_block(fmt::format(
      "  IF EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.tgname = 'dupwatch_guard' AND"
      " n.nspname = {} AND c.relname = {}) THEN\n"
      "    RAISE NOTICE 'the guard stays on the table; dupwatch guard remove takes it off';\n  END IF;\n",
      quote_literal(profile.schema), quote_literal(profile.table)));
}

}  // namespace

std::string teardown_sql(const core::Config& config, TeardownTables tables) {
  std::string sql =
      "-- dupwatch: undoes dupwatch setup, in one transaction: all of it or, with the reason, nothing. Stop "
      "dupwatch first.\n"
      "--   dupwatch setup --print-sql --uninstall | psql -v ON_ERROR_STOP=1 -d ...\n"
      "BEGIN;\nSET LOCAL lock_timeout = '5s';\n" +
      refusals(config, tables);
  // The role before the tables, whose schema may be one that stays.
  sql += drop_publication(config) + drop_role(config) + by_hand(config) + guard_notice(config.profile);
  if (tables == TeardownTables::kKeep) {
    sql +=
        "-- dupwatch.quarantine and the table of findings.table are evidence and stay; --drop-tables drops "
        "them.\n";
  } else {
    sql += drop_tables(config);
  }
  // Last: it can't be rolled back.
  return sql + fmt::format(
                   "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM "
                   "pg_catalog.pg_replication_slots"
                   " WHERE slot_name = {} AND database = current_database();\nCOMMIT;\n",
                   quote_literal(config.slot.name));
}

}  // namespace dupwatch::postgres
