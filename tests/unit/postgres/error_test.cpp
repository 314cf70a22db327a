#include "daemon/postgres/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace dupwatch::postgres::error_test {
namespace {

struct Example {
  Stage stage;
  const char* sqlstate;
  const char* message;
  Fault fault;
  const char* reason;
  /// What the remedy must name.
  const char* remedy;
};

constexpr auto kTransient = Fault::kTransient;
constexpr auto kOperator = Fault::kNeedsOperator;
constexpr auto kLost = Fault::kSlotLost;

// Texts of the servers 14 to 18 and of libpq, one example at least for each row of the table.
const std::vector<Example>& examples() {
  static const std::vector<Example> all = {
      {Stage::kConnect, "08P01", "FATAL: unsupported startup parameter: replication", kOperator, "pooler",
       "direct host"},
      {Stage::kConnect, "08P01", "FATAL: unsupported startup parameter in options: lock_timeout", kOperator,
       "pooler", "direct host"},
      {Stage::kQuery, "42601", "syntax error at or near \"IDENTIFY_SYSTEM\"", kOperator, "pooler", "direct"},
      {Stage::kCreateSlot, "42601", "syntax error at or near \"CREATE_REPLICATION_SLOT\"", kOperator,
       "pooler", "direct"},
      {Stage::kStartReplication, "42601", "syntax error at or near \"START_REPLICATION\"", kOperator,
       "pooler", "direct"},
      {Stage::kConnect, "28P01", "password authentication failed for user \"d\"", kOperator, "wrong_password",
       "PGPASSFILE"},
      {Stage::kConnect, "28P01", "Passwort-Authentifizierung für Benutzer »d« fehlgeschlagen", kOperator,
       "wrong_password", "\\password"},
      {Stage::kConnect, "", "connection failed: fe_sendauth: no password supplied", kOperator,
       "wrong_password", "PGPASSFILE"},
      {Stage::kConnect, "28000",
       "no pg_hba.conf entry for host \"127.0.0.1\", user \"d\", database \"wf\", no encryption", kOperator,
       "auth_refused", "sslmode=require"},
      {Stage::kConnect, "28000", "pg_hba.conf rejects connection for host \"127.0.0.1\", SSL encryption",
       kOperator, "auth_refused", "pg_reload_conf"},
      {Stage::kConnect, "28000", "role \"d\" does not exist", kOperator, "unknown_role", "CREATE ROLE"},
      {Stage::kConnect, "28000", "role \"d\" is not permitted to log in", kOperator, "role_without_login",
       "LOGIN"},
      {Stage::kConnect, "28000", "Rolle »d« existiert nicht", kOperator, "auth_refused", "pg_hba.conf"},
      {Stage::kConnect, "3D000", "database \"nope\" does not exist", kOperator, "unknown_database", "dbname"},
      {Stage::kConnect, "42501", "must be superuser or replication role to start walsender", kOperator,
       "no_replication_right", "ALTER ROLE <role> REPLICATION"},
      {Stage::kConnect, "42501", "permission denied to start WAL sender", kOperator, "no_replication_right",
       "rds_replication"},
      {Stage::kCreateSlot, "42501", "permission denied to use replication slots", kOperator,
       "no_replication_right", "REPLICATION"},
      {Stage::kQuery, "42501", "must be superuser or replication role to use replication slots", kOperator,
       "no_replication_right", "REPLICATION"},
      {Stage::kConnect, "42501", "permission denied for database \"wf\"", kOperator, "no_connect_right",
       "GRANT CONNECT"},
      {Stage::kQuery, "42501", "query would be affected by row-level security policy for table \"events\"",
       kOperator, "row_security", "BYPASSRLS"},
      {Stage::kQuery, "42501", "permission denied for schema workflow", kOperator, "no_select_right",
       "setup"},
      {Stage::kConnect, "53300",
       "number of requested standby connections exceeds max_wal_senders (currently 0)", kOperator,
       "senders_exhausted", "max_wal_senders = 10"},
      {Stage::kConnect, "53300",
       "number of requested standby connections exceeds \"max_wal_senders\" (currently 4)", kTransient,
       "senders_exhausted", "pg_stat_replication"},
      {Stage::kConnect, "53300", "sorry, too many clients already", kTransient, "too_many_connections",
       "max_connections"},
      {Stage::kConnect, "53300", "too many connections for role \"d\"", kTransient, "too_many_connections",
       "CONNECTION LIMIT"},
      {Stage::kCreateSlot, "53400", "all replication slots are in use", kOperator, "slots_exhausted",
       "max_replication_slots"},
      {Stage::kStream, "53100", "could not write to file: No space left on device", kTransient,
       "server_disk_full", "disk"},
      {Stage::kStream, "", "out of memory", kTransient, "payload_too_large", "payload"},
      {Stage::kStream, "", "cannot allocate memory for input buffer", kTransient, "payload_too_large",
       "payload"},
      {Stage::kQuery, "53200", "out of memory", kTransient, "server_out_of_resources", "log"},
      {Stage::kConnect, "57P03", "the database system is starting up", kTransient, "server_starting",
       "again"},
      {Stage::kStream, "57P01", "terminating connection due to administrator command", kTransient,
       "terminated", "invalidated"},
      {Stage::kStream, "57P02", "terminating connection because of crash of another server process",
       kTransient, "server_crashed", "again"},
      {Stage::kQuery, "57P05", "terminating connection due to idle-session timeout", kTransient,
       "server_stopped_us", "again"},
      {Stage::kCreateSlot, "55P03", "canceling statement due to lock timeout", kTransient,
       "slot_creation_blocked", "pg_stat_activity"},
      {Stage::kCreateSlot, "57014", "canceling statement due to user request", kTransient,
       "slot_creation_blocked", "pg_stat_activity"},
      {Stage::kQuery, "55P03", "canceling statement due to lock timeout", kTransient, "lock_timeout", "lock"},
      {Stage::kQuery, "57014", "canceling statement due to statement timeout", kTransient,
       "statement_timeout", "statement_timeout"},
      {Stage::kStartReplication, "55006", "replication slot \"s1\" is active for PID 3361", kTransient,
       "slot_in_use", "slot.name"},
      {Stage::kCreateSlot, "42710", "replication slot \"s1\" already exists", kTransient, "slot_exists",
       "created"},
      {Stage::kStream, "42704", "publication \"dupwatch\" does not exist", kOperator, "publication_missing",
       "setup"},
      {Stage::kStartReplication, "42704", "publication \"dupwatch\" does not exist", kOperator,
       "publication_missing", "setup"},
      {Stage::kStartReplication, "42704", "replication slot \"s1\" does not exist", kOperator, "slot_missing",
       "\"s1\" does not exist"},
      {Stage::kStartReplication, "42704", "Replikations-Slot »s1« existiert nicht", kOperator, "slot_missing",
       "slot.create"},
      {Stage::kCreateSlot, "55000", "logical decoding requires wal_level >= logical", kOperator,
       "not_logical", "ALTER SYSTEM SET wal_level = 'logical'"},
      {Stage::kCreateSlot, "55000", "logical decoding requires \"wal_level\" >= \"logical\"", kOperator,
       "not_logical", "wal_level"},
      {Stage::kStartReplication, "55000", "replication slot \"s1\" was not created in this database",
       kOperator, "slot_wrong_database", "\"s1\""},
      {Stage::kStream, "55000",
       "replication slot \"sb\" specified in parameter \"synchronized_standby_slots\" does not have "
       "active_pid",
       kTransient, "standby_behind", "synchronized_standby_slots"},
      {Stage::kStream, "55000",
       "replication slot \"sb\" specified in parameter standby_slot_names does not exist", kTransient,
       "standby_behind", "standby_slot_names"},
      {Stage::kStartReplication, "55000", "cannot use physical replication slot for logical decoding",
       kOperator, "slot_wrong_kind", "slot.name"},
      {Stage::kStartReplication, "55000",
       "cannot use replication slot \"s\" for logical decoding; detail: This replication slot is being "
       "synchronized from "
       "the primary server.",
       kTransient, "slot_synced", "primary"},
      {Stage::kQuery, "55000", "cannot drop replication slot \"s\" that is synced from the primary",
       kTransient, "slot_synced", "primary"},
      {Stage::kStartReplication, "55000", "cannot read from logical replication slot \"x\"", kLost,
       "slot_lost", "max_slot_wal_keep_size"},
      {Stage::kStartReplication, "55000", "can no longer get changes from replication slot \"s\"", kLost,
       "slot_lost", "dupwatch drop"},
      {Stage::kStartReplication, "55000", "can no longer access replication slot \"s\"", kLost, "slot_lost",
       "dupwatch drop"},
      {Stage::kStream, "55000", "slot has been invalidated due to \"wal_removed\"", kLost, "slot_lost",
       "dupwatch drop"},
      {Stage::kStream, "58P01", "requested WAL segment 0000000100000001 has already been removed", kLost,
       "slot_lost", "dupwatch drop"},
      {Stage::kQuery, "55000", "something else is not as it should be", kOperator, "not_in_required_state",
       "log"},
      {Stage::kCreateSlot, "0A000", "logical decoding cannot be used while in recovery", kOperator,
       "standby_unsupported", "primary"},
      {Stage::kStartReplication, "0A000",
       "client sent proto_version=1 but server only supports protocol 2 or higher", kOperator,
       "version_unsupported", "Postgres 14"},
      {Stage::kQuery, "25006", "cannot execute CREATE TABLE in a read-only transaction", kTransient,
       "read_only", "target_session_attrs"},
      {Stage::kStream, "58P01", "could not open file \"pg_logical/snapshots/0-1.snap\"", kTransient,
       "server_spill_file", "again"},
      {Stage::kCreateSlot, "58P01", "could not access file \"wal2json\": No such file or directory",
       kOperator, "plugin_missing", "postgresql-<major>-wal2json"},
      {Stage::kCreateSlot, "42501",
       "library \"wal2json\" may not be used as an output plugin; hint: If it is safe for all REPLICATION "
       "users to "
       "use this library as an output plugin, add it to \"output_plugin_libraries\" and reload the server "
       "configuration.",
       kOperator, "plugin_not_allowed", "output_plugin_libraries"},
      {Stage::kCreateSlot, "42883", "could not find function \"_PG_output_plugin_init\"", kOperator,
       "plugin_missing", "slot.plugin"},
      {Stage::kStartReplication, "22023", "option \"proto_version\" = \"1\" is unknown", kOperator,
       "slot_wrong_plugin", "slot.plugin"},
      {Stage::kStartReplication, "XX000", "unrecognized pgoutput option: format-version", kOperator,
       "slot_wrong_plugin", "slot.plugin"},
      {Stage::kStream, "XX000", "invalid memory alloc request size 1090519043", kOperator, "poison_row",
       "column list"},
      {Stage::kStream, "54000", "out of memory; detail: Cannot enlarge string buffer", kOperator,
       "poison_row", "pgoutput"},
      {Stage::kQuery, "42P01", "relation \"workflow.workflow_events\" does not exist", kOperator,
       "table_missing", "table.name"},
      {Stage::kQuery, "3F000", "schema \"workflow\" does not exist", kOperator, "table_missing",
       "table.name"},
      {Stage::kQuery, "42703", "column e.run_id does not exist", kOperator, "column_missing", "run_column"},
      {Stage::kQuery, "40001", "canceling statement due to conflict with recovery", kTransient, "conflict",
       "again"},
      {Stage::kConnect, "", "invalid connection option \"hots\"", kOperator, "invalid_dsn", "connection.dsn"},
      {Stage::kConnect, "", "definition of service \"x\" not found", kOperator, "invalid_dsn",
       "connection.dsn"},
      {Stage::kConnect, "", "syntax error in service file \"x\", line 1", kOperator, "invalid_dsn",
       "connection.dsn"},
      {Stage::kConnect, "", "invalid port number: \"70000\"", kOperator, "invalid_dsn", "connection.dsn"},
      {Stage::kConnect, "", "invalid integer value \"x\" for connection option \"port\"", kOperator,
       "invalid_dsn", "connection.dsn"},
      {Stage::kConnect, "", "could not match 2 host names to 1 hostaddr values", kOperator, "invalid_dsn",
       "connection.dsn"},
      {Stage::kConnect, "", "invalid sslmode value: \"x\"", kOperator, "invalid_dsn", "connection.dsn"},
      {Stage::kConnect, "", "authentication method requirement \"scram-sha-256\" failed", kOperator,
       "auth_refused", "require_auth"},
      {Stage::kConnect, "", "channel binding required but not supported by server", kOperator, "auth_refused",
       "channel_binding"},
      {Stage::kConnect, "", "failed: received invalid response to SSL negotiation: H", kOperator,
       "not_postgres", "port"},
      {Stage::kConnect, "", "failed: SSL error: certificate verify failed", kOperator, "tls_refused",
       "sslrootcert"},
      {Stage::kConnect, "", "server certificate for \"a\" does not match host name \"b\"", kOperator,
       "tls_refused", "sslmode"},
      {Stage::kConnect, "", "failed: server does not support SSL, but SSL was required", kOperator,
       "tls_refused", "ssl = on"},
      {Stage::kConnect, "", "root certificate file \"/root/.postgresql/root.crt\" does not exist", kOperator,
       "tls_refused", "sslrootcert"},
      {Stage::kConnect, "", "private key file \"k\" has group or world access", kOperator, "tls_refused",
       "sslkey"},
      {Stage::kConnect, "", "failed: SSL error: tlsv1 alert unknown ca", kOperator, "tls_refused",
       "sslrootcert"},
      {Stage::kConnect, "", "could not translate host name \"x\" to address: Name or service not known",
       kTransient, "unknown_host", "host"},
      {Stage::kConnect, "", "failed: session is read-only", kTransient, "wrong_server_role",
       "target_session_attrs"},
      {Stage::kConnect, "", "failed: server is not in hot standby mode", kTransient, "wrong_server_role",
       "target_session_attrs"},
      {Stage::kConnect, "", "connection to server at \"127.0.0.1\", port 1 failed: Connection refused",
       kTransient, "connection_refused", "port"},
      {Stage::kConnect, "",
       "connection to server on socket \"/x/.s.PGSQL.1\" failed: No such file or directory; Is the "
       "server running locally and accepting connections on that socket?",
       kTransient, "connection_refused", "port"},
      {Stage::kConnect, "", "timeout expired", kTransient, "connection_timeout", "firewall"},
      {Stage::kConnect, "", "failed: Connection timed out", kTransient, "connection_timeout", "firewall"},
      {Stage::kConnect, "", "failed: No route to host", kTransient, "network", "route"},
      {Stage::kConnect, "", "failed: Network is unreachable", kTransient, "network", "route"},
      {Stage::kStream, "", "server closed the connection unexpectedly", kTransient, "server_closed", "log"},
      {Stage::kStream, "", "SSL connection has been closed unexpectedly", kTransient, "server_closed", "log"},
      {Stage::kStream, "", "could not receive data from server: Connection reset by peer", kTransient,
       "network", "route"},
      {Stage::kStream, "", "could not send data to server: Broken pipe", kTransient, "network", "route"},
      {Stage::kStream, "", "SSL SYSCALL error: EOF detected", kTransient, "network", "route"},
      {Stage::kQuery, "", "no connection to the server", kTransient, "network", "route"},
      {Stage::kQuery, "08006", "verbindung verloren", kTransient, "network", "route"},
      {Stage::kQuery, "55P04", "unsafe new enum value", kTransient, "server_busy", "again"},
      {Stage::kQuery, "58030", "could not read file", kTransient, "server_system_error", "log"},
      {Stage::kStream, "XX000", "could not read from reorderbuffer spill file", kTransient,
       "server_internal_error", "log"},
      {Stage::kQuery, "42601", "syntax error at or near \"x\"", kOperator, "query_refused", "table"},
      {Stage::kQuery, "22P02", "invalid input syntax for type uuid", kOperator, "query_refused", "table"},
      {Stage::kQuery, "0A000", "cannot do that", kOperator, "unsupported", "words"},
      {Stage::kQuery, "P0001", "raised by a trigger", kTransient, "server_error", "log"},
      {Stage::kStream, "", "words that nobody has seen yet", kTransient, "unknown", "log"},
  };
  return all;
}

TEST(Classify, KnowsEveryExample) {
  for (const auto& example : examples()) {
    SCOPED_TRACE(std::string{example.sqlstate} + " " + example.message);
    const auto error = classify(example.stage, example.sqlstate, example.message);
    EXPECT_EQ(error.reason, example.reason);
    EXPECT_EQ(error.fault, example.fault);
    EXPECT_EQ(error.sqlstate, example.sqlstate);
    EXPECT_EQ(error.message, example.message);
    EXPECT_NE(error.remedy.find(example.remedy), std::string::npos) << error.remedy;
    EXPECT_EQ(error.remedy.find("%1"), std::string::npos);
  }
}

TEST(Classify, EveryReasonOfTheTableHasAnExample) {
  std::set<std::string> seen;
  for (const auto& example : examples()) seen.insert(example.reason);
  const auto known = known_reasons();
  EXPECT_EQ(seen, std::set<std::string>(known.begin(), known.end()));
}

// Their providers keep ALTER SYSTEM to themselves.
TEST(Classify, WhoeverIsToldToAlterTheSystemIsToldOfManagedServicesToo) {
  std::size_t told = 0;
  for (const auto& example : examples()) {
    const auto remedy = classify(example.stage, example.sqlstate, example.message).remedy;
    if (remedy.find("ALTER SYSTEM") == std::string::npos) continue;
    ++told;
    EXPECT_NE(remedy.find("managed services"), std::string::npos) << remedy;
  }
  EXPECT_GE(told, 5U);
}

TEST(Classify, ReasonsAreSlugs) {
  for (const auto reason : known_reasons()) {
    EXPECT_TRUE(std::all_of(reason.begin(), reason.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    })) << reason;
  }
}

