#include <fmt/format.h>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/checks.hpp"
#include "daemon/postgres/provider.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

constexpr std::int64_t kOldTransactionSeconds = 30;
// The probe may wait for one open transaction as long as the server's lock_timeout, and for all of them as
// long as the second figure. It occupies a slot and holds WAL back meanwhile, so both are short.
constexpr const char* kProbeLockTimeout = "SET lock_timeout = '3s'";
constexpr std::chrono::seconds kProbeTimeout{6};

/// Creates a temporary slot with the plugin and drops it. nullopt: it worked.
std::optional<Error> probe(CheckContext& context, decoder::Plugin plugin) {
  auto& replication = *context.replication;
  const auto limited = ask(replication, kProbeLockTimeout, {}, context.waiter);
  if (const auto* error = std::get_if<Error>(&limited)) return *error;
  const auto name = fmt::format("dupwatch_check_{}", replication.backend_pid());
  const auto command =
      create_slot_command(context.version, name, decoder::to_string(plugin), true, SnapshotUse::kNothing);
  const auto created = replication.execute(command, {}, context.waiter, kProbeTimeout, Stage::kCreateSlot);
  if (const auto* error = std::get_if<Error>(&created)) {
    if (left_unanswered(*error)) replication.cancel();
    return *error;
  }
  // It would end with the session, but that takes the server a moment.
  const auto dropped =
      ask(replication, "DROP_REPLICATION_SLOT " + quote_identifier(name), {}, context.waiter);
  if (const auto* error = std::get_if<Error>(&dropped)) return *error;
  return std::nullopt;
}

}  // namespace

void check_open_transactions(CheckContext& context) {
  const auto open = context.take("open_transactions",
                                 open_transactions(context.sql, kOldTransactionSeconds, context.waiter));
  if (!open) return;
  // A transaction whose age is hidden is most likely a short one; it is told, but warns of nothing.
  std::string old;
  std::size_t hidden = 0;
  for (const auto& one : *open) {
    if (!one.age_seconds) {
      ++hidden;
      continue;
    }
    if (!old.empty()) old += "; ";
    old += one.description;
  }
  if (old.empty()) {
    context.add(
        "open_transactions", Verdict::kPass,
        hidden == 0
            ? fmt::format("none older than {} s", kOldTransactionSeconds)
            : fmt::format("{} whose age this role may not see (GRANT pg_read_all_stats shows it)", hidden));
    return;
  }
  const auto& oldest = open->front();
  context.add("open_transactions", Verdict::kWarn, "creating a slot waits for: " + old,
              oldest.pid == 0
                  ? "Commit or roll back the prepared transaction (COMMIT PREPARED, ROLLBACK PREPARED)."
                  : fmt::format("SELECT pg_terminate_backend({}); -- if it may be ended", oldest.pid));
}

void check_slot(CheckContext& context) {
  const auto& wanted = context.config.slot;
  auto found = context.take("slot", find_slot(context.sql, wanted.name, context.waiter));
  if (!found) return;
  context.slot = std::move(*found);
  const auto name = quote_identifier(wanted.name);
  if (!valid_slot_name(wanted.name)) {
    context.add("slot", Verdict::kFail, "slot.name " + name + " is not legal",
                "Use lower-case letters, digits and underscores, at most 63.");
    return;
  }
  if (!context.slot) {
    const bool created = wanted.create || wanted.temporary;
    context.add("slot", created ? Verdict::kPass : Verdict::kFail,
                name + (created ? " does not exist yet; dupwatch run creates it" : " does not exist"),
                created ? "" : "Set slot.create to true, or create the slot.");
    return;
  }
  const auto& slot = *context.slot;
  const auto database = context.query("slot", "SELECT current_database()");
  if (!database) return;
  if (slot.slot_type != "logical") {
    context.add("slot", Verdict::kFail, name + " is a physical slot", "Choose another slot.name.");
  } else if (slot.database != cell(*database, 0, 0)) {
    context.add("slot", Verdict::kFail, name + " belongs to database " + quote_identifier(slot.database),
                "Choose another slot.name, or that database in connection.dsn.");
  } else if (context.standby && slot.synced) {
    context.add(
        "slot", Verdict::kFail, name + " is a copy of the primary's slot, which can't be read here",
        "Connect to the primary (target_session_attrs=read-write in connection.dsn), or choose another "
        "slot.name to decode on this standby.");
  } else if (slot.wal_status == "lost") {
    context.add("slot", Verdict::kFail,
                name + (slot.invalidation.empty() ? " is lost: the server removed WAL that it needed"
                                                  : " is lost: " + slot.invalidation),
                "dupwatch drop, then dupwatch run; and raise max_slot_wal_keep_size.");
  } else {
    const bool near = slot.wal_status == "unreserved";
    const auto holder =
        slot.active ? fmt::format("in use by pid {}", slot.active_pid) : std::string{"not in use"};
    context.add("slot", near ? Verdict::kWarn : Verdict::kPass,
                fmt::format("{} exists, plugin {}, {}, holds back {} of WAL, {}", name, slot.plugin, holder,
                            readable_bytes(slot.retained_bytes), slot.wal_status),
                near ? "It is about to be lost: start dupwatch now, or raise max_slot_wal_keep_size." : "");
  }
}

