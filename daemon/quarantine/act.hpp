#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/core/config.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/quarantine_stats.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/quarantine/queries.hpp"
#include "daemon/table/table_facts.hpp"

/// Taking one row out of the log and putting it back, each in one transaction. What fails half-way is undone
/// by the server: after an error the connection is to be dropped.
namespace dupwatch::quarantine {

/// What became of a request that met no error of the server.
struct ActOutcome {
  enum class Kind : std::uint8_t {
    kDone,
    kAlready,      ///< it was done before: nothing to do
    kWouldBeDone,  ///< a dry run
    kRefused,
    kUnknown  ///< no such finding or entry
  };
  Kind kind = Kind::kDone;
  /// Of dupwatch.quarantine; empty in a dry run and when refused.
  std::string entry{};
  std::string event_id{};
  /// Why, when refused by the rules of quarantine.
  std::optional<core::QuarantineRefusal> refusal{};
  /// Slug and sentence of kRefused.
  std::string reason{};
  std::string explanation{};
  /// Not empty: the limit that this act would have broken, which opens the circuit.
  std::string limit{};
};
[[nodiscard]] std::string_view to_string(ActOutcome::Kind kind) noexcept;

/// What is to be done about which finding.
struct ActRequest {
  std::string run_id;
  std::string finding_id;
  /// The row at fault, for an automatic act.
  std::string event_id{};
  /// The transaction that wrote it. A row that was put back has another one, and the act on its predecessor
  /// is none on it.
  std::optional<decoder::Xid> xid{};
  /// Everything but the writing.
  bool dry_run = false;
  Write write = Write::kMove;
  /// Also where the run stays fatal without the row.
  bool partial = false;
  /// Not at a person's word: the limits of the configuration hold, and what a person put back stays.
  bool automatic = false;
};

/// Moves the row at fault of a finding to dupwatch.quarantine, or copies it, or makes it a noop. The run is
/// read and judged anew inside the transaction, under a lock that keeps other dupwatch instances out of the
/// run; the statement that deletes checks once more, in its own snapshot, that the canonical row is there and
/// that the run goes on. It takes three round trips. `sql` is a kSql connection outside of any transaction.
[[nodiscard]] postgres::Expected<ActOutcome> quarantine_row(const core::Config& config,
                                                            const table::TableFacts& table,
                                                            const ActRequest& request,
                                                            postgres::Connection& sql,
                                                            postgres::Waiter& waiter);

/// Stops all automatic acts on the table, of this instance and of others, until a person allows them again.
[[nodiscard]] std::optional<postgres::Error> open_circuit(const core::Config& config, std::string_view reason,
                                                          std::string_view detail, postgres::Connection& sql,
                                                          postgres::Waiter& waiter);

/// Moves a row that stands in the way of the engine's unique-index migrations, fatal or not; never the
/// canonical one. Judged anew under the same lock as by quarantine_row.
[[nodiscard]] postgres::Expected<ActOutcome> quarantine_for_migration(
    const core::Config& config, const table::TableFacts& table, const std::string& run_id,
    const std::string& event_id, bool dry_run, postgres::Connection& sql, postgres::Waiter& waiter);

/// Puts the row of a quarantine entry back and compares it, column by column, with what was kept.
[[nodiscard]] postgres::Expected<ActOutcome> restore_row(const core::Config& config, const std::string& id,
                                                         postgres::Connection& sql, postgres::Waiter& waiter);

}  // namespace dupwatch::quarantine
