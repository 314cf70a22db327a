#pragma once

#include <optional>
#include <string>
#include <utility>

#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/postgres/provider.hpp"
#include "daemon/postgres/table_form.hpp"

/// The single checks of `dupwatch check`, in the order they run; each adds one or more lines. Used by
/// run_checks alone.
namespace dupwatch::postgres {

/// What the checks share: the question's means, and what earlier checks have found out.
struct CheckContext {
  const core::Config& config;
  Connection& sql;
  Waiter& waiter;
  CheckReport& report;

  int version = 0;
  Provider provider = Provider::kPlain;
  bool standby = false;
  /// Set once the server took a replication connection.
  std::optional<Connection> replication;
  /// nullopt: the table is missing, or is no table, or lacks columns.
  std::optional<TableForm> table;
  std::optional<SlotRow> slot;
  /// nullopt: it could not be resolved.
  std::optional<decoder::Plugin> plugin;

  void add(std::string name, Verdict verdict, std::string found, std::string fix = {});
  void add(std::string name, const Error& error);
  /// The answer, or null after a line with the error was added; a broken session ends the whole check.
  [[nodiscard]] Result query(const std::string& name, const std::string& text,
                             const Connection::Params& params = {});
  /// The same for the questions of catalog.hpp.
  template <class T>
  [[nodiscard]] std::optional<T> take(const std::string& name, Expected<T> answer) {
    if (auto* value = std::get_if<T>(&answer)) return std::move(*value);
    add(name, std::get<Error>(answer));
    stop_if_broken(std::get<Error>(answer));
    return std::nullopt;
  }
  void stop_if_broken(const Error& error);
};

// check_server.cpp
void check_provider(CheckContext& context);
void check_version(CheckContext& context);
void check_server_role(CheckContext& context);
void check_wal_level(CheckContext& context);
void check_replication_right(CheckContext& context);
void check_replication_connection(CheckContext& context);
void check_pooler(CheckContext& context);
void check_senders(CheckContext& context);
void check_connections(CheckContext& context);
void check_commit_timestamps(CheckContext& context);

// check_slot.cpp
void check_open_transactions(CheckContext& context);
void check_slot(CheckContext& context);
void check_slot_headroom(CheckContext& context);
void check_plugin(CheckContext& context);
void check_wal_keep_size(CheckContext& context);

// check_failover.cpp
void check_failover(CheckContext& context);

// check_table.cpp
void check_table(CheckContext& context);
/// After the plugin is known.
void check_table_form(CheckContext& context);
void check_rights(CheckContext& context);
void check_unique_index(CheckContext& context);
void check_primary_key(CheckContext& context);
/// What `engine: auto` takes, and whether it was replayed.
void check_engine(CheckContext& context);

// check_publication.cpp
void check_publication(CheckContext& context);

/// Text of a column, empty for NULL.
[[nodiscard]] std::string text_cell(const pg_result& result, int row, int column);
/// "12.3 MB" and the like.
[[nodiscard]] std::string readable_bytes(std::int64_t bytes);

}  // namespace dupwatch::postgres
