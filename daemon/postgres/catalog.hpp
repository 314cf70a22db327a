#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/postgres/connection.hpp"
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
};
/// nullopt inside: no such slot.
[[nodiscard]] Expected<std::optional<SlotRow>> find_slot(Connection& sql, const std::string& name, Waiter& waiter);
/// The statement behind find_slot, for the asynchronous poll; $1 = slot name.
[[nodiscard]] std::string slot_query();
[[nodiscard]] SlotRow read_slot_row(const pg_result& result, int row);

/// The watched table as the catalogue has it now. Any difference between two reads is a change that can silence a
/// stream (rename under wal2json, drop and re-create under pgoutput).
struct TableIdentity {
  std::uint32_t oid = 0;
  /// Watched columns that the table lacks.
  std::vector<std::string> missing_columns;
  /// The table is a member of the configured publication (directly, by schema, or FOR ALL TABLES).
  bool published = false;
  friend bool operator==(const TableIdentity&, const TableIdentity&) = default;
};
/// nullopt inside: no such table (or view, or sequence).
[[nodiscard]] Expected<std::optional<TableIdentity>> find_table(Connection& sql, const core::Profile& profile,
                                                                const std::string& publication, Waiter& waiter);
/// The statement behind find_table for the asynchronous check, with its parameters.
[[nodiscard]] std::string table_query();
[[nodiscard]] Connection::Params table_query_params(const core::Profile& profile, const std::string& publication);
[[nodiscard]] TableIdentity read_table_identity(const pg_result& result, int row);

[[nodiscard]] Expected<bool> publication_exists(Connection& sql, const std::string& name, Waiter& waiter);
[[nodiscard]] Expected<bool> has_select(Connection& sql, const core::Profile& profile, Waiter& waiter);
/// wal_sender_timeout in milliseconds, 0 = off.
[[nodiscard]] Expected<std::int64_t> wal_sender_timeout(Connection& sql, Waiter& waiter);
/// track_commit_timestamp = on: read-backs can then say when a row committed.
[[nodiscard]] Expected<bool> tracks_commit_time(Connection& sql, Waiter& waiter);

struct CreatedSlot {
  decoder::Lsn consistent_point;
  /// Name to give to SET TRANSACTION SNAPSHOT; valid until the replication connection runs its next command.
  std::string snapshot;
};
/// CREATE_REPLICATION_SLOT with an exported snapshot, in the syntax of the server's version. Slot creation waits for
/// running transactions: `on_wait` is called every few seconds with the oldest one's description.
[[nodiscard]] Expected<CreatedSlot> create_slot(Connection& replication, const core::SlotConfig& slot,
                                                decoder::Plugin plugin, Waiter& waiter);
[[nodiscard]] std::optional<Error> drop_slot(Connection& sql, const std::string& name, Waiter& waiter);

/// START_REPLICATION SLOT ... LOGICAL; leaves the connection in CopyBoth.
[[nodiscard]] std::optional<Error> start_replication(Connection& replication, const std::string& slot,
                                                     decoder::Lsn from,
                                                     std::span<const std::pair<std::string, std::string>> options,
                                                     Waiter& waiter);

/// plugin: auto takes an existing slot's plugin, else pgoutput when the publication exists, else wal2json.
[[nodiscard]] Expected<decoder::Plugin> resolve_plugin(Connection& sql, const core::SlotConfig& slot,
                                                       const std::optional<SlotRow>& existing, Waiter& waiter);

/// SELECT of one run batch's tracked rows: run, id, type, identity columns..., xmin, commit time (NULL without
/// track_commit_timestamp). $1 = run ids (text[]), $2 = tracked types (text[]) when the profile lists types.
struct ReadBackQuery {
  std::string text;
  bool has_types = false;
};
[[nodiscard]] ReadBackQuery read_back_query(const core::Profile& profile, bool commit_time);
/// A text[] literal for $n: quotes and backslashes escaped.
[[nodiscard]] std::string array_literal(std::span<const std::string> items);

}  // namespace dupwatch::postgres
