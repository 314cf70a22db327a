#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/postgres/catalog.hpp"

/// The SQL behind `dupwatch quarantine`. A row is kept as the text of every column, as the column type's own
/// output function writes it, so that its input function gives back the same bytes; columns that dupwatch
/// has never heard of are copied like all others.
namespace dupwatch::quarantine {

/// dupwatch.quarantine and the rights on it; for the setup of those who want it.
[[nodiscard]] std::string setup_sql(const core::Config& config);

/// "schema"."table".
[[nodiscard]] std::string quoted_table(const core::Profile& profile);

/// A column of the watched table that holds a value of its own (no generated column).
struct StoredColumn {
  std::string name;
  /// As format_type gives it, e.g. "character varying(64)".
  std::string type;
};
/// Of the table $1, in its order. Ask inside the transaction that already holds a lock on the table.
[[nodiscard]] std::string stored_columns_query();
[[nodiscard]] std::vector<StoredColumn> read_stored_columns(const pg_result& result);

/// Waits for other acts on the run: $1 = table, $2 = run. For a transaction.
[[nodiscard]] std::string lock_query();

/// The type to compare the run column with, without a length that would cut a value.
[[nodiscard]] std::string key_type(std::string_view run_type);

enum class Write : std::uint8_t {
  kMove,  ///< out of the log
  kCopy,  ///< the row stays in the log
  kNoop   ///< the row stays in its place in the log, with the type noop
};
/// What dupwatch.quarantine calls it: removed, recorded, neutralised.
[[nodiscard]] std::string_view action_of(Write write) noexcept;

/// Keeps the row of run $1 with id $2, and takes it out or makes it a noop. Nothing happens (no row) when the
/// row is gone, when no row of its identity (for a noop: of its entity) sorts before it any more, when the
/// run has ended, or when it is kept already. $3 = finding id, $4 = rule, $5 = the finding as JSON, $6 =
/// table, $7 = who asked
/// ("operator", "daemon"). Returns the quarantine id, and whether the row was still what is kept: otherwise
/// the act is to be rolled back. With `only_types` only a row of those is kept, and also one of a run that
/// has ended.
[[nodiscard]] std::string act_query(const core::Profile& profile, std::string_view run_type,
                                    std::span<const StoredColumn> columns, Write write,
                                    std::span<const std::string_view> only_types = {});

/// One row for each kept column of entry $1: column, table, run, event, restored ("true"), action
/// (as action_of()).
[[nodiscard]] std::string entry_query();
/// The entry, with its event, of finding $3 in run $2 of table $1 and action $4 that is not restored; $5 =
/// the transaction that wrote the row, NULL = any.
[[nodiscard]] std::string kept_query();
/// Puts the row of entry $1 back and marks the entry. The answer says whether the row is now, column by
/// column, what was kept; roll back when it is not.
[[nodiscard]] std::string restore_query(const core::Profile& profile, std::span<const StoredColumn> columns);
/// The same for a row that became a noop: it gets its type back. No row: it is a noop no more.
[[nodiscard]] std::string restore_noop_query(const core::Profile& profile,
                                             std::span<const StoredColumn> columns);

/// The newest $1 entries, of run $2 or (NULL) of all: JSON object without the kept row, id, time, rule, run,
/// event, when it was restored or "", action.
[[nodiscard]] std::string list_query();
/// A timestamptz in SQL, as text in the one form that people are shown: RFC 3339, UTC.
[[nodiscard]] std::string rfc3339(std::string_view time);
/// Entry $1 with the kept row, as one JSON object, in one line and indented.
[[nodiscard]] std::string show_query();

}  // namespace dupwatch::quarantine
