#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/postgres/cause.hpp"

namespace dupwatch::postgres {

/// What to do about an error. Every error maps to exactly one.
enum class Fault : std::uint8_t {
  kTransient,      ///< heals by itself: retry with backoff
  kNeedsOperator,  ///< a person must act: stop with exit code 3
  kSlotLost,       ///< the slot can't deliver any more: the lost-slot policy decides
};
[[nodiscard]] std::string_view to_string(Fault fault) noexcept;

/// An error of libpq or the server, with what a person should do about it.
struct Error {
  Fault fault = Fault::kTransient;
  Cause cause = Cause::kUnknown;
  /// Five characters; empty when no server answered.
  std::string sqlstate;
  /// The server's or libpq's words, one line, without password.
  std::string message;
  /// What mends it, a sentence, with the SQL where there is one.
  std::string remedy;
};

/// Where the error came up: the same SQLSTATE can mean different things (42704 at START_REPLICATION is a
/// missing slot, in the stream a missing publication).
enum class Stage : std::uint8_t { kConnect, kQuery, kCreateSlot, kStartReplication, kStream };

/// libpq's or the server's text as one line, without the source position and SQLSTATE that PQERRORS_VERBOSE
/// adds.
[[nodiscard]] std::string one_line(std::string_view text);

/// The SQLSTATE in a start-up message of PQERRORS_VERBOSE ("FATAL:  28P01: ..."), whatever language the words
/// are in; the last one when several hosts were tried; empty without one.
[[nodiscard]] std::string find_sqlstate(std::string_view text);

/// The one table from SQLSTATE and message class to fault, cause and remedy (texts differ by server version,
/// so SQLSTATE decides first and prefixes only where it is ambiguous). Pure.
[[nodiscard]] Error classify(Stage stage, std::string_view sqlstate, std::string_view message);

/// We were asked to stop while we waited.
[[nodiscard]] bool interrupted(const Error& error) noexcept;
/// Nobody waits for the server's answer any more, because of a stop or a timeout; it may still work on it.
[[nodiscard]] bool left_unanswered(const Error& error) noexcept;
/// The same may succeed when it is tried again: the connection, a lock, a conflict, a timeout or a server
/// that goes down, and not a right or a table.
[[nodiscard]] bool heals_by_retry(const Error& error) noexcept;
/// Another transaction had the lock or was first. It says nothing of the next act.
[[nodiscard]] bool lost_a_race(const Error& error) noexcept;
/// The lock was not free in time.
[[nodiscard]] bool lacks_lock(const Error& error) noexcept;
[[nodiscard]] bool lacks_right(const Error& error) noexcept;
/// Or its schema.
[[nodiscard]] bool lacks_table(const Error& error) noexcept;
/// A right, a table, a column or an index that dupwatch setup makes.
[[nodiscard]] bool lacks_setup(const Error& error) noexcept;
[[nodiscard]] bool lacks_function(const Error& error) noexcept;
/// The server is a standby, or the session is one that may only read.
[[nodiscard]] bool cannot_be_written(const Error& error) noexcept;
[[nodiscard]] bool violates_unique(const Error& error) noexcept;
/// Such an error of the stream can come from a row in the WAL: internal errors, limits of the program or of
/// our memory, data that cannot be put into text, and a publication that did not exist when the row was
/// written, though it does now. A slot of another plugin is no row's fault.
[[nodiscard]] bool may_be_of_a_row(const Error& error) noexcept;

/// The server has ended this session (57P01) or all of them (57P02).
[[nodiscard]] bool ends_session(const Error& error) noexcept;
/// The server admits no session because it goes down or comes up (57P03).
[[nodiscard]] bool refuses_sessions(const Error& error) noexcept;
/// Either.
[[nodiscard]] bool says_goodbye(const Error& error) noexcept;

}  // namespace dupwatch::postgres
