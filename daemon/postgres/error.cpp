#include "daemon/postgres/error.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace dupwatch::postgres {
namespace {

using Stages = std::uint8_t;
constexpr Stages bit(Stage stage) {
  return static_cast<Stages>(1U << static_cast<unsigned>(stage));
}
constexpr Stages kConnect = bit(Stage::kConnect);
constexpr Stages kQuery = bit(Stage::kQuery);
constexpr Stages kCreate = bit(Stage::kCreateSlot);
constexpr Stages kStart = bit(Stage::kStartReplication);
constexpr Stages kStream = bit(Stage::kStream);
constexpr Stages kSlot = kCreate | kStart | kStream;
constexpr Stages kAny = kConnect | kQuery | kSlot;

/// `state`: five characters, a class of two, or empty for any. `text`: part of the message, or empty for any.
/// In a remedy %1 stands for the first quoted name of the message; <role> and <database> are filled in by
/// Connection.
struct Row {
  Stages stages;
  std::string_view state;
  std::string_view text;
  Fault fault;
  std::string_view reason;
  std::string_view remedy;
};

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
constexpr auto kRows = std::to_array<Row>({
    // Poolers: whatever the state, the words are theirs alone.
    {kAny, "", "unsupported startup parameter", kOperator, "pooler", kUseDirect},
    {kAny, "42601", "IDENTIFY_SYSTEM", kOperator, "pooler", kUseDirect},
    {kAny, "42601", "CREATE_REPLICATION_SLOT", kOperator, "pooler", kUseDirect},
    {kAny, "42601", "START_REPLICATION", kOperator, "pooler", kUseDirect},

    // Who we are.
    {kAny, "28P01", "", kOperator, "wrong_password",
     "Correct the password of role <role> (PGPASSFILE, or ${ENV} in connection.dsn), or set it with "
     "\\password."},
    {kConnect, "28000", "no encryption", kOperator, "auth_refused",
     "pg_hba.conf has no entry for this user, database and address without TLS: set sslmode=require in "
     "connection.dsn, or add a `host` line and SELECT pg_reload_conf();"},
    {kConnect, "28000", "pg_hba.conf", kOperator, "auth_refused",
     "Add a line for this user, database and address to pg_hba.conf (the database's name, not `replication`: "
     "logical "
     "replication matches by database) and SELECT pg_reload_conf();"},
    {kConnect, "28000", "does not exist", kOperator, "unknown_role",
     "CREATE ROLE <role> LOGIN REPLICATION; (dupwatch setup --print-sql has it with the grants)."},
    {kConnect, "28000", "not permitted to log in", kOperator, "role_without_login",
     "ALTER ROLE <role> LOGIN;"},
    {kAny, "28", "", kOperator, "auth_refused",
     "The server refused the login: check user and password in connection.dsn, and pg_hba.conf."},
    {kConnect, "3D000", "", kOperator, "unknown_database",
     "Put the database of the watched table into connection.dsn (dbname=...)."},
    {kAny, "42501", "WAL sender", kOperator, "no_replication_right", kGiveReplication},
    {kAny, "42501", "walsender", kOperator, "no_replication_right", kGiveReplication},
    {kSlot, "42501", "output_plugin_libraries", kOperator, "plugin_not_allowed", kAllowPlugin},
    {kSlot, "42501", "", kOperator, "no_replication_right", kGiveReplication},
    {kQuery, "42501", "row-level security", kOperator, "row_security", kLiftRowSecurity},
    {kQuery, "42501", "replication", kOperator, "no_replication_right", kGiveReplication},
    {kConnect, "42501", "", kOperator, "no_connect_right", "GRANT CONNECT ON DATABASE <database> TO <role>;"},
    {kQuery, "42501", "", kOperator, "no_select_right", kGrantSelect},

    // Room on the server.
    {kAny, "53300", "(currently 0)", kOperator, "senders_exhausted",
     "ALTER SYSTEM SET max_wal_senders = 10; then restart the server (managed services have a setting of "
     "their own, which dupwatch check names)."},
    {kAny, "53300", "max_wal_senders", kTransient, "senders_exhausted",
     "End replication clients that are not needed (SELECT pid, application_name FROM pg_stat_replication;), "
     "or raise max_wal_senders by ALTER SYSTEM and restart the server (managed services have a setting of "
     "their own, which dupwatch check names)."},
    {kAny, "53300", "", kTransient, "too_many_connections",
     "Close idle sessions, raise max_connections, or exempt dupwatch's role (ALTER ROLE <role> CONNECTION "
     "LIMIT -1;)."},
    {kAny, "53400", "", kOperator, "slots_exhausted", kFreeSlots},
    {kAny, "53100", "", kTransient, "server_disk_full", "Free disk space on the server."},
    {kAny, "53", "", kTransient, "server_out_of_resources", "The server lacks memory or disk: see its log."},

    // The server as a whole.
    {kAny, "57P03", "", kTransient, "server_starting", kHeals},
    {kAny, "57P01", "", kTransient, "terminated",
     "The server shut down or somebody ended the session; dupwatch connects again. If the slot was "
     "invalidated, the "
     "next start says so."},
    {kAny, "57P02", "", kTransient, "server_crashed", kHeals},
    {kCreate, "55P03", "", kTransient, "slot_creation_blocked",
     "Slot creation waits for transactions that were open when it began: end the oldest (SELECT pid, "
     "xact_start, state "
     "FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start;)."},
    {kCreate, "57014", "", kTransient, "slot_creation_blocked",
     "Slot creation was cancelled: see pg_stat_activity for transactions that are open for long."},
    {kAny, "55P03", "", kTransient, "lock_timeout",
     "Another session holds a lock on the table; dupwatch tries again."},
    {kAny, "57014", "", kTransient, "statement_timeout",
     "The query took longer than statement_timeout; dupwatch tries again. Set options='-c "
     "statement_timeout=...' in "
     "connection.dsn to allow more."},
    {kAny, "57", "", kTransient, "server_stopped_us", kHeals},

    // The slot and the plugin.
    {kAny, "55006", "", kTransient, "slot_in_use",
     "Another session holds the slot: stop the second dupwatch, or give this one its own slot.name. A "
     "session whose "
     "client is gone ends by itself after wal_sender_timeout."},
    {kAny, "42710", "", kTransient, "slot_exists",
     "Another session has created the slot meanwhile; dupwatch uses it."},
    {kStream, "42704", "", kOperator, "publication_missing", kMakePublication},
    {kAny, "42704", "publication", kOperator, "publication_missing", kMakePublication},
    {kAny, "42704", "replication slot", kOperator, "slot_missing",
     "The slot %1 does not exist: set slot.create to true, or create it. What was written since it was "
     "dropped is not "
     "in the stream."},
    {kSlot, "42704", "", kOperator, "slot_missing",
     "The slot does not exist: set slot.create to true, or create it. What was written since it was dropped "
     "is not in "
     "the stream."},
    {kAny, "55000", "wal_level", kOperator, "not_logical", kSetLogical},
    {kAny, "55000", "was not created in this database", kOperator, "slot_wrong_database",
     "Slot %1 belongs to another database: choose another slot.name, or the slot's database in "
     "connection.dsn."},
    {kAny, "55000", "synchronized_standby_slots", kTransient, "standby_behind",
     "A standby named in synchronized_standby_slots is down or behind: the stream waits for it."},
    {kAny, "55000", "standby_slot_names", kTransient, "standby_behind",
     "A standby named in standby_slot_names is down or behind: the stream waits for it."},
    {kAny, "55000", "physical replication slot", kOperator, "slot_wrong_kind",
     "Slot %1 is a physical one: choose another slot.name."},
    {kAny, "55000", "being synchronized", kTransient, "slot_synced", kSyncedSlot},
    {kAny, "55000", "synced from the primary", kTransient, "slot_synced", kSyncedSlot},
    {kAny, "55000", "cannot read from logical replication slot", kLost, "slot_lost", kLostSlot},
    {kAny, "55000", "can no longer get changes", kLost, "slot_lost", kLostSlot},
    {kAny, "55000", "can no longer access replication slot", kLost, "slot_lost", kLostSlot},
    {kAny, "55000", "invalidated", kLost, "slot_lost", kLostSlot},
    {kSlot, "", "has already been removed", kLost, "slot_lost", kLostSlot},
    {kAny, "55000", "", kOperator, "not_in_required_state", "See the server's words and its log."},
    {kAny, "0A000", "recovery", kOperator, "standby_unsupported",
     "This server is a standby older than Postgres 16: connect to the primary "
     "(target_session_attrs=primary in "
     "connection.dsn)."},
    {kSlot, "0A000", "proto_version", kOperator, "version_unsupported",
     "The server is older than Postgres 14 or newer than this dupwatch knows."},
    {kAny, "25006", "", kTransient, "read_only",
     "The server is a standby at the moment (failover?). Name the primary, or "
     "target_session_attrs=primary, in "
     "connection.dsn."},
    {kSlot, "58P01", "pg_logical", kTransient, "server_spill_file", kHeals},
    {kSlot, "58P01", "", kOperator, "plugin_missing",
     "The output plugin is not installed on the server. Install it (apt install "
     "postgresql-<major>-wal2json), or use "
     "pgoutput, which every server has: dupwatch setup --print-sql | psql creates its publication, and "
     "slot.plugin "
     "auto or pgoutput takes it."},
    {kSlot, "42883", "", kOperator, "plugin_missing",
     "The library is not an output plugin: set slot.plugin to wal2json or pgoutput."},
    {kStart | kStream, "22023", "", kOperator, "slot_wrong_plugin", kOtherPlugin},
    {kSlot, "XX000", "unrecognized pgoutput option", kOperator, "slot_wrong_plugin", kOtherPlugin},
    {kSlot, "XX000", "invalid memory alloc request size", kOperator, "poison_row", kPoison},
    {kSlot, "54000", "", kOperator, "poison_row", kPoison},

    // The table.
    {kAny, "42P01", "", kOperator, "table_missing",
     "Put the watched table's name into table.name, and its database into connection.dsn."},
    {kAny, "3F000", "", kOperator, "table_missing",
     "Put the watched table's name into table.name, and its database into connection.dsn."},
    {kAny, "42703", "", kOperator, "column_missing",
     "Name the table's columns in table.run_column, id_column, identity_columns and type_column."},
    {kAny, "40", "", kTransient, "conflict", kHeals},

    // The name in the DSN, the network, TLS: libpq's own words, English because the program keeps the C
    // locale.
    {kConnect, "", "invalid connection option", kOperator, "invalid_dsn", kFixDsn},
    {kConnect, "", "definition of service", kOperator, "invalid_dsn", kFixDsn},
    {kConnect, "", "service file", kOperator, "invalid_dsn", kFixDsn},
    {kConnect, "", "invalid port number", kOperator, "invalid_dsn", kFixDsn},
    {kConnect, "", "invalid integer value", kOperator, "invalid_dsn", kFixDsn},
    {kConnect, "", "host names", kOperator, "invalid_dsn", kFixDsn},
    {kConnect, "", " value: \"", kOperator, "invalid_dsn", kFixDsn},
    {kConnect, "", "no password supplied", kOperator, "wrong_password",
     "The server asks for a password: supply it by PGPASSFILE or ${ENV} in connection.dsn."},
    {kConnect, "", "authentication method", kOperator, "auth_refused",
     "Client and server do not agree on how to log in: compare require_auth and channel_binding with "
     "pg_hba.conf."},
    {kConnect, "", "channel binding", kOperator, "auth_refused",
     "Client and server do not agree on how to log in: compare require_auth and channel_binding with "
     "pg_hba.conf."},
    {kConnect, "", "received invalid response", kOperator, "not_postgres",
     "What answers there does not speak the Postgres protocol: correct host and port in connection.dsn."},
    {kConnect, "", "certificate verify failed", kOperator, "tls_refused", kCheckTls},
    {kConnect, "", "does not match host name", kOperator, "tls_refused", kCheckTls},
    {kConnect, "", "does not support SSL", kOperator, "tls_refused",
     "The server has no TLS: switch it on (ssl = on), or lower sslmode in connection.dsn."},
    {kConnect, "", "certificate file", kOperator, "tls_refused", kCheckTls},
    {kConnect, "", "private key file", kOperator, "tls_refused", kCheckTls},
    {kConnect, "", "SSL error", kOperator, "tls_refused", kCheckTls},
    {kConnect, "", "could not translate host name", kTransient, "unknown_host",
     "Correct host in connection.dsn, or the name service; dupwatch tries again because a name may come up "
     "late."},
    {kConnect, "", "read-only", kTransient, "wrong_server_role",
     "No listed host is in the role that target_session_attrs asks for (failover?)."},
    {kConnect, "", "hot standby mode", kTransient, "wrong_server_role",
     "No listed host is in the role that target_session_attrs asks for (failover?)."},
    {kConnect, "", "Connection refused", kTransient, "connection_refused",
     "Nobody listens there: start the server, or correct host and port in connection.dsn."},
    {kConnect, "", "Is the server running", kTransient, "connection_refused",
     "Nobody listens there: start the server, or correct host and port in connection.dsn."},
    {kConnect, "", "timeout expired", kTransient, "connection_timeout", kNetworkRemedy},
    {kConnect, "", "Connection timed out", kTransient, "connection_timeout", kNetworkRemedy},
    {kConnect, "", "No route to host", kTransient, "network", kNetworkRemedy},
    {kConnect, "", "unreachable", kTransient, "network", kNetworkRemedy},
    // libpq finds no buffer for one payload.
    {kStream, "", "out of memory", kTransient, "payload_too_large", kLargePayload},
    {kStream, "", "cannot allocate memory", kTransient, "payload_too_large", kLargePayload},
    {kAny, "", "server closed the connection unexpectedly", kTransient, "server_closed",
     "The server or something in between closed the connection; the server's log may say why."},
    {kAny, "", "SSL connection has been closed", kTransient, "server_closed",
     "The server or something in between closed the connection; the server's log may say why."},
    {kAny, "", "could not receive data", kTransient, "network", kNetworkRemedy},
    {kAny, "", "could not send data", kTransient, "network", kNetworkRemedy},
    {kAny, "", "SSL SYSCALL error", kTransient, "network", kNetworkRemedy},
    {kAny, "", "no connection to the server", kTransient, "network", kNetworkRemedy},
    {kAny, "08", "", kTransient, "network", kNetworkRemedy},

    // What is left, by class: states of system and class XX may heal, wrong SQL and wrong objects do not.
    {kAny, "55", "", kTransient, "server_busy", kHeals},
    {kAny, "58", "", kTransient, "server_system_error", "See the server's log; dupwatch tries again."},
    {kAny, "XX", "", kTransient, "server_internal_error", "See the server's log; dupwatch tries again."},
    {kAny, "42", "", kOperator, "query_refused",
     "See the server's words: the watched table is not what table.* says."},
    {kAny, "22", "", kOperator, "query_refused",
     "See the server's words: the watched table is not what table.* says."},
    {kAny, "0A", "", kOperator, "unsupported", "See the server's words."},
});

// For what no row knows.
constexpr std::string_view kUnknown = "unknown";
constexpr std::string_view kServerError = "server_error";

bool fits(const Row& row, Stages stage, std::string_view sqlstate, std::string_view message) {
  if ((row.stages & stage) == 0) return false;
  // A row without state speaks of libpq's own words, unless it has the words of a server that any state may
  // carry.
  if (!row.state.empty() && !sqlstate.starts_with(row.state)) return false;
  return row.text.empty() || message.find(row.text) != std::string_view::npos;
}

/// The first name in double quotes; Postgres doubles no quotes there, so a name that holds one is cut: a
/// remedy with half a name is still a hint.
std::optional<std::string_view> first_quoted(std::string_view message) {
  const auto open = message.find('"');
  if (open == std::string_view::npos) return std::nullopt;
  const auto close = message.find('"', open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return message.substr(open, close - open + 1);
}

/// Position of "XXXXX: " behind the two blanks that end a severity, npos without one.
std::size_t sqlstate_at(std::string_view text, std::size_t from) {
  const auto code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  for (auto at = text.find(":  ", from); at != std::string_view::npos; at = text.find(":  ", at + 1)) {
    const auto rest = text.substr(at + 3);
    if (rest.size() >= 7 && rest.substr(5, 2) == ": " && std::all_of(rest.begin(), rest.begin() + 5, code))
      return at + 3;
  }
  return std::string_view::npos;
}

std::string fill(std::string_view remedy, std::string_view message) {
  std::string text{remedy};
  const auto place = text.find("%1");
  if (place != std::string::npos) text.replace(place, 2, first_quoted(message).value_or("in question"));
  return text;
}

}  // namespace

std::string_view to_string(Fault fault) noexcept {
  switch (fault) {
    case Fault::kTransient:
      return "transient";
    case Fault::kNeedsOperator:
      return "needs_operator";
    case Fault::kSlotLost:
      return "slot_lost";
  }
  return "?";
}

std::string find_sqlstate(std::string_view text) {
  std::string found;
  for (auto at = sqlstate_at(text, 0); at != std::string_view::npos; at = sqlstate_at(text, at)) {
    found = text.substr(at, 5);
  }
  return found;
}

std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string part{text.substr(0, end)};
    text.remove_prefix(std::min(end + 1, text.size()));
    for (auto at = sqlstate_at(part, 0); at != std::string::npos; at = sqlstate_at(part, at))
      part.erase(at - 1, 8);
    const auto first = part.find_first_not_of(" \t\r");
    if (first == std::string::npos || part.compare(first, 9, "LOCATION:") == 0) continue;
    part.erase(part.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) line += "; ";
    line += part.substr(first);
  }
  // Other control characters could end a log line or drive a terminal.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return line;
}