TEST(FindSqlstate, ReadsItFromVerboseStartUpText) {
  EXPECT_EQ(
      find_sqlstate(
          "connection to server at \"h\", port 1 failed: FATAL:  28P01: password authentication failed"),
      "28P01");
  EXPECT_EQ(
      find_sqlstate("FATAL:  57P03: starting up\nconnection to server at \"b\" failed: FATAL:  28000: no"),
      "28000");
  EXPECT_EQ(find_sqlstate("connection refused"), "");
  EXPECT_EQ(find_sqlstate("FATAL:  database \"x\" does not exist"), "");
  EXPECT_EQ(find_sqlstate("FATAL:  28P0"), "");
  EXPECT_EQ(find_sqlstate(""), "");
}

TEST(OneLine, DropsTheSourcePositionAndTheSqlstate) {
  EXPECT_EQ(one_line("FATAL:  28P01: no\nLOCATION:  auth_failed, auth.c:338\n"), "FATAL: no");
  EXPECT_EQ(one_line("a\n\n  b  \n"), "a; b");
  EXPECT_EQ(one_line("a\x1b[31m\tb"), "a [31m b");
  EXPECT_EQ(one_line(""), "");
  EXPECT_EQ(one_line("\n \n"), "");
}

}  // namespace
}  // namespace dupwatch::postgres::error_test
