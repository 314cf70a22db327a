#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/checks.hpp"
#include "daemon/postgres/provider.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {

void check_provider(CheckContext& context) {
  const auto answer = context.query("provider", provider_query());
  if (!answer) return;
  context.provider = recognise_provider(text_cell(*answer, 0, 0), cell(*answer, 0, 1) == "t");
  const auto trap = provider_trap(context.provider);
  context.add("provider", Verdict::kPass,
              fmt::format("{}{}{} (config/providers/{})", provider_name(context.provider),
                          trap.empty() ? "" : ": ", trap, provider_page(context.provider)));
}

void check_version(CheckContext& context) {
  const auto version = context.version;
  const auto found = fmt::format("Postgres {}", context.sql.parameter("server_version"));
  // One release of all branches grew logical decoding's memory until "invalid memory alloc request size".
  constexpr std::array kRegressed = {140018, 150013, 160009, 170005};
  if (version < 140000) {
    context.add("version", Verdict::kFail, found, "Use Postgres 14 or later.");
  } else if (std::find(kRegressed.begin(), kRegressed.end(), version) != kRegressed.end()) {
    context.add("version", Verdict::kWarn,
                found + ": logical decoding of this minor release can run out of memory",
                "Update to the branch's latest minor release.");
  } else if (version < 150000) {
    context.add("version", Verdict::kWarn,
                found + ": a publication can't leave columns out, so whole rows are sent",
                "Postgres 15 and later have column lists.");
  } else if (version >= 190000) {
    context.add("version", Verdict::kWarn, found + ": newer than this dupwatch was tested with (14 to 18)");
  } else {
    context.add("version", Verdict::kPass, found);
  }
}

namespace {

/// What a standby as a source needs beside the slot.
void check_source_standby(CheckContext& context, bool has_slot) {
  if (has_slot) {
    context.add("primary_slot", Verdict::kPass, "the standby has a slot on its primary");
  } else {
    context.add(
        "primary_slot", Verdict::kWarn,
        "primary_slot_name is empty: while the standby is away the primary forgets what the slot needs",
        "On the standby: ALTER SYSTEM SET primary_slot_name = '...' (a physical slot of the primary); "
        "SELECT pg_reload_conf();");
  }
  const auto& heartbeat = context.config.heartbeat;
  if (heartbeat.interval.count() != 0 && heartbeat.dsn.empty()) {
    context.add("heartbeat", Verdict::kWarn, "heartbeat.dsn is empty, and a standby can't be written",
                "Set heartbeat.dsn to the primary, or heartbeat.interval to 0s.");
  }
}

}  // namespace

void check_server_role(CheckContext& context) {
  const auto answer =
      context.query("server_role",
                    "SELECT pg_is_in_recovery(), current_setting('hot_standby_feedback')::bool,"
                    " current_setting('primary_slot_name') <> ''");
  if (!answer) return;
  context.standby = cell(*answer, 0, 0) == "t";
  if (!context.standby) {
    context.add("server_role", Verdict::kPass, "primary");
  } else if (context.version < 160000) {
    context.add(
        "server_role", Verdict::kFail, "standby: before Postgres 16 only a primary decodes",
        "Connect to the primary: name it in connection.dsn, or set target_session_attrs=primary there.");
  } else if (cell(*answer, 0, 1) != "t") {
    context.add(
        "server_role", Verdict::kWarn,
        "standby without hot_standby_feedback: the primary can invalidate the slot",
        "On the standby: " + setting_remedy(context.provider, {"hot_standby_feedback", "on", "on", false}));
  } else {
    context.add("server_role", Verdict::kPass, "standby with hot_standby_feedback");
  }
  if (context.standby && context.version >= 160000) check_source_standby(context, cell(*answer, 0, 2) == "t");
}

void check_wal_level(CheckContext& context) {
  const auto answer = context.query("wal_level", "SELECT current_setting('wal_level')");
  if (!answer) return;
  const auto level = text_cell(*answer, 0, 0);
  if (level == "logical") {
    context.add("wal_level", Verdict::kPass, level);
    return;
  }
  context.add("wal_level", Verdict::kFail, level, logical_remedy(context.provider));
}

void check_replication_right(CheckContext& context) {
  // Amazon RDS never sets rolreplication: membership of a role of its own stands for it.
  const auto answer = context.query(
      "replication_right",
      "SELECT r.rolname, r.rolsuper, r.rolreplication, EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE "
      "g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'MEMBER')) FROM pg_catalog.pg_roles r "
      "WHERE r.rolname = current_user");
  if (!answer || row_count(*answer) == 0) return;
  const auto role = quote_identifier(text_cell(*answer, 0, 0));
  if (cell(*answer, 0, 1) == "t") {
    context.add("replication_right", Verdict::kWarn,
                "role " + role + " is a superuser, which is more than is needed",
                "Run the SQL of dupwatch setup --print-sql for a role of dupwatch's own.");
  } else if (cell(*answer, 0, 2) == "t") {
    context.add("replication_right", Verdict::kPass, "role " + role + " has REPLICATION");
  } else if (cell(*answer, 0, 3) == "t") {
    context.add("replication_right", Verdict::kPass, "role " + role + " is a member of rds_replication");
  } else {
    context.add("replication_right", Verdict::kFail, "role " + role + " may not replicate",
                replication_remedy(context.provider, role));
  }
}

