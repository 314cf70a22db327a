#include "daemon/postgres/error_table.hpp"

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
  Cause cause;
  /// What the remedy must name.
  const char* remedy;
};

constexpr auto kTransient = Fault::kTransient;
constexpr auto kOperator = Fault::kNeedsOperator;
constexpr auto kLost = Fault::kSlotLost;

// Texts of the servers 14 to 18 and of libpq, one example at least for each row of the table.
const std::vector<Example>& examples() {
  static const std::vector<Example> all = {
      {Stage::kConnect, "08P01", "FATAL: unsupported startup parameter: replication", kOperator,
       Cause::kPooler, "direct host"},
      {Stage::kConnect, "08P01", "FATAL: unsupported startup parameter in options: lock_timeout", kOperator,
       Cause::kPooler, "direct host"},
      {Stage::kQuery, "42601", "syntax error at or near \"IDENTIFY_SYSTEM\"", kOperator, Cause::kPooler,
       "direct"},
      {Stage::kCreateSlot, "42601", "syntax error at or near \"CREATE_REPLICATION_SLOT\"", kOperator,
       Cause::kPooler, "direct"},
      {Stage::kStartReplication, "42601", "syntax error at or near \"START_REPLICATION\"", kOperator,
       Cause::kPooler, "direct"},
      {Stage::kConnect, "28P01", "password authentication failed for user \"d\"", kOperator,
       Cause::kWrongPassword, "PGPASSFILE"},
      {Stage::kConnect, "28P01", "Passwort-Authentifizierung für Benutzer »d« fehlgeschlagen", kOperator,
       Cause::kWrongPassword, "\\password"},
      {Stage::kConnect, "", "connection failed: fe_sendauth: no password supplied", kOperator,
       Cause::kWrongPassword, "PGPASSFILE"},
      {Stage::kConnect, "28000",
       "no pg_hba.conf entry for host \"127.0.0.1\", user \"d\", database \"wf\", no encryption", kOperator,
       Cause::kAuthRefused, "sslmode=require"},
      {Stage::kConnect, "28000", "pg_hba.conf rejects connection for host \"127.0.0.1\", SSL encryption",
       kOperator, Cause::kAuthRefused, "pg_reload_conf"},
      {Stage::kConnect, "28000", "role \"d\" does not exist", kOperator, Cause::kUnknownRole, "CREATE ROLE"},
      {Stage::kConnect, "28000", "role \"d\" is not permitted to log in", kOperator, Cause::kRoleWithoutLogin,
       "LOGIN"},
      {Stage::kConnect, "28000", "Rolle »d« existiert nicht", kOperator, Cause::kAuthRefused, "pg_hba.conf"},
      {Stage::kConnect, "3D000", "database \"nope\" does not exist", kOperator, Cause::kUnknownDatabase,
       "dbname"},
      {Stage::kConnect, "42501", "must be superuser or replication role to start walsender", kOperator,
       Cause::kNoReplicationRight, "ALTER ROLE <role> REPLICATION"},
      {Stage::kConnect, "42501", "permission denied to start WAL sender", kOperator,
       Cause::kNoReplicationRight, "rds_replication"},
      {Stage::kCreateSlot, "42501", "permission denied to use replication slots", kOperator,
       Cause::kNoReplicationRight, "REPLICATION"},
      {Stage::kQuery, "42501", "must be superuser or replication role to use replication slots", kOperator,
       Cause::kNoReplicationRight, "REPLICATION"},
      {Stage::kConnect, "42501", "permission denied for database \"wf\"", kOperator, Cause::kNoConnectRight,
       "GRANT CONNECT"},
      {Stage::kQuery, "42501", "query would be affected by row-level security policy for table \"events\"",
       kOperator, Cause::kRowSecurity, "BYPASSRLS"},
      {Stage::kQuery, "42501", "permission denied for schema workflow", kOperator, Cause::kNoSelectRight,
       "setup"},
      {Stage::kConnect, "53300",
       "number of requested standby connections exceeds max_wal_senders (currently 0)", kOperator,
       Cause::kSendersExhausted, "max_wal_senders = 10"},
      {Stage::kConnect, "53300",
       "number of requested standby connections exceeds \"max_wal_senders\" (currently 4)", kTransient,
       Cause::kSendersExhausted, "pg_stat_replication"},
      {Stage::kConnect, "53300", "sorry, too many clients already", kTransient, Cause::kTooManyConnections,
       "max_connections"},
      {Stage::kConnect, "53300", "too many connections for role \"d\"", kTransient,
       Cause::kTooManyConnections, "CONNECTION LIMIT"},
      {Stage::kCreateSlot, "53400", "all replication slots are in use", kOperator, Cause::kSlotsExhausted,
       "max_replication_slots"},
      {Stage::kStream, "53100", "could not write to file: No space left on device", kTransient,
       Cause::kServerDiskFull, "disk"},
      {Stage::kStream, "", "out of memory", kTransient, Cause::kPayloadTooLarge, "payload"},
      {Stage::kStream, "", "cannot allocate memory for input buffer", kTransient, Cause::kPayloadTooLarge,
       "payload"},
      {Stage::kQuery, "53200", "out of memory", kTransient, Cause::kServerOutOfResources, "log"},
      {Stage::kConnect, "57P03", "the database system is starting up", kTransient, Cause::kServerStarting,
       "again"},
      {Stage::kStream, "57P01", "terminating connection due to administrator command", kTransient,
       Cause::kTerminated, "invalidated"},
      {Stage::kStream, "57P02", "terminating connection because of crash of another server process",
       kTransient, Cause::kServerCrashed, "again"},
      {Stage::kQuery, "57P05", "terminating connection due to idle-session timeout", kTransient,
       Cause::kServerStoppedUs, "again"},
      {Stage::kCreateSlot, "55P03", "canceling statement due to lock timeout", kTransient,
       Cause::kSlotCreationBlocked, "pg_stat_activity"},
      {Stage::kCreateSlot, "57014", "canceling statement due to user request", kTransient,
       Cause::kSlotCreationBlocked, "pg_stat_activity"},
      {Stage::kQuery, "55P03", "canceling statement due to lock timeout", kTransient, Cause::kLockTimeout,
       "lock"},
      {Stage::kQuery, "57014", "canceling statement due to statement timeout", kTransient,
       Cause::kStatementTimeout, "statement_timeout"},
      {Stage::kStartReplication, "55006", "replication slot \"s1\" is active for PID 3361", kTransient,
       Cause::kSlotInUse, "slot.name"},
      {Stage::kCreateSlot, "42710", "replication slot \"s1\" already exists", kTransient, Cause::kSlotExists,
       "created"},
      {Stage::kStream, "42704", "publication \"dupwatch\" does not exist", kOperator,
       Cause::kPublicationMissing, "setup"},
      {Stage::kStartReplication, "42704", "publication \"dupwatch\" does not exist", kOperator,
       Cause::kPublicationMissing, "setup"},
      {Stage::kStartReplication, "42704", "replication slot \"s1\" does not exist", kOperator,
       Cause::kSlotMissing, "\"s1\" does not exist"},
      {Stage::kStartReplication, "42704", "Replikations-Slot »s1« existiert nicht", kOperator,
       Cause::kSlotMissing, "slot.create"},
      {Stage::kCreateSlot, "55000", "logical decoding requires wal_level >= logical", kOperator,
       Cause::kNotLogical, "ALTER SYSTEM SET wal_level = 'logical'"},
      {Stage::kCreateSlot, "55000", "logical decoding requires \"wal_level\" >= \"logical\"", kOperator,
       Cause::kNotLogical, "wal_level"},
      {Stage::kStartReplication, "55000", "replication slot \"s1\" was not created in this database",
       kOperator, Cause::kSlotWrongDatabase, "\"s1\""},
      {Stage::kStream, "55000",
       "slot \"sb\" specified in parameter \"synchronized_standby_slots\" does not have active_pid",
       kTransient, Cause::kStandbyBehind, "synchronized_standby_slots"},
      {Stage::kStream, "22023", "in parameter \"synchronized_standby_slots\" does not exist", kTransient,
       Cause::kStandbyBehind, "create it for the standby"},
      {Stage::kStream, "55000", "slot \"sb\" in parameter standby_slot_names has no active_pid", kTransient,
       Cause::kStandbyBehind, "standby_slot_names"},
      {Stage::kStartReplication, "55000", "cannot use physical replication slot for logical decoding",
       kOperator, Cause::kSlotWrongKind, "slot.name"},
      {Stage::kStartReplication, "55000",
       "cannot use replication slot \"s\" for logical decoding; detail: This replication slot is being "
       "synchronized from "
       "the primary server.",
       kTransient, Cause::kSlotSynced, "primary"},
      {Stage::kQuery, "55000", "cannot drop replication slot \"s\" that is synced from the primary",
       kTransient, Cause::kSlotSynced, "primary"},
      {Stage::kStartReplication, "55000", "cannot read from logical replication slot \"x\"", kLost,
       Cause::kSlotLost, "max_slot_wal_keep_size"},
      {Stage::kStartReplication, "55000", "can no longer get changes from replication slot \"s\"", kLost,
       Cause::kSlotLost, "dupwatch drop"},
      {Stage::kStartReplication, "55000", "can no longer access replication slot \"s\"", kLost,
       Cause::kSlotLost, "dupwatch drop"},
      {Stage::kStream, "55000", "slot has been invalidated due to \"wal_removed\"", kLost, Cause::kSlotLost,
       "dupwatch drop"},
      {Stage::kStream, "58P01", "requested WAL segment 0000000100000001 has already been removed", kLost,
       Cause::kSlotLost, "dupwatch drop"},
      {Stage::kQuery, "55000", "something else is not as it should be", kOperator, Cause::kNotInRequiredState,
       "log"},
      {Stage::kCreateSlot, "0A000", "logical decoding cannot be used while in recovery", kOperator,
       Cause::kStandbyUnsupported, "primary"},
      {Stage::kStartReplication, "0A000",
       "client sent proto_version=1 but server only supports protocol 2 or higher", kOperator,
       Cause::kVersionUnsupported, "Postgres 14"},
      {Stage::kQuery, "25006", "cannot execute CREATE TABLE in a read-only transaction", kTransient,
       Cause::kReadOnly, "target_session_attrs"},
      {Stage::kStream, "58P01", "could not open file \"pg_logical/snapshots/0-1.snap\"", kTransient,
       Cause::kServerSpillFile, "again"},
      {Stage::kCreateSlot, "58P01", "could not access file \"wal2json\": No such file or directory",
       kOperator, Cause::kPluginMissing, "postgresql-<major>-wal2json"},
      {Stage::kCreateSlot, "42501",
       "library \"wal2json\" may not be used as an output plugin; hint: If it is safe for all REPLICATION "
       "users to "
       "use this library as an output plugin, add it to \"output_plugin_libraries\" and reload the server "
       "configuration.",
       kOperator, Cause::kPluginNotAllowed, "output_plugin_libraries"},
      {Stage::kCreateSlot, "42883", "could not find function \"_PG_output_plugin_init\"", kOperator,
       Cause::kPluginMissing, "slot.plugin"},
      {Stage::kStartReplication, "22023", "option \"proto_version\" = \"1\" is unknown", kOperator,
       Cause::kSlotWrongPlugin, "slot.plugin"},
      {Stage::kStartReplication, "XX000", "unrecognized pgoutput option: format-version", kOperator,
       Cause::kSlotWrongPlugin, "slot.plugin"},
      {Stage::kStream, "XX000", "invalid memory alloc request size 1090519043", kOperator, Cause::kPoisonRow,
       "column list"},
      {Stage::kStream, "54000", "out of memory; detail: Cannot enlarge string buffer", kOperator,
       Cause::kPoisonRow, "pgoutput"},
      {Stage::kQuery, "42P01", "relation \"workflow.workflow_events\" does not exist", kOperator,
       Cause::kTableMissing, "table.name"},
      {Stage::kQuery, "3F000", "schema \"workflow\" does not exist", kOperator, Cause::kTableMissing,
       "table.name"},
      {Stage::kQuery, "42703", "column e.run_id does not exist", kOperator, Cause::kColumnMissing,
       "run_column"},
      {Stage::kQuery, "40001", "canceling statement due to conflict with recovery", kTransient,
       Cause::kConflict, "again"},
      {Stage::kConnect, "", "invalid connection option \"hots\"", kOperator, Cause::kInvalidDsn,
       "connection.dsn"},
      {Stage::kConnect, "", "definition of service \"x\" not found", kOperator, Cause::kInvalidDsn,
       "connection.dsn"},
      {Stage::kConnect, "", "syntax error in service file \"x\", line 1", kOperator, Cause::kInvalidDsn,
       "connection.dsn"},
      {Stage::kConnect, "", "invalid port number: \"70000\"", kOperator, Cause::kInvalidDsn,
       "connection.dsn"},
      {Stage::kConnect, "", "invalid integer value \"x\" for connection option \"port\"", kOperator,
       Cause::kInvalidDsn, "connection.dsn"},
      {Stage::kConnect, "", "could not match 2 host names to 1 hostaddr values", kOperator,
       Cause::kInvalidDsn, "connection.dsn"},
      {Stage::kConnect, "", "invalid sslmode value: \"x\"", kOperator, Cause::kInvalidDsn, "connection.dsn"},
      {Stage::kConnect, "", "authentication method requirement \"scram-sha-256\" failed", kOperator,
       Cause::kAuthRefused, "require_auth"},
      {Stage::kConnect, "", "channel binding required but not supported by server", kOperator,
       Cause::kAuthRefused, "channel_binding"},
      {Stage::kConnect, "", "failed: received invalid response to SSL negotiation: H", kOperator,
       Cause::kNotPostgres, "port"},
      {Stage::kConnect, "", "failed: SSL error: certificate verify failed", kOperator, Cause::kTlsRefused,
       "sslrootcert"},
      {Stage::kConnect, "", "server certificate for \"a\" does not match host name \"b\"", kOperator,
       Cause::kTlsRefused, "sslmode"},
      {Stage::kConnect, "", "failed: server does not support SSL, but SSL was required", kOperator,
       Cause::kTlsRefused, "ssl = on"},
      {Stage::kConnect, "", "root certificate file \"/root/.postgresql/root.crt\" does not exist", kOperator,
       Cause::kTlsRefused, "sslrootcert"},
      {Stage::kConnect, "", "private key file \"k\" has group or world access", kOperator, Cause::kTlsRefused,
       "sslkey"},
      {Stage::kConnect, "", "failed: SSL error: tlsv1 alert unknown ca", kOperator, Cause::kTlsRefused,
       "sslrootcert"},
      {Stage::kConnect, "", "could not translate host name \"x\" to address: Name or service not known",
       kTransient, Cause::kUnknownHost, "host"},
      {Stage::kConnect, "", "failed: session is read-only", kTransient, Cause::kWrongServerRole,
       "target_session_attrs"},
      {Stage::kConnect, "", "failed: server is not in hot standby mode", kTransient, Cause::kWrongServerRole,
       "target_session_attrs"},
      {Stage::kConnect, "", "connection to server at \"127.0.0.1\", port 1 failed: Connection refused",
       kTransient, Cause::kConnectionRefused, "port"},
      {Stage::kConnect, "",
       "connection to server on socket \"/x/.s.PGSQL.1\" failed: No such file or directory; Is the "
       "server running locally and accepting connections on that socket?",
       kTransient, Cause::kConnectionRefused, "port"},
      {Stage::kConnect, "", "timeout expired", kTransient, Cause::kConnectionTimeout, "firewall"},
      {Stage::kConnect, "", "failed: Connection timed out", kTransient, Cause::kConnectionTimeout,
       "firewall"},
      {Stage::kConnect, "", "failed: No route to host", kTransient, Cause::kNetwork, "route"},
      {Stage::kConnect, "", "failed: Network is unreachable", kTransient, Cause::kNetwork, "route"},
      {Stage::kStream, "", "server closed the connection unexpectedly", kTransient, Cause::kServerClosed,
       "log"},
      {Stage::kStream, "", "SSL connection has been closed unexpectedly", kTransient, Cause::kServerClosed,
       "log"},
      {Stage::kStream, "", "could not receive data from server: Connection reset by peer", kTransient,
       Cause::kNetwork, "route"},
      {Stage::kStream, "", "could not send data to server: Broken pipe", kTransient, Cause::kNetwork,
       "route"},
      {Stage::kStream, "", "SSL SYSCALL error: EOF detected", kTransient, Cause::kNetwork, "route"},
      {Stage::kQuery, "", "no connection to the server", kTransient, Cause::kNetwork, "route"},
      {Stage::kQuery, "08006", "verbindung verloren", kTransient, Cause::kNetwork, "route"},
      {Stage::kQuery, "55P04", "unsafe new enum value", kTransient, Cause::kServerBusy, "again"},
      {Stage::kQuery, "58030", "could not read file", kTransient, Cause::kServerSystemError, "log"},
      {Stage::kStream, "XX000", "could not read from reorderbuffer spill file", kTransient,
       Cause::kServerInternalError, "log"},
      {Stage::kQuery, "42601", "syntax error at or near \"x\"", kOperator, Cause::kQueryRefused, "table"},
      {Stage::kQuery, "XX000", "cannot make new WAL entries during recovery", kTransient, Cause::kInRecovery,
       "primary"},
      {Stage::kQuery, "22P02", "invalid input syntax for type uuid", kOperator, Cause::kQueryRefused,
       "table"},
      {Stage::kQuery, "0A000", "cannot do that", kOperator, Cause::kUnsupported, "words"},
      {Stage::kQuery, "P0001", "raised by a trigger", kTransient, Cause::kServerError, "log"},
      {Stage::kStream, "", "words that nobody has seen yet", kTransient, Cause::kUnknown, "log"},
  };
  return all;
}

