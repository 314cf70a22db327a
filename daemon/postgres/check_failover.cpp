#include <fmt/format.h>

#include <algorithm>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/checks.hpp"
#include "daemon/postgres/dsn.hpp"
#include "daemon/postgres/quoting.hpp"

/// Whether the slot outlives a failover: what it takes on the primary, and on each standby that the DSN
/// names.
namespace dupwatch::postgres {
namespace {

constexpr int kFailoverSlots = 170000;

/// What is wrong, and what to do; both empty = nothing.
struct Faults {
  std::string found;
  std::string fix;
  void add(std::string_view what, std::string_view how) {
    if (!found.empty()) found += "; ";
    if (!fix.empty() && !how.empty()) fix += ' ';
    found += what;
    fix += how;
  }
};

void check_synchronized_standbys(CheckContext& context) {
  const auto* name = "synchronized_standby_slots";
  const auto answer = context.query(
      name,
      "SELECT current_setting('synchronized_standby_slots'), (SELECT string_agg(quote_ident(w.slot), ', ')"
      " FROM (SELECT trim(BOTH ' \"' FROM one) FROM string_to_table("
      "nullif(current_setting('synchronized_standby_slots'), ''), ',') AS one) AS w(slot)"
      " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = w.slot"
      " AND s.slot_type = 'physical' AND s.active)), (SELECT string_agg(slot_name, ', ') FROM"
      " pg_catalog.pg_replication_slots WHERE slot_type = 'physical')");
  if (!answer) return;
  const auto listed = text_cell(*answer, 0, 0);
  const auto absent = text_cell(*answer, 0, 1);
  const auto physical = text_cell(*answer, 0, 2);
  if (listed.empty()) {
    context.add(
        name, Verdict::kWarn,
        "empty: dupwatch can be ahead of a standby, and tell of rows that are lost with the primary",
        physical.empty()
            ? "Set primary_slot_name on the standby, and name that slot here."
            : fmt::format("ALTER SYSTEM SET synchronized_standby_slots = {}; SELECT pg_reload_conf(); "
                          "-- the standbys that may be promoted",
                          quote_literal(physical)));
  } else if (!absent.empty()) {
    context.add(name, Verdict::kWarn,
                fmt::format("{}: the stream stands still while {} is not in use", listed, absent),
                "Start that standby, or take its slot out of synchronized_standby_slots.");
  } else {
    context.add(name, Verdict::kPass, listed);
  }
}

/// The copy of the primary's slot.
void judge_copy(const core::SlotConfig& wanted, const std::optional<SlotRow>& copy, Faults& faults) {
  const auto name = quote_identifier(wanted.name);
  if (!copy) {
    faults.add("no copy of slot " + name + " yet",
               "It comes within half a minute of the slot's creation, and once the slot has moved on.");
  } else if (!copy->synced) {
    faults.add("a slot " + name + " of its own stops the synchronization",
               fmt::format("There: SELECT pg_drop_replication_slot({});", quote_literal(wanted.name)));
  } else if (copy->lost()) {
    faults.add("the copy of slot " + name + " is lost", "Look at max_slot_wal_keep_size there.");
  }
}

Faults judge_standby(CheckContext& context, Connection& standby, const pg_result& settings) {
  Faults faults;
  const auto reload = [](std::string_view set) {
    return fmt::format("There: ALTER SYSTEM SET {}; SELECT pg_reload_conf();", set);
  };
  if (cell(settings, 0, 1) != "on") {
    faults.add("sync_replication_slots is off", reload("sync_replication_slots = on"));
  }
  if (cell(settings, 0, 2) != "on") {
    faults.add("hot_standby_feedback is off", reload("hot_standby_feedback = on"));
  }
  if (text_cell(settings, 0, 3).empty()) {
    faults.add("primary_slot_name is empty",
               reload("primary_slot_name = '...' (a physical slot of the primary)"));
  }
  if (cell(settings, 0, 4) == "f") {
    faults.add("primary_conninfo names no dbname", reload("primary_conninfo = '... dbname=...'"));
  }
  if (!context.slot || !context.slot->failover) return faults;
  const auto copy = find_slot(standby, context.config.slot.name, context.waiter);
  if (const auto* error = std::get_if<Error>(&copy)) {
    faults.add(error->message, error->remedy);
  } else {
    judge_copy(context.config.slot, std::get<std::optional<SlotRow>>(copy), faults);
  }
  return faults;
}

void check_standby(CheckContext& context, const Endpoint& endpoint) {
  const auto name =
      fmt::format("standby {}:{}", endpoint.host.empty() ? endpoint.hostaddr : endpoint.host, endpoint.port);
  auto connection = context.config.connection;
  connection.server = {.host = endpoint.host,
                       .hostaddr = endpoint.hostaddr,
                       .port = endpoint.port,
                       .started = {},
                       .any_role = true};
  auto opened = Connection::open(connection, Connection::Kind::kSql, context.waiter);
  if (const auto* error = std::get_if<Error>(&opened)) {
    context.add(name, Verdict::kWarn, error->message, error->remedy);
    if (interrupted(*error)) context.report.stopped_by = *error;
    return;
  }
  auto& standby = std::get<Connection>(opened);
  // Only pg_read_all_settings shows primary_conninfo; it may hold a password and stays there.
  const auto answer = ask(standby,
                          "SELECT pg_is_in_recovery(), current_setting('sync_replication_slots', true),"
                          " current_setting('hot_standby_feedback'), current_setting('primary_slot_name'),"
                          " (SELECT setting ~ '\\mdbname *= *[^ ]' FROM pg_catalog.pg_settings WHERE name ="
                          " 'primary_conninfo')",
                          {}, context.waiter);
  if (const auto* error = std::get_if<Error>(&answer)) {
    context.add(name, Verdict::kWarn, error->message, error->remedy);
    return;
  }
  const auto& settings = *std::get<Result>(answer);
  if (cell(settings, 0, 0) != "t") {
    context.add(name, Verdict::kSkip, "is no standby");
    return;
  }
  const auto faults = judge_standby(context, standby, settings);
  const bool well = faults.found.empty();
  context.add(
      name, well ? Verdict::kPass : Verdict::kWarn,
      well ? std::string{context.slot ? "has a copy of the slot" : "synchronizes slots"} : faults.found,
      faults.fix);
}

void check_standbys(CheckContext& context) {
  const auto parsed = Dsn::parse(context.config.connection.dsn);
  const auto* dsn = std::get_if<Dsn>(&parsed);
  if (dsn == nullptr) return;
  const auto endpoints = dsn->endpoints();
  if (endpoints.size() < 2) {
    context.add(
        "standbys", Verdict::kSkip,
        "connection.dsn names one server: standbys are not looked at, and after a failover the primary "
        "has to answer at the same address",
        "Name all of them: host=a,b target_session_attrs=read-write.");
    return;
  }
  const auto here = context.sql.server();
  for (const auto& endpoint : endpoints) {
    const auto& host = endpoint.host.empty() ? endpoint.hostaddr : endpoint.host;
    if (context.report.stopped_by) return;
    if (host != here.host || endpoint.port != here.port) check_standby(context, endpoint);
  }
}

}  // namespace

void check_failover(CheckContext& context) {
  const auto& wanted = context.config.slot;
  const bool is_one = context.slot && context.slot->failover;
  const auto* name = "failover";
  if (!wanted.failover && !is_one) {
    context.add(name, Verdict::kPass,
                "off: after a failover the slot is recreated, with a gap that a scan closes");
    return;
  }
  if (context.version < kFailoverSlots) {
    context.add(name, Verdict::kWarn, "slot.failover has no effect before Postgres 17",
                "Set slot.failover to false: a failover is then a gap that a scan closes.");
    return;
  }
  if (context.standby) {
    context.add(name, Verdict::kWarn, "slot.failover has no effect: a slot made on a standby is not copied",
                "Set slot.failover to false, or connect to the primary.");
    return;
  }
  if (context.slot && !is_one) {
    context.add(
        name, wanted.create ? Verdict::kPass : Verdict::kWarn,
        "the slot is no failover slot" + std::string{wanted.create ? " yet; dupwatch run makes it one" : ""},
        wanted.create ? "" : "Drop it and create it with failover => true, or set slot.create to true.");
  } else {
    context.add(name, Verdict::kPass,
                is_one ? "the slot is a failover slot" : "the slot will be a failover slot");
  }
  check_synchronized_standbys(context);
  check_standbys(context);
}

}  // namespace dupwatch::postgres
