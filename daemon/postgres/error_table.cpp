#include "daemon/postgres/error_table.hpp"

#include <array>

namespace dupwatch::postgres {
namespace {

constexpr Stages kConnect = stage_bit(Stage::kConnect);
constexpr Stages kQuery = stage_bit(Stage::kQuery);
constexpr Stages kCreate = stage_bit(Stage::kCreateSlot);
constexpr Stages kStart = stage_bit(Stage::kStartReplication);
constexpr Stages kStream = stage_bit(Stage::kStream);
constexpr Stages kSlot = kCreate | kStart | kStream;
constexpr Stages kAny = kConnect | kQuery | kSlot;

constexpr auto kTransient = Fault::kTransient;
constexpr auto kOperator = Fault::kNeedsOperator;
constexpr auto kLost = Fault::kSlotLost;

constexpr std::string_view kUseDirect =
    "Connect to Postgres itself: a connection pooler cannot carry logical replication. Put the direct host "
    "and port "
    "into connection.dsn.";
constexpr std::string_view kGiveReplication =
    "ALTER ROLE <role> REPLICATION; (on Amazon RDS and Aurora: GRANT rds_replication TO <role>;)";
constexpr std::string_view kOtherPlugin =
    "The slot was made for another output plugin. Set slot.plugin to the slot's plugin or leave it at auto, "
    "or choose "
    "another slot.name.";
constexpr std::string_view kLostSlot =
    "The server removed WAL that the slot still needed: events since its last position are not in the stream "
    "any "
    "more. Recreate the slot (dupwatch drop, then dupwatch run) and raise "
    "max_slot_wal_keep_size.";
constexpr std::string_view kSetLogical =
    "ALTER SYSTEM SET wal_level = 'logical'; then restart the server (managed services have a switch of "
    "their own, which dupwatch check names; on a standby the primary needs it).";
constexpr std::string_view kCheckTls =
    "Make sslmode, sslrootcert, sslcert and sslkey in connection.dsn fit the server's certificate and "
    "pg_hba.conf.";
constexpr std::string_view kHeals = "Nothing to do: dupwatch tries again.";
constexpr std::string_view kPoison =
    "One row is too large for the output plugin. Use pgoutput with a publication whose column list leaves "
    "the payload "
    "out (dupwatch setup --print-sql).";
// Since the minors of November 2026 (15.19 and its siblings; CVE-2026-6471) a server lists the plugins it
// trusts.
constexpr std::string_view kAllowPlugin =
    "The server does not list the plugin as trusted: ALTER SYSTEM SET output_plugin_libraries = 'pgoutput', "
    "'test_decoding', 'wal2json'; SELECT pg_reload_conf(); (on managed services among the provider's own "
    "settings), or use pgoutput (dupwatch setup --print-sql).";
// An address that moves from server to server may lead here before the promotion.
constexpr std::string_view kSyncedSlot =
    "The slot is a standby's copy, which can be read once the standby is promoted. If it is not about to be, "
    "connect to the primary (target_session_attrs=primary in connection.dsn).";
constexpr std::string_view kGrantSelect =
    "Grant what dupwatch reads: the statements are in the output of dupwatch setup --print-sql.";
// A policy is no cure: hidden rows are an error to dupwatch whatever the policies let through.
constexpr std::string_view kLiftRowSecurity =
    "Row-level security is on for %1 and dupwatch's role is under it. ALTER ROLE ... BYPASSRLS; for that "
    "role "
    "(as a superuser, or on managed services as their administrator), or connect as the table's owner where "
    "FORCE ROW LEVEL SECURITY is off, or ALTER TABLE ... DISABLE ROW LEVEL SECURITY; a policy for the role "
    "does not help.";
constexpr std::string_view kMakePublication = "Create the publication: dupwatch setup --print-sql | psql";
constexpr std::string_view kNetworkRemedy =
    "dupwatch tries again. If it stays: check route, firewall and load balancer between dupwatch and the "
    "server.";
constexpr std::string_view kFreeSlots =
    "Drop a slot that is not in use (SELECT slot_name FROM pg_replication_slots WHERE NOT active;), or raise "
    "max_replication_slots by ALTER SYSTEM and restart the server (managed services have a setting of their "
    "own, which dupwatch check names).";
constexpr std::string_view kLargePayload =
    "A row is larger than the memory that dupwatch may take. Use pgoutput with a publication whose column "
    "list "
    "leaves the payload out (dupwatch setup --print-sql), or raise the limit.";
constexpr std::string_view kFixDsn =
    "Correct connection.dsn; its keywords are those of libpq (host, port, dbname, user, ...).";

// The first row that fits counts, so the narrow ones stand before the wide ones. Where a SQLSTATE is
// unambiguous the text is left out: servers translate their messages.
constexpr auto kRows = std::to_array<ErrorRow>({
    // Poolers: whatever the state, the words are theirs alone.
    {kAny, "", "unsupported startup parameter", kOperator, Cause::kPooler, kUseDirect},
    {kAny, "42601", "IDENTIFY_SYSTEM", kOperator, Cause::kPooler, kUseDirect},
    {kAny, "42601", "CREATE_REPLICATION_SLOT", kOperator, Cause::kPooler, kUseDirect},
    {kAny, "42601", "START_REPLICATION", kOperator, Cause::kPooler, kUseDirect},

    // Who we are.
    {kAny, "28P01", "", kOperator, Cause::kWrongPassword,
     "Correct the password of role <role> (PGPASSFILE, or ${ENV} in connection.dsn), or set it with "
     "\\password."},
    {kConnect, "28000", "no encryption", kOperator, Cause::kAuthRefused,
     "pg_hba.conf has no entry for this user, database and address without TLS: set sslmode=require in "
     "connection.dsn, or add a `host` line and SELECT pg_reload_conf();"},
    {kConnect, "28000", "pg_hba.conf", kOperator, Cause::kAuthRefused,
     "Add a line for this user, database and address to pg_hba.conf (the database's name, not `replication`: "
     "logical "
     "replication matches by database) and SELECT pg_reload_conf();"},
    {kConnect, "28000", "does not exist", kOperator, Cause::kUnknownRole,
     "CREATE ROLE <role> LOGIN REPLICATION; (dupwatch setup --print-sql has it with the grants)."},
    {kConnect, "28000", "not permitted to log in", kOperator, Cause::kRoleWithoutLogin,
     "ALTER ROLE <role> LOGIN;"},
    {kAny, "28", "", kOperator, Cause::kAuthRefused,
     "The server refused the login: check user and password in connection.dsn, and pg_hba.conf."},
    {kConnect, "3D000", "", kOperator, Cause::kUnknownDatabase,
     "Put the database of the watched table into connection.dsn (dbname=...)."},
    {kAny, "42501", "WAL sender", kOperator, Cause::kNoReplicationRight, kGiveReplication},
    {kAny, "42501", "walsender", kOperator, Cause::kNoReplicationRight, kGiveReplication},
    {kSlot, "42501", "output_plugin_libraries", kOperator, Cause::kPluginNotAllowed, kAllowPlugin},
    {kSlot, "42501", "", kOperator, Cause::kNoReplicationRight, kGiveReplication},
    {kQuery, "42501", "row-level security", kOperator, Cause::kRowSecurity, kLiftRowSecurity},
    {kQuery, "42501", "replication", kOperator, Cause::kNoReplicationRight, kGiveReplication},
    {kConnect, "42501", "", kOperator, Cause::kNoConnectRight,
     "GRANT CONNECT ON DATABASE <database> TO <role>;"},
    {kQuery, "42501", "", kOperator, Cause::kNoSelectRight, kGrantSelect},

    // Room on the server.
    {kAny, "53300", "(currently 0)", kOperator, Cause::kSendersExhausted,
     "ALTER SYSTEM SET max_wal_senders = 10; then restart the server (managed services have a setting of "
     "their own, which dupwatch check names)."},
    {kAny, "53300", "max_wal_senders", kTransient, Cause::kSendersExhausted,
     "End replication clients that are not needed (SELECT pid, application_name FROM pg_stat_replication;), "
     "or raise max_wal_senders by ALTER SYSTEM and restart the server (managed services have a setting of "
     "their own, which dupwatch check names)."},
    {kAny, "53300", "", kTransient, Cause::kTooManyConnections,
     "Close idle sessions, raise max_connections, or exempt dupwatch's role (ALTER ROLE <role> CONNECTION "
     "LIMIT -1;)."},
    {kAny, "53400", "", kOperator, Cause::kSlotsExhausted, kFreeSlots},
    {kAny, "53100", "", kTransient, Cause::kServerDiskFull, "Free disk space on the server."},
    {kAny, "53", "", kTransient, Cause::kServerOutOfResources,
     "The server lacks memory or disk: see its log."},

    // The server as a whole.
    {kAny, "57P03", "", kTransient, Cause::kServerStarting, kHeals},
    {kAny, "57P01", "", kTransient, Cause::kTerminated,
     "The server shut down or somebody ended the session; dupwatch connects again. If the slot was "
     "invalidated, the "
     "next start says so."},
    {kAny, "57P02", "", kTransient, Cause::kServerCrashed, kHeals},
    {kCreate, "55P03", "", kTransient, Cause::kSlotCreationBlocked,
     "Slot creation waits for transactions that were open when it began: end the oldest (SELECT pid, "
     "xact_start, state "
     "FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start;)."},
    {kCreate, "57014", "", kTransient, Cause::kSlotCreationBlocked,
     "Slot creation was cancelled: see pg_stat_activity for transactions that are open for long."},
    {kAny, "55P03", "", kTransient, Cause::kLockTimeout,
     "Another session holds a lock on the table; dupwatch tries again."},
    {kAny, "57014", "", kTransient, Cause::kStatementTimeout,
     "The query took longer than statement_timeout; dupwatch tries again. Set options='-c "
     "statement_timeout=...' in "
     "connection.dsn to allow more."},
    {kAny, "57", "", kTransient, Cause::kServerStoppedUs, kHeals},

    // The slot and the plugin.
    {kAny, "55006", "", kTransient, Cause::kSlotInUse,
     "Another session holds the slot: stop the second dupwatch, or give this one its own slot.name. A "
     "session whose "
     "client is gone ends by itself after wal_sender_timeout."},
    {kAny, "42710", "", kTransient, Cause::kSlotExists,
     "Another session has created the slot meanwhile; dupwatch uses it."},
    {kStream, "42704", "", kOperator, Cause::kPublicationMissing, kMakePublication},
    {kAny, "42704", "publication", kOperator, Cause::kPublicationMissing, kMakePublication},
    {kAny, "42704", "replication slot", kOperator, Cause::kSlotMissing,
     "The slot %1 does not exist: set slot.create to true, or create it. What was written since it was "
     "dropped is not "
     "in the stream."},
    {kSlot, "42704", "", kOperator, Cause::kSlotMissing,
     "The slot does not exist: set slot.create to true, or create it. What was written since it was dropped "
     "is not in "
     "the stream."},
    {kAny, "55000", "wal_level", kOperator, Cause::kNotLogical, kSetLogical},
    {kAny, "55000", "was not created in this database", kOperator, Cause::kSlotWrongDatabase,
     "Slot %1 belongs to another database: choose another slot.name, or the slot's database in "
     "connection.dsn."},
    {kAny, "55000", "synchronized_standby_slots", kTransient, Cause::kStandbyBehind,
     "A standby named in synchronized_standby_slots is down or behind: the stream waits for it."},
    {kAny, "55000", "standby_slot_names", kTransient, Cause::kStandbyBehind,
     "A standby named in standby_slot_names is down or behind: the stream waits for it."},
    {kAny, "55000", "physical replication slot", kOperator, Cause::kSlotWrongKind,
     "Slot %1 is a physical one: choose another slot.name."},
    {kAny, "55000", "being synchronized", kTransient, Cause::kSlotSynced, kSyncedSlot},
    {kAny, "55000", "synced from the primary", kTransient, Cause::kSlotSynced, kSyncedSlot},
    {kAny, "55000", "cannot read from logical replication slot", kLost, Cause::kSlotLost, kLostSlot},
    {kAny, "55000", "can no longer get changes", kLost, Cause::kSlotLost, kLostSlot},
    {kAny, "55000", "can no longer access replication slot", kLost, Cause::kSlotLost, kLostSlot},
    {kAny, "55000", "invalidated", kLost, Cause::kSlotLost, kLostSlot},
    {kSlot, "", "has already been removed", kLost, Cause::kSlotLost, kLostSlot},
    {kAny, "55000", "", kOperator, Cause::kNotInRequiredState, "See the server's words and its log."},
    {kAny, "0A000", "recovery", kOperator, Cause::kStandbyUnsupported,
     "This server is a standby older than Postgres 16: connect to the primary "
     "(target_session_attrs=primary in "
     "connection.dsn)."},
    {kSlot, "0A000", "proto_version", kOperator, Cause::kVersionUnsupported,
     "The server is older than Postgres 14 or newer than this dupwatch knows."},
    {kAny, "25006", "", kTransient, Cause::kReadOnly,
     "The server is a standby at the moment (failover?). Name the primary, or "
     "target_session_attrs=primary, in "
     "connection.dsn."},
    {kSlot, "58P01", "pg_logical", kTransient, Cause::kServerSpillFile, kHeals},
    {kSlot, "58P01", "", kOperator, Cause::kPluginMissing,
     "The output plugin is not installed on the server. Install it (apt install "
     "postgresql-<major>-wal2json), or use "
     "pgoutput, which every server has: dupwatch setup --print-sql | psql creates its publication, and "
     "slot.plugin "
     "auto or pgoutput takes it."},
    {kSlot, "42883", "", kOperator, Cause::kPluginMissing,
     "The library is not an output plugin: set slot.plugin to wal2json or pgoutput."},
    {kSlot, "22023", "synchronized_standby_slots", kTransient, Cause::kStandbyBehind,
     "synchronized_standby_slots names what is no physical slot of this server: create it for the standby, "
     "or take it "
     "out; the stream waits for it."},
    {kStart | kStream, "22023", "", kOperator, Cause::kSlotWrongPlugin, kOtherPlugin},
    {kSlot, "XX000", "unrecognized pgoutput option", kOperator, Cause::kSlotWrongPlugin, kOtherPlugin},
    {kSlot, "XX000", "invalid memory alloc request size", kOperator, Cause::kPoisonRow, kPoison},
    {kSlot, "54000", "", kOperator, Cause::kPoisonRow, kPoison},

    // The table.
    {kAny, "42P01", "", kOperator, Cause::kTableMissing,
     "Put the watched table's name into table.name, and its database into connection.dsn."},
    {kAny, "3F000", "", kOperator, Cause::kTableMissing,
     "Put the watched table's name into table.name, and its database into connection.dsn."},
    {kAny, "42703", "", kOperator, Cause::kColumnMissing,
     "Name the table's columns in table.scope_columns, run_column, id_column, identity_columns and "
     "type_column."},
    {kAny, "40", "", kTransient, Cause::kConflict, kHeals},

    // The name in the DSN, the network, TLS: libpq's own words, English because the program keeps the C
    // locale.
    {kConnect, "", "invalid connection option", kOperator, Cause::kInvalidDsn, kFixDsn},
    {kConnect, "", "definition of service", kOperator, Cause::kInvalidDsn, kFixDsn},
    {kConnect, "", "service file", kOperator, Cause::kInvalidDsn, kFixDsn},
    {kConnect, "", "invalid port number", kOperator, Cause::kInvalidDsn, kFixDsn},
    {kConnect, "", "invalid integer value", kOperator, Cause::kInvalidDsn, kFixDsn},
    {kConnect, "", "host names", kOperator, Cause::kInvalidDsn, kFixDsn},
    {kConnect, "", " value: \"", kOperator, Cause::kInvalidDsn, kFixDsn},
    {kConnect, "", "no password supplied", kOperator, Cause::kWrongPassword,
     "The server asks for a password: supply it by PGPASSFILE or ${ENV} in connection.dsn."},
    {kConnect, "", "authentication method", kOperator, Cause::kAuthRefused,
     "Client and server do not agree on how to log in: compare require_auth and channel_binding with "
     "pg_hba.conf."},
    {kConnect, "", "channel binding", kOperator, Cause::kAuthRefused,
     "Client and server do not agree on how to log in: compare require_auth and channel_binding with "
     "pg_hba.conf."},
    {kConnect, "", "received invalid response", kOperator, Cause::kNotPostgres,
     "What answers there does not speak the Postgres protocol: correct host and port in connection.dsn."},
    {kConnect, "", "certificate verify failed", kOperator, Cause::kTlsRefused, kCheckTls},
    {kConnect, "", "does not match host name", kOperator, Cause::kTlsRefused, kCheckTls},
    {kConnect, "", "does not support SSL", kOperator, Cause::kTlsRefused,
     "The server has no TLS: switch it on (ssl = on), or lower sslmode in connection.dsn."},
    {kConnect, "", "certificate file", kOperator, Cause::kTlsRefused, kCheckTls},
    {kConnect, "", "private key file", kOperator, Cause::kTlsRefused, kCheckTls},
    {kConnect, "", "SSL error", kOperator, Cause::kTlsRefused, kCheckTls},
    {kConnect, "", "could not translate host name", kTransient, Cause::kUnknownHost,
     "Correct host in connection.dsn, or the name service; dupwatch tries again because a name may come up "
     "late."},
    {kConnect, "", "read-only", kTransient, Cause::kWrongServerRole,
     "No listed host is in the role that target_session_attrs asks for (failover?)."},
    {kConnect, "", "hot standby mode", kTransient, Cause::kWrongServerRole,
     "No listed host is in the role that target_session_attrs asks for (failover?)."},
    {kConnect, "", "Connection refused", kTransient, Cause::kConnectionRefused,
     "Nobody listens there: start the server, or correct host and port in connection.dsn."},
    {kConnect, "", "Is the server running", kTransient, Cause::kConnectionRefused,
     "Nobody listens there: start the server, or correct host and port in connection.dsn."},
    {kConnect, "", "timeout expired", kTransient, Cause::kConnectionTimeout, kNetworkRemedy},
    {kConnect, "", "Connection timed out", kTransient, Cause::kConnectionTimeout, kNetworkRemedy},
    {kConnect, "", "No route to host", kTransient, Cause::kNetwork, kNetworkRemedy},
    {kConnect, "", "unreachable", kTransient, Cause::kNetwork, kNetworkRemedy},
    // libpq finds no buffer for one payload.
    {kStream, "", "out of memory", kTransient, Cause::kPayloadTooLarge, kLargePayload},
    {kStream, "", "cannot allocate memory", kTransient, Cause::kPayloadTooLarge, kLargePayload},
    {kAny, "", "server closed the connection unexpectedly", kTransient, Cause::kServerClosed,
     "The server or something in between closed the connection; the server's log may say why."},
    {kAny, "", "SSL connection has been closed", kTransient, Cause::kServerClosed,
     "The server or something in between closed the connection; the server's log may say why."},
    {kAny, "", "could not receive data", kTransient, Cause::kNetwork, kNetworkRemedy},
    {kAny, "", "could not send data", kTransient, Cause::kNetwork, kNetworkRemedy},
    {kAny, "", "SSL SYSCALL error", kTransient, Cause::kNetwork, kNetworkRemedy},
    {kAny, "", "no connection to the server", kTransient, Cause::kNetwork, kNetworkRemedy},
    {kAny, "08", "", kTransient, Cause::kNetwork, kNetworkRemedy},

    // What is left, by class: states of system and class XX may heal, wrong SQL and wrong objects do not.
    {kAny, "55", "", kTransient, Cause::kServerBusy, kHeals},
    {kAny, "58", "", kTransient, Cause::kServerSystemError, "See the server's log; dupwatch tries again."},
    // Words of elog(), which no server translates.
    {kQuery, "XX000", "during recovery", kTransient, Cause::kInRecovery,
     "The server is a standby: name its primary in connection.dsn."},
    {kAny, "XX", "", kTransient, Cause::kServerInternalError, "See the server's log; dupwatch tries again."},
    {kAny, "42", "", kOperator, Cause::kQueryRefused,
     "See the server's words: the watched table is not what table.* says."},
    {kAny, "22", "", kOperator, Cause::kQueryRefused,
     "See the server's words: the watched table is not what table.* says."},
    {kAny, "0A", "", kOperator, Cause::kUnsupported, "See the server's words."},
});

}  // namespace

std::span<const ErrorRow> error_table() noexcept {
  return kRows;
}

}  // namespace dupwatch::postgres