TEST(Classify, KnowsEveryExample) {
  for (const auto& example : examples()) {
    SCOPED_TRACE(std::string{example.sqlstate} + " " + example.message);
    const auto error = classify(example.stage, example.sqlstate, example.message);
    EXPECT_EQ(error.cause, example.cause);
    EXPECT_EQ(error.fault, example.fault);
    EXPECT_EQ(error.sqlstate, example.sqlstate);
    EXPECT_EQ(error.message, example.message);
    EXPECT_NE(error.remedy.find(example.remedy), std::string::npos) << error.remedy;
    EXPECT_EQ(error.remedy.find("%1"), std::string::npos);
  }
}

TEST(Classify, EveryCauseOfTheTableHasAnExample) {
  std::set<Cause> seen;
  for (const auto& example : examples()) seen.insert(example.cause);
  std::set<Cause> known{Cause::kUnknown, Cause::kServerError};
  for (const auto& row : error_table()) known.insert(row.cause);
  EXPECT_EQ(seen, known);
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

TEST(Cause, WordsAreSlugsAndEachItsOwn) {
  std::set<std::string_view> words;
  for (std::size_t i = 0; i < kCauses; ++i) {
    const auto word = to_string(static_cast<Cause>(i));
    EXPECT_TRUE(std::all_of(word.begin(), word.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    })) << word;
    words.insert(word);
  }
  EXPECT_EQ(words.size(), kCauses);
  EXPECT_EQ(words.count(""), 0U);
  // Runbooks and rules of users name these.
  EXPECT_EQ(to_string(Cause::kHeartbeatLost), "heartbeat_lost");
  EXPECT_EQ(to_string(Cause::kFuse), "fuse");
  EXPECT_EQ(to_string(Cause::kSlotInUse), "slot_in_use");
}

