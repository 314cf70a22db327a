#include "daemon/run/attach.hpp"

#include <fmt/format.h>

#include <utility>

#include "daemon/postgres/form_faults.hpp"
#include "daemon/postgres/scan_queries.hpp"
#include "daemon/run/slot_creation.hpp"

namespace dupwatch::run {
namespace {

using postgres::Cause;
using postgres::Connection;
using postgres::Error;
using postgres::Fault;

Error operator_error(Cause cause, std::string message, std::string remedy) {
  return Error{.fault = Fault::kNeedsOperator,
               .cause = cause,
               .sqlstate = {},
               .message = std::move(message),
               .remedy = std::move(remedy)};
}

/// The value, or remembers the error and gives a default; `error` is checked once after a group of questions.
template <class T>
T value_or_error(std::variant<T, Error> answer, std::optional<Error>& error) {
  if (auto* failed = std::get_if<Error>(&answer)) {
    if (!error) error = std::move(*failed);
    return T{};
  }
  return std::get<T>(std::move(answer));
}

/// Why the table can't be watched as it is; warnings go to the log.
std::optional<Error> form_problem(const postgres::FormQuestion& question,
                                  const std::optional<postgres::TableForm>& table, bool standby,
                                  process::Log& log) {
  auto problems = postgres::find_form_faults(question, table);
  for (const auto& problem : problems) {
    if (problem.refuses) continue;
    log.warn(problem.found, {{"reason", std::string(to_string(problem.fault))}, {"remedy", problem.fix}});
  }
  auto refused = postgres::refusal(std::move(problems));
  if (!refused) return std::nullopt;
  auto remedy = std::move(refused->fix);
  if (postgres::is_of_publication(refused->fault)) {
    remedy += standby ? " (on the primary; dupwatch setup --print-sql has it too)"
                      : " (dupwatch setup --print-sql has it too)";
  }
  return operator_error(cause_of(refused->fault), std::move(refused->found), std::move(remedy));
}

std::optional<Error> slot_problem(const core::Config& config, const std::optional<postgres::SlotRow>& slot,
                                  decoder::Plugin plugin, const std::string& database) {
  if (!slot) {
    if (config.slot.create) return std::nullopt;
    return operator_error(Cause::kSlotMissing,
                          fmt::format("replication slot {} does not exist", config.slot.name),
                          "set slot.create: true, or create it");
  }
  if (slot->slot_type != "logical" || slot->plugin != to_string(plugin)) {
    return operator_error(
        Cause::kSlotWrongPlugin,
        fmt::format("replication slot {} is of plugin {}, wanted {}", config.slot.name,
                    slot->plugin.empty() ? "none (physical)" : slot->plugin, to_string(plugin)),
        "set slot.plugin: auto or another slot.name, or drop the slot with `dupwatch drop`");
  }
  if (slot->database != database) {
    return operator_error(
        Cause::kSlotWrongDatabase,
        fmt::format("replication slot {} belongs to database {}", config.slot.name, slot->database),
        "set another slot.name for this database");
  }
  return std::nullopt;
}

std::optional<Error> slot_loss(const core::Config& config, const postgres::SlotRow& slot, bool standby) {
  if (!slot.lost()) return std::nullopt;
  // A standby gives a slot up for a conflict with its primary: Postgres 16 says no more than that.
  const bool conflict = standby && !slot.invalidation.empty() && slot.invalidation != "wal_removed" &&
                        slot.invalidation != "idle_timeout";
  return Error{
      .fault = Fault::kSlotLost,
      .cause = Cause::kSlotLost,
      .sqlstate = {},
      .message =
          fmt::format("replication slot {} is lost: the server {}", config.slot.name,
                      slot.invalidation.empty() ? "removed WAL it needed"
                                                : fmt::format("invalidated it ({})", slot.invalidation)),
      .remedy =
          conflict
              ? "the standby needs hot_standby_feedback = on and a slot on its primary "
                "(primary_slot_name), or the primary removes rows that the slot needs; the primary needs "
                "wal_level = logical"
              : "raise max_slot_wal_keep_size so that the slot outlives what held it back; with "
                "slot.lost_policy: stop, drop it with `dupwatch drop` and start again"};
}

/// Everything that SQL can tell before the slot is touched.
std::optional<Error> look_over(const core::Config& config, Connection& sql, postgres::Waiter& waiter,
                               process::Log& log, Attachment& out, std::optional<postgres::SlotRow>& slot) {
  std::optional<Error> error;
  const auto table =
      value_or_error(postgres::find_table(sql, config.profile, config.slot.publication, waiter), error);
  if (error) return error;
  slot = value_or_error(postgres::find_slot(sql, config.slot.name, waiter), error);
  if (error) return error;
  out.plugin = value_or_error(postgres::resolve_plugin(sql, config.slot, slot, waiter), error);
  if (error) return error;
  postgres::FormQuestion question{.config = config, .plugin = out.plugin};
  if (table && out.plugin == decoder::Plugin::kPgoutput) {
    question.filter_loss = value_or_error(postgres::filter_loss(sql, config.profile, *table, waiter), error);
    if (error) return error;
  }
  if (auto problem = form_problem(question, table, postgres::in_recovery(out.replication), log))
    return problem;
  out.table = *table;
  out.traits.ids = postgres::id_order(*table, config.profile);
  if (!value_or_error(postgres::has_select(sql, config.profile, waiter), error) && !error) {
    return operator_error(Cause::kNoSelectRight,
                          fmt::format("no right to SELECT from {}", config.profile.qualified_name()),
                          "run the SQL of `dupwatch setup --print-sql` as its owner");
  }
  out.wal_sender_timeout =
      std::chrono::milliseconds{value_or_error(postgres::wal_sender_timeout(sql, waiter), error)};
  out.extras = {.commit_time = value_or_error(postgres::tracks_commit_time(sql, waiter), error),
                .xmin = value_or_error(postgres::has_select_on_xmin(sql, config.profile, waiter), error)};
  out.runs_table = config.profile.runs.has_value() &&
                   value_or_error(postgres::can_read_runs(sql, *config.profile.runs, waiter), error);
  if (config.profile.runs) {
    const auto signs = value_or_error(postgres::engine_signs(sql, config.profile, waiter), error);
    out.traits.engines = core::auto_engines(signs);
    out.traits.specs = out.extras.specs = signs.specs;
  }
  out.server_version = sql.parameter("server_version");
  return error;
}

/// What slot.failover asks for, of a slot that is there. No reason not to stream when it can't be had.
void make_failover_slot(const core::Config& config, Attachment& out, postgres::Waiter& waiter,
                        process::Log& log) {
  if (!config.slot.failover || !config.slot.create || out.lost || out.slot->failover) return;
  if (!postgres::can_fail_over(out.replication)) return;
  const auto error = postgres::enable_failover(out.replication, config.slot.name, waiter);
  if (!error) {
    out.slot->failover = true;
    log.info("the slot is a failover slot now", {{"event", "failover_slot"}, {"slot", config.slot.name}});
    return;
  }
  log.warn("the slot can't be made a failover slot: after a failover it will be recreated, with a gap",
           {{"reason", std::string(to_string(error->cause))},
            {"error", error->message},
            {"remedy", error->remedy}});
}

}  // namespace

std::variant<Attachment, Error> attach(const core::Config& config, History& known, postgres::Waiter& waiter,
                                       process::Log& log) {
  auto found = reach_newest(config, known, waiter, log);
  if (auto* error = std::get_if<Error>(&found)) return std::move(*error);
  auto& [sql, replication, server, system, ignores_lock] = std::get<Reached>(found);
  Attachment out{
      .replication = std::move(replication), .server = std::move(server), .system = std::move(system)};
  const auto taken = postgres::take_slot_lock(out.replication, config.slot.name, waiter);
  if (const auto* error = std::get_if<Error>(&taken)) return *error;
  if (!std::get<bool>(taken) && !std::exchange(ignores_lock, true)) {
    if (auto error = judge_lock_holder(config, sql, waiter, log)) return std::move(*error);
  }

  std::optional<postgres::SlotRow> slot;
  if (auto error = look_over(config, sql, waiter, log, out, slot)) return std::move(*error);
  if (auto error = slot_problem(config, slot, out.plugin, out.system.database)) return std::move(*error);
  if (slot && slot->active && ignores_lock) return stands_by(config);
  if (slot) {
    out.slot = slot;
    out.lost = slot_loss(config, *slot, postgres::in_recovery(out.replication));
    out.from = slot->confirmed_flush.value_or(decoder::Lsn{});
    make_failover_slot(config, out, waiter, log);
    return out;
  }
  auto created = make_slot(config, out.plugin, out.replication, sql, waiter, log);
  if (auto* error = std::get_if<Error>(&created)) return std::move(*error);
  out.created = std::get<postgres::CreatedSlot>(std::move(created));
  out.from = out.created->consistent_point;
  return out;
}

void drop_created_slot(const core::ConnectionConfig& connection, const std::string& slot,
                       postgres::Waiter& waiter, process::Log& log) {
  auto sql = Connection::open(connection, Connection::Kind::kSql, waiter);
  std::optional<Error> error;
  if (auto* failed = std::get_if<Error>(&sql)) {
    error = std::move(*failed);
  } else {
    error = postgres::drop_slot(std::get<Connection>(sql), slot, waiter);
  }
  if (error) {
    log.error("cannot drop the slot that was just created: it will retain WAL",
              {{"slot", slot}, {"error", error->message}, {"remedy", "run `dupwatch drop`"}});
  }
}

}  // namespace dupwatch::run