void check_slot_headroom(CheckContext& context) {
  const auto answer = context.query("replication_slots",
                                    "SELECT current_setting('max_replication_slots')::int, (SELECT count(*) "
                                    "FROM pg_catalog.pg_replication_slots),"
                                    " (SELECT string_agg(quote_ident(slot_name), ', ') FROM "
                                    "pg_catalog.pg_replication_slots WHERE NOT active)");
  if (!answer) return;
  const auto most = to_int64(cell(*answer, 0, 0));
  const auto used = to_int64(cell(*answer, 0, 1));
  const auto found = fmt::format("{} of max_replication_slots = {} in use", used, most);
  if (used < most) {
    context.add("replication_slots", Verdict::kPass, found);
    return;
  }
  const auto idle = text_cell(*answer, 0, 2);
  const auto raise = setting_remedy(
      context.provider, {"max_replication_slots", std::to_string(most + 5), std::to_string(most + 5), true});
  context.add("replication_slots", context.slot ? Verdict::kWarn : Verdict::kFail, found,
              idle.empty() ? raise
                           : fmt::format("Drop a slot that is no longer needed (not in use: {}), or: {}",
                                         idle, raise));
}

void check_plugin(CheckContext& context) {
  context.plugin =
      context.take("plugin", resolve_plugin(context.sql, context.config.slot, context.slot, context.waiter));
  if (!context.plugin) return;
  const std::string name{decoder::to_string(*context.plugin)};
  if (!context.replication) {
    context.add("plugin", Verdict::kSkip, name + ", not probed: there is no replication connection");
    return;
  }
  const auto error = probe(context, *context.plugin);
  if (!error) {
    context.add("plugin", Verdict::kPass, name + " is installed: a temporary slot was created and dropped");
  } else if (context.standby && error->cause == Cause::kTimeout) {
    context.add(
        "plugin", Verdict::kWarn,
        name + ", not probed: on a standby a slot waits until the primary logs its open transactions",
        "On the primary: SELECT pg_log_standby_snapshot(); while dupwatch check runs. dupwatch run asks "
        "for it automatically when heartbeat.dsn leads to the primary.");
  } else if (error->cause == Cause::kSlotCreationBlocked || error->cause == Cause::kTimeout) {
    context.add("plugin", Verdict::kWarn, name + ", not probed: slot creation waits for open transactions",
                "Run dupwatch check again when they have ended; dupwatch run waits for them.");
  } else if (error->cause == Cause::kSlotsExhausted) {
    context.add("plugin", Verdict::kSkip, name + ", not probed: no free replication slot");
  } else {
    context.add("plugin", *error);
    if (interrupted(*error)) context.report.stopped_by = *error;
  }
}

void check_wal_keep_size(CheckContext& context) {
  const auto answer = context.query(
      "max_slot_wal_keep_size",
      "SELECT setting::bigint, current_setting('max_slot_wal_keep_size') FROM pg_catalog.pg_settings"
      " WHERE name = 'max_slot_wal_keep_size'");
  if (!answer || row_count(*answer) == 0) return;
  if (to_int64(cell(*answer, 0, 0)) >= 0) {
    context.add("max_slot_wal_keep_size", Verdict::kPass, text_cell(*answer, 0, 1));
    return;
  }
  context.add("max_slot_wal_keep_size", Verdict::kWarn,
              "-1: a slot whose reader is down keeps WAL until the disk is full",
              setting_remedy(context.provider, {"max_slot_wal_keep_size", "10GB", "10240", false}));
}

}  // namespace dupwatch::postgres