Error with_state(const char* sqlstate, Cause cause = Cause::kUnknown) {
  Error error;
  error.sqlstate = sqlstate;
  error.cause = cause;
  return error;
}

TEST(Predicates, WhatPassesIsTriedAgain) {
  for (const char* state : {"", "55P03", "40P01", "40001", "57014", "57P01", "08006", "53300"}) {
    EXPECT_TRUE(heals_by_retry(with_state(state))) << state;
  }
  for (const char* state : {"42501", "42P01", "3F000", "25006", "23505", "42703", "55000"}) {
    EXPECT_FALSE(heals_by_retry(with_state(state))) << state;
  }
}

TEST(Predicates, KnowWhichErrorsCanComeFromARow) {
  for (const auto* state : {"42704", "XX000", "XX001", "54000", "22021"}) {
    EXPECT_TRUE(may_be_of_a_row(with_state(state))) << state;
  }
  for (const auto* state : {"", "57P01", "42501", "55000", "53200", "08006"}) {
    EXPECT_FALSE(may_be_of_a_row(with_state(state))) << state;
  }
  EXPECT_TRUE(may_be_of_a_row(with_state("", Cause::kPayloadTooLarge)));
  for (const auto cause : {Cause::kSlotWrongPlugin, Cause::kStandbyBehind})
    EXPECT_FALSE(may_be_of_a_row(with_state("22023", cause)));
}

