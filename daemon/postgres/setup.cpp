#include "daemon/postgres/setup.hpp"

#include <fmt/format.h>

#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/dsn.hpp"
#include "daemon/postgres/findings_table.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup_blocks.hpp"

namespace dupwatch::postgres {
namespace {

// Managed services have no superuser to turn to.
constexpr std::string_view kRoleHint =
    "Making roles takes CREATEROLE. REPLICATION is given by a superuser alone before Postgres 16, and from "
    "16 on also by a role that has REPLICATION itself. Managed services have ways of their own: "
    "config/providers in dupwatch's documentation. A role that exists and may replicate is taken as it is.";

/// Comment text from the configuration: one line, whatever is in it.
std::string comment_text(const std::string& text) {
  return one_line(text);
}

std::string role_section(const std::string& role) {
  return "\n-- 1. The role. REPLICATION lets it read every row of every table of the cluster through a slot, "
         "whatever\n"
         "-- else it is granted: guard its login like the superuser's. No password is set here, so that none "
         "ends up in\n"
         "-- a file or log: set one in psql with \\password, or let it log in by certificate or peer.\n" +
         do_block(fmt::format(
             "  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {0}) THEN\n"
             "    CREATE ROLE {1} LOGIN;\n"
             "    COMMENT ON ROLE {1} IS {2};\n"
             "  END IF;\n"
             "  -- Amazon RDS and Aurora keep REPLICATION to themselves and give this role instead.\n"
             "  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication') THEN\n"
             "    GRANT rds_replication TO {1};\n"
             "  ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {0} AND (rolreplication OR "
             "rolsuper))"
             " THEN\n"
             "    ALTER ROLE {1} REPLICATION;\n"
             "  END IF;\n"
             "EXCEPTION WHEN insufficient_privilege THEN\n"
             "  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = SQLERRM, HINT = {3};\n",
             quote_literal(role), quote_identifier(role), quote_literal(kSetupMark),
             quote_literal(kRoleHint))) +
         "-- Row-level security that hides a row from this role would hide a duplicate. Who replicates reads "
         "every row\n"
         "-- anyway, so nothing is given away.\n" +
         do_block(fmt::format(
             "  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {0} AND (rolbypassrls OR "
             "rolsuper))"
             " THEN\n"
             "    ALTER ROLE {1} BYPASSRLS;\n"
             "  END IF;\n"
             "EXCEPTION WHEN insufficient_privilege THEN\n"
             "  RAISE NOTICE 'BYPASSRLS was not given: dupwatch refuses a table whose row-level security "
             "applies to "
             "its role';\n",
             quote_literal(role), quote_identifier(role)));
}

std::string event_columns(const core::Profile& profile) {
  // A grant on columns covers a system column only when it names it.
  return quoted_list(watched_columns(profile), quote_identifier) + ", ctid, xmin";
}

std::string runs_columns(const core::RunsTable& runs) {
  return quote_identifier(runs.id_column) + ", " + quote_identifier(runs.status_column);
}

std::string entity_columns(const core::EntityTable& table) {
  return quoted_list(std::vector<std::string>{table.run_column, table.id_column, table.status_column},
                     quote_identifier);
}

/// Of a column that older schemas do not have.
std::string spec_grant(const core::RunsTable& runs, const std::string& table, const std::string& who) {
  return do_block(fmt::format(
      "  IF EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass({}) AND "
      "a.attname = {}) THEN\n    GRANT SELECT ({}) ON {} TO {};\n  END IF;\n",
      quote_literal(table), quote_literal(runs.spec_column), quote_identifier(runs.spec_column), table, who));
}

std::string grants_section(const core::Profile& profile, const std::string& role) {
  const auto who = quote_identifier(role);
  auto sql =
      "\n-- 2. Reading. After a restart dupwatch reads the keys of events back, never a payload; xmin, the "
      "transaction\n"
      "-- that wrote a row, and ctid, its place, are named because a grant on columns leaves system columns "
      "out.\n" +
      do_block(
          fmt::format("  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), {});\n",
                      quote_literal(role))) +
      fmt::format("GRANT USAGE ON SCHEMA {} TO {};\n", quote_identifier(profile.schema), who) +
      fmt::format("GRANT SELECT ({}) ON {} TO {};\n", event_columns(profile),
                  qualified(profile.schema, profile.table), who);
  if (!profile.runs) return sql;
  const auto& runs = *profile.runs;
  sql += "-- Which runs are open: two columns, so that the first start need not read the whole log.\n" +
         do_block(fmt::format(
             "  IF {} THEN\n    GRANT USAGE ON SCHEMA {} TO {};\n    GRANT SELECT ({}) ON {} TO {};\n"
             "  END IF;\n",
             table_condition(runs.schema, runs.name), quote_identifier(runs.schema), who, runs_columns(runs),
             qualified(runs.schema, runs.name), who)) +
         "-- Which engine writes them, by the spec version of each run, and of the newest ones.\n" +
         spec_grant(runs, qualified(profile.schema, profile.table), who) +
         spec_grant(runs, qualified(runs.schema, runs.name), who) +
         "-- Steps and waits without their event, and steps that hang: keys and states, never a payload.\n";
  for (const auto* table : {&runs.steps, &runs.waits}) {
    sql += do_block(fmt::format("  IF {} THEN\n    GRANT SELECT ({}) ON {} TO {};\n  END IF;\n",
                                table_condition(runs.schema, table->name), entity_columns(*table),
                                qualified(runs.schema, table->name), who));
  }
  return sql;
}

std::string publication_section(const core::Config& config) {
  if (config.slot.plugin == core::PluginChoice::kWal2json) {
    return "\n-- 3. No publication: slot.plugin is wal2json, which needs none.\n";
  }
  const auto& profile = config.profile;
  const auto name = quote_identifier(config.slot.publication);
  auto sql =
      "\n-- 3. The publication, for the output plugin pgoutput. Inserts only: publishing updates or deletes "
      "would make the\n"
      "-- application's own UPDATE and DELETE fail whenever the replica identity is not among the columns.\n"
      "-- The price: while a column is listed it can't be dropped or change its type. A migration that does "
      "so has to\n"
      "-- drop the publication before and run this again after; dupwatch says when it is gone.\n" +
      do_block(fmt::format(
          "  IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = {}) THEN\n"
          "    RAISE NOTICE 'the publication exists and is left as it is; dupwatch check judges its shape';\n"
          "    RETURN;\n"
          "  ELSIF current_setting('server_version_num')::int >= 150000 THEN\n"
          "    EXECUTE {};\n"
          "  ELSE\n"
          "    -- Postgres 14 knows no column lists: whole rows are sent.\n"
          "    EXECUTE {};\n"
          "  END IF;\n"
          "  COMMENT ON PUBLICATION {} IS {};\n",
          quote_literal(config.slot.publication), quote_literal(create_publication_statement(config, true)),
          quote_literal(create_publication_statement(config, false)), name, quote_literal(kSetupMark)));
  const auto filter = row_filter(config);
  if (filter.empty()) return sql;
  return sql +
         fmt::format(
             "-- Optional, Postgres 15 and later: a row filter also leaves out the rows of types that no "
             "rule needs.\n"
             "-- It saves stream and walsender time where there are many; the price is that column {} "
             "can't change\n"
             "-- its type while the filter is there.\n"
             "-- ALTER PUBLICATION {} SET TABLE {} {};\n",
             comment_text(quote_identifier(profile.type_column)), comment_text(name),
             comment_text(published_table(config)), comment_text(filter));
}

std::string findings_section(const core::Config& config, const std::string& role) {
  if (config.findings.table_name.empty()) return {};
  return "\n-- The table that findings.table names: the newest state of every finding. Only dupwatch writes "
         "it; it "
         "may never\n-- delete from it nor change which run a finding is of.\n" +
         findings_table_sql(config.findings, role);
}

constexpr std::string_view kServerSection =
    "\n-- 4. The server, for a superuser to decide (as comments, because they count for every database). "
    "Managed services\n-- have switches of their own in the place of ALTER SYSTEM; dupwatch check names "
    "them.\n"
    "-- Logical decoding, needs a restart:\n"
    "--   ALTER SYSTEM SET wal_level = 'logical';\n"
    "-- A bound on the WAL that a slot may hold back while its reader is down. Beyond it the slot is lost "
    "and dupwatch\n"
    "-- says so, instead of the disk running full:\n"
    "--   ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();\n"
    "-- The slot itself is created by dupwatch run, and dropped by dupwatch drop.\n";

}  // namespace

std::vector<std::string> unique_columns(const core::Profile& profile) {
  auto columns = profile.scope_columns;
  columns.push_back(profile.run_column);
  columns.insert(columns.end(), profile.identity_columns.begin(), profile.identity_columns.end());
  if (!profile.type_column.empty()) columns.push_back(profile.type_column);
  return columns;
}

std::vector<std::string> needed_types(const core::Profile& profile) {
  return profile.any_type() ? std::vector<std::string>{} : profile.tracked_types();
}

std::string grant_statements(const core::Config& config) {
  const auto& profile = config.profile;
  const auto who = quote_identifier(dsn_role(config));
  auto sql = fmt::format("GRANT USAGE ON SCHEMA {} TO {}; GRANT SELECT ({}) ON {} TO {};",
                         quote_identifier(profile.schema), who, event_columns(profile),
                         qualified(profile.schema, profile.table), who);
  if (profile.runs) {
    sql += fmt::format(" GRANT SELECT ({}) ON {} TO {};", runs_columns(*profile.runs),
                       qualified(profile.runs->schema, profile.runs->name), who);
    for (const auto* table : {&profile.runs->steps, &profile.runs->waits}) {
      sql += fmt::format(" GRANT SELECT ({}) ON {} TO {};", entity_columns(*table),
                         qualified(profile.runs->schema, table->name), who);
    }
  }
  return sql;
}

std::string published_table(const core::Config& config) {
  const auto& profile = config.profile;
  return qualified(profile.schema, profile.table) + " (" +
         quoted_list(watched_columns(profile), quote_identifier) + ")";
}

std::string row_filter(const core::Config& config) {
  const auto types = needed_types(config.profile);
  if (types.empty() || config.profile.type_column.empty()) return {};
  // The cast is needed: on a varchar column the server takes IN for a call it does not allow in a filter.
  return fmt::format(" WHERE ({}::text IN ({}))", quote_identifier(config.profile.type_column),
                     quoted_list(types, quote_literal));
}

std::string create_publication_statement(const core::Config& config, bool with_columns) {
  const auto& profile = config.profile;
  return fmt::format(
      "CREATE PUBLICATION {} FOR TABLE {} WITH (publish = 'insert, truncate', publish_via_partition_root = "
      "true);",
      quote_identifier(config.slot.publication),
      with_columns ? published_table(config) : qualified(profile.schema, profile.table));
}

std::string setup_sql(const core::Config& config) {
  const auto role = dsn_role(config);
  return fmt::format(
             "-- dupwatch: what it needs to watch {}. May be run again. Run it in the table's database, as a "
             "superuser or\n"
             "-- as the table's owner with the right to create roles and publications:\n"
             "--   dupwatch setup --print-sql | psql -v ON_ERROR_STOP=1 -d ...\n",
             comment_text(config.profile.qualified_name())) +
         role_section(role) + grants_section(config.profile, role) + publication_section(config) +
         findings_section(config, role) + std::string{kServerSection};
}

}  // namespace dupwatch::postgres