void check_replication_connection(CheckContext& context) {
  auto opened = Connection::open(context.config.connection, Connection::Kind::kReplication, context.waiter);
  if (const auto* error = std::get_if<Error>(&opened)) {
    context.add(error->cause == Cause::kPooler ? "not_a_pooler" : "replication_connection", *error);
    if (interrupted(*error)) context.report.stopped_by = *error;
    return;
  }
  auto& replication = std::get<Connection>(opened);
  const auto system = identify_system(replication, context.waiter);
  if (const auto* error = std::get_if<Error>(&system)) {
    context.add(error->cause == Cause::kPooler ? "not_a_pooler" : "replication_connection", *error);
    return;
  }
  const auto& identity = std::get<SystemIdentity>(system);
  context.add("replication_connection", Verdict::kPass,
              fmt::format("system {}, timeline {}, WAL at {}", identity.system_identifier, identity.timeline,
                          decoder::to_string(identity.wal_position)));
  context.replication = std::move(replication);
}

void check_pooler(CheckContext& context) {
  // A pooler hands out process ids of its own; the server itself knows the true one.
  const auto answer = context.query("not_a_pooler", "SELECT pg_backend_pid()");
  if (!answer) return;
  if (to_int64(cell(*answer, 0, 0)) == context.sql.backend_pid()) {
    context.add("not_a_pooler", Verdict::kPass, "direct connection, no pooler");
    return;
  }
  context.add("not_a_pooler", Verdict::kWarn,
              "something between dupwatch and the server answers (a pooler or proxy)",
              "Connect to Postgres itself: put the direct host and port into connection.dsn.");
}

void check_senders(CheckContext& context) {
  const auto answer =
      context.query("wal_senders",
                    "SELECT current_setting('max_wal_senders')::int, (SELECT count(*) FROM"
                    " pg_catalog.pg_stat_replication),"
                    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout')");
  if (!answer) return;
  const auto most = to_int64(cell(*answer, 0, 0));
  // This check's own connection counts among those in use.
  const auto used = to_int64(cell(*answer, 0, 1)) - (context.replication ? 1 : 0);
  const bool full = used >= most;
  context.add("wal_senders",
              full               ? Verdict::kFail
              : used + 1 >= most ? Verdict::kWarn
                                 : Verdict::kPass,
              fmt::format("{} of max_wal_senders = {} in use", used, most),
              used + 1 < most ? std::string{}
                              : setting_remedy(context.provider, {"max_wal_senders", std::to_string(most + 5),
                                                                  std::to_string(most + 5), true}));
  const auto timeout = to_int64(cell(*answer, 0, 2));
  if (timeout == 0) {
    context.add("wal_sender_timeout", Verdict::kWarn,
                "0: the server never gives up a connection that is dead",
                setting_remedy(context.provider, {"wal_sender_timeout", "60s", "60000", false}));
  } else {
    context.add("wal_sender_timeout", Verdict::kPass, fmt::format("{} ms", timeout));
  }
}

void check_connections(CheckContext& context) {
  const auto answer = context.query(
      "connections",
      "SELECT current_setting('max_connections')::int - "
      "current_setting('superuser_reserved_connections')::int,"
      " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'), "
      "rolconnlimit,"
      " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = current_user), quote_ident(rolname)"
      " FROM pg_catalog.pg_roles WHERE rolname = current_user");
  if (!answer || row_count(*answer) == 0) return;
  const auto most = to_int64(cell(*answer, 0, 0));
  const auto used = to_int64(cell(*answer, 0, 1));
  const auto limit = to_int64(cell(*answer, 0, 2));
  // dupwatch keeps one SQL session and one replication session.
  if (limit >= 0 && limit < 2) {
    context.add("connections", Verdict::kFail,
                fmt::format("the role may open {} sessions, dupwatch needs 2", limit),
                "ALTER ROLE " + text_cell(*answer, 0, 4) + " CONNECTION LIMIT -1;");
    return;
  }
  const bool tight = most - used < 3;
  context.add("connections", tight ? Verdict::kWarn : Verdict::kPass,
              fmt::format("{} of {} in use", used, most),
              tight ? "Close idle sessions, or raise max_connections." : "");
}

void check_commit_timestamps(CheckContext& context) {
  const auto tracked = context.take("commit_timestamps", tracks_commit_time(context.sql, context.waiter));
  if (!tracked) return;
  context.add("commit_timestamps", Verdict::kPass,
              *tracked ? "on"
                       : "off: findings on rows that are read back, not streamed, carry no commit time (set "
                         "track_commit_timestamp = on and restart to have it, where the provider allows it)");
}

}  // namespace dupwatch::postgres