TEST(Predicates, AStopAndATimeoutLeaveAQuestionUnanswered) {
  EXPECT_TRUE(interrupted(with_state("", Cause::kInterrupted)));
  EXPECT_FALSE(interrupted(with_state("", Cause::kTimeout)));
  EXPECT_TRUE(left_unanswered(with_state("", Cause::kInterrupted)));
  EXPECT_TRUE(left_unanswered(with_state("", Cause::kTimeout)));
  EXPECT_FALSE(left_unanswered(with_state("57014", Cause::kStatementTimeout)));
}

TEST(Predicates, TellRightTableColumnAndIndexFromAllElse) {
  const auto all = {lacks_right, lacks_table, lacks_setup};
  const auto answers = [&](const char* state) {
    std::vector<bool> out;
    for (const auto& ask : all) out.push_back(ask(with_state(state)));
    return out;
  };
  EXPECT_EQ(answers("42501"), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(answers("42P01"), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(answers("3F000"), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(answers("42703"), (std::vector<bool>{false, false, true}));
  EXPECT_EQ(answers("42P10"), (std::vector<bool>{false, false, true}));
  EXPECT_EQ(answers("42883"), (std::vector<bool>{false, false, false}));
  EXPECT_EQ(answers(""), (std::vector<bool>{false, false, false}));
  EXPECT_TRUE(lacks_function(with_state("42883")));
  EXPECT_FALSE(lacks_function(with_state("42501")));
}

TEST(Predicates, ALockAndAConflictAreLostRaces) {
  EXPECT_TRUE(lost_a_race(with_state("55P03")));
  EXPECT_TRUE(lost_a_race(with_state("40P01")));
  EXPECT_FALSE(lost_a_race(with_state("55000")));
  EXPECT_TRUE(lacks_lock(with_state("55P03")));
  EXPECT_FALSE(lacks_lock(with_state("40P01")));
  EXPECT_TRUE(cannot_be_written(with_state("25006")));
  EXPECT_FALSE(cannot_be_written(with_state("25001")));
  EXPECT_TRUE(violates_unique(with_state("23505")));
  EXPECT_FALSE(violates_unique(with_state("23503")));
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