Error classify(Stage stage, std::string_view sqlstate, std::string_view message) {
  Error error;
  error.sqlstate = sqlstate;
  error.message = message;
  for (const auto& row : kRows) {
    if (!fits(row, bit(stage), sqlstate, message)) continue;
    error.fault = row.fault;
    error.reason = row.reason;
    error.remedy = fill(row.remedy, message);
    return error;
  }
  // Unknown trouble is retried: stopping for what would have healed leaves the log unwatched.
  error.fault = Fault::kTransient;
  error.reason = sqlstate.empty() ? kUnknown : kServerError;
  error.remedy = "See the server's words and its log; dupwatch tries again.";
  return error;
}

bool ends_session(const Error& error) noexcept {
  return error.sqlstate == "57P01" || error.sqlstate == "57P02";
}

bool refuses_sessions(const Error& error) noexcept {
  return error.sqlstate == "57P03";
}

bool says_goodbye(const Error& error) noexcept {
  return ends_session(error) || refuses_sessions(error);
}

std::vector<std::string_view> known_reasons() {
  std::vector<std::string_view> reasons{kUnknown, kServerError};
  for (const auto& row : kRows) reasons.push_back(row.reason);
  std::sort(reasons.begin(), reasons.end());
  reasons.erase(std::unique(reasons.begin(), reasons.end()), reasons.end());
  return reasons;
}

}  // namespace dupwatch::postgres
