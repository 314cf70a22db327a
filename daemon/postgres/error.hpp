#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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
  /// Stable slug for logs, metrics and tests, e.g. "wrong_password", "slot_in_use".
  std::string reason;
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

/// The one table from SQLSTATE and message class to fault, reason and remedy (texts differ by server version,
/// so SQLSTATE decides first and prefixes only where it is ambiguous). Pure.
[[nodiscard]] Error classify(Stage stage, std::string_view sqlstate, std::string_view message);

/// The server has ended this session (57P01) or all of them (57P02).
[[nodiscard]] bool ends_session(const Error& error) noexcept;
/// The server admits no session because it goes down or comes up (57P03).
[[nodiscard]] bool refuses_sessions(const Error& error) noexcept;
/// Either.
[[nodiscard]] bool says_goodbye(const Error& error) noexcept;

/// Every reason that classify() can give, in no order, each once.
[[nodiscard]] std::vector<std::string_view> known_reasons();

}  // namespace dupwatch::postgres
