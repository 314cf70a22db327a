#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/postgres/run_key.hpp"
#include "decoder/decoder.hpp"
#include "decoder/lsn.hpp"

/// What dupwatch asks the server's catalogue. Each function runs one or two statements and waits.
namespace dupwatch::postgres {

template <class T>
using Expected = std::variant<T, Error>;

/// IDENTIFY_SYSTEM on a replication connection.
struct SystemIdentity {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  decoder::Lsn wal_position;
  std::string database;
};
[[nodiscard]] Expected<SystemIdentity> identify_system(Connection& replication, Waiter& waiter);
/// The same of a primary by a session for queries: system identifier and timeline, 0 on a standby.
[[nodiscard]] Expected<SystemIdentity> server_history(Connection& sql, Waiter& waiter);

/// One row of pg_replication_slots.
struct SlotRow {
  std::string plugin;
  std::string slot_type;
  std::string database;
  bool active = false;
  std::int64_t active_pid = 0;
  std::optional<decoder::Lsn> confirmed_flush;
  std::optional<decoder::Lsn> restart;
  std::string wal_status;
  /// nullopt: no limit (max_slot_wal_keep_size = -1) or slot lost.
  std::optional<std::int64_t> safe_wal_size;
  /// WAL bytes the slot holds back: current position minus restart_lsn.
  std::int64_t retained_bytes = 0;
  /// The server's flushed (on a standby: received) end of WAL when the row was read.
  decoder::Lsn server_end;
  /// pg_replication_slots.invalidation_reason of Postgres 17, or "conflicting" of 16; empty on older servers
  /// and while the slot is valid.
  std::string invalidation{};
  /// max_slot_wal_keep_size; negative = no limit.
  std::int64_t keep_size_bytes = -1;
  /// Standbys may copy it (Postgres 17).
  bool failover = false;
  /// It is a standby's copy of a primary's slot, which nobody can read before the promotion.
  bool synced = false;
  /// It was made to deliver prepared transactions before they commit, which dupwatch never asks for.
  bool two_phase = false;
  /// The server will not deliver from this slot any more.
  [[nodiscard]] bool lost() const { return wal_status == "lost" || !invalidation.empty(); }
};
/// nullopt inside: no such slot.
[[nodiscard]] Expected<std::optional<SlotRow>> find_slot(Connection& sql, const std::string& name,
                                                         Waiter& waiter);
/// The statement behind find_slot, for the asynchronous poll; $1 = slot name.
[[nodiscard]] std::string slot_query();
[[nodiscard]] SlotRow read_slot_row(const pg_result& result, int row);

/// Writes a message that every slot of the database gets, outside of any transaction: no transaction id is
/// spent, and the WAL writer flushes it within wal_writer_delay (0.2 s). $1 = content; the answer is the
/// position behind it.
[[nodiscard]] std::string heartbeat_query();
/// The first column as a position, 0/0 for NULL.
[[nodiscard]] decoder::Lsn read_lsn(const pg_result& result, int row);

[[nodiscard]] Expected<bool> publication_exists(Connection& sql, const std::string& name, Waiter& waiter);
/// SELECT on every watched column, and USAGE on the schema; false also when the table is missing.
[[nodiscard]] Expected<bool> has_select(Connection& sql, const core::Profile& profile, Waiter& waiter);
/// SELECT on the system column xmin: a grant on columns covers it only when it names it.
[[nodiscard]] Expected<bool> has_select_on_xmin(Connection& sql, const core::Profile& profile,
                                                Waiter& waiter);
/// wal_sender_timeout in milliseconds, 0 = off.
[[nodiscard]] Expected<std::int64_t> wal_sender_timeout(Connection& sql, Waiter& waiter);
/// track_commit_timestamp = on: read-backs can then say when a row committed.
[[nodiscard]] Expected<bool> tracks_commit_time(Connection& sql, Waiter& waiter);

/// A transaction that has written: the creation of a slot waits for all that were open when it began.
struct OpenTransaction {
  /// 0: a prepared transaction, which no process owns.
  std::int64_t pid = 0;
  /// nullopt: hidden from roles without pg_read_all_stats.
  std::optional<std::int64_t> age_seconds;
  /// E.g. `pid 4711, 312 s, idle in transaction, role app, application "psql", query since 2026-...`.
  std::string description;
};
/// The oldest first, at most ten; those whose age is hidden count as old.
[[nodiscard]] Expected<std::vector<OpenTransaction>> open_transactions(Connection& sql,
                                                                       std::int64_t min_age_seconds,
                                                                       Waiter& waiter);

struct CreatedSlot {
  decoder::Lsn consistent_point;
  /// Name to give to SET TRANSACTION SNAPSHOT; valid until the replication connection runs its next command.
  std::string snapshot;
};
/// CREATE_REPLICATION_SLOT with an exported snapshot, in the syntax of the server's version. Slot creation
/// waits for the transactions that have written and are open: at most lock_timeout for each (60 s), then
/// cause kSlotCreationBlocked and nothing is left on the server. `on_wait` is called `every` so often
/// meanwhile, e.g. to log open_transactions() by way of another connection. After an error the connection
/// must be dropped.
[[nodiscard]] Expected<CreatedSlot> create_slot(Connection& replication, const core::SlotConfig& slot,
                                                decoder::Plugin plugin, Waiter& waiter,
                                                std::chrono::milliseconds every,
                                                const std::function<void()>& on_wait);
/// Has a primary log its open transactions, which the creation of a slot on its standby waits for. Where the
/// role may not, the primary is at least given a reason to: it does so by itself within 15 s after it wrote.
[[nodiscard]] std::optional<Error> log_open_transactions(Connection& primary, Waiter& waiter);
enum class SnapshotUse : std::uint8_t { kExport, kNothing };
/// The command behind create_slot; cause kInvalidSlotName is the caller's to avoid (see valid_slot_name).
[[nodiscard]] std::string create_slot_command(int server_version, std::string_view name,
                                              std::string_view plugin, bool temporary, SnapshotUse snapshot,
                                              bool failover = false);
/// Makes a slot that nobody reads a failover slot: ALTER_REPLICATION_SLOT of Postgres 17.
[[nodiscard]] std::optional<Error> enable_failover(Connection& replication, const std::string& slot,
                                                   Waiter& waiter);
/// The server is a standby.
[[nodiscard]] bool in_recovery(const Connection& connection);
/// Whether a slot made on this server can be copied to standbys: Postgres 17 and later, and a primary.
[[nodiscard]] bool can_fail_over(const Connection& connection);
/// 1 to 63 of a-z, 0-9 and underscore, as Postgres demands.
[[nodiscard]] bool valid_slot_name(std::string_view name) noexcept;
/// Does not wait for a session that streams from the slot: cause kSlotInUse.
[[nodiscard]] std::optional<Error> drop_slot(Connection& sql, const std::string& name, Waiter& waiter);

/// START_REPLICATION SLOT ... LOGICAL; leaves the connection in CopyBoth. `options` are not yet quoted.
/// One dupwatch at a time has a slot: the one whose replication connection holds the slot's advisory lock,
/// which the server gives up with that connection. False: another has it. `sql` does not take it.
[[nodiscard]] Expected<bool> slot_lock_is_free(Connection& sql, const std::string& slot, Waiter& waiter);
struct LockHolder {
  int pid = 0;
  std::string role;
};
/// Anybody who may connect can take an advisory lock. nullopt inside: nobody holds it, or somebody who has
/// the slot or our own role. Otherwise a session that is no dupwatch: the slot itself still admits one reader
/// alone.
[[nodiscard]] Expected<std::optional<LockHolder>> foreign_lock_holder(Connection& sql,
                                                                      const std::string& slot,
                                                                      Waiter& waiter);
/// False: another was faster.
[[nodiscard]] Expected<bool> take_slot_lock(Connection& replication, const std::string& slot, Waiter& waiter);

[[nodiscard]] std::optional<Error> start_replication(
    Connection& replication, const std::string& slot, decoder::Lsn from,
    std::span<const std::pair<std::string, std::string>> options, Waiter& waiter);

/// Ends the stream of `replication` and drops its slot there, which takes no other session.
[[nodiscard]] std::optional<Error> drop_streamed_slot(Connection& replication, const std::string& slot,
                                                      Waiter& waiter);

/// As sent by start_replication.
[[nodiscard]] std::string start_replication_command(
    std::string_view slot, decoder::Lsn from, std::span<const std::pair<std::string, std::string>> options);

/// plugin: auto takes an existing slot's plugin, else pgoutput when the publication exists, else wal2json.
[[nodiscard]] Expected<decoder::Plugin> resolve_plugin(Connection& sql, const core::SlotConfig& slot,
                                                       const std::optional<SlotRow>& existing,
                                                       Waiter& waiter);

/// run, id, type (when there is one), the identity and the scope columns: what dupwatch reads of the watched
/// table.
[[nodiscard]] std::vector<std::string> watched_columns(const core::Profile& profile);

/// What may be read of a row beside the watched columns.
struct RowExtras {
  /// track_commit_timestamp is on.
  bool commit_time = false;
  /// See has_select_on_xmin; without it there is no commit time either.
  bool xmin = true;
  core::SpecSource specs = core::SpecSource::kNone;
};
/// COPY of the tracked rows of the runs that for_runs() names, with the columns of event_select. Values come
/// in the type's own text form, as in the stream. `types` are TableForm::key_types(): only with the column's
/// own type can the index on it be used.
[[nodiscard]] std::string read_back_copy(const core::Profile& profile, const RowExtras& extras,
                                         const KeyTypes& types = {});
/// The setting by which for_runs() names runs to a statement: see RunKey::named_runs.
inline constexpr std::string_view kRunsSetting = "dupwatch.runs";
/// `copy`, whose text has RunKey::named_runs(), with the runs it is for: two statements in one message, the
/// first of which has one row to leave out. COPY takes no parameters, and with the runs in its text each
/// would be a statement of its own to pg_stat_statements before Postgres 16, at the cost of the
/// application's.
[[nodiscard]] std::string for_runs(std::span<const std::string> runs, std::string_view copy);
/// The same statements without a statement_timeout, which ends what is under way however well it goes: a run
/// of millions of rows would be begun again for ever. Who sends it must give a silent server up.
[[nodiscard]] std::string without_statement_timeout(std::string_view statements);
/// SELECT and FROM, alias e: run, id, type, identity columns..., xmin, commit time in microseconds since
/// 1970, spec version. What is not known is NULL.
[[nodiscard]] std::string event_select(const core::Profile& profile, const RowExtras& extras);
/// The spec version of row e; with kRuns of those rows alone that speak of the run itself, so that a run is
/// looked up a few times and not for each of its rows.
[[nodiscard]] std::string spec_of_row(const core::Profile& profile, core::SpecSource source);
/// The spec version of the run that `run` names.
[[nodiscard]] std::string spec_of_run(const core::Profile& profile, core::SpecSource source,
                                      const std::string& run);
/// The types that read_back_copy lists: those kept in the index, and those that end a run.
[[nodiscard]] std::vector<std::string> tracked_types(const core::Profile& profile);
/// A text[] literal for $n: quotes and backslashes escaped.
[[nodiscard]] std::string array_literal(std::span<const std::string> items);

}  // namespace dupwatch::postgres
