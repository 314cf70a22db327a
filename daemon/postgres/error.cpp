#include "daemon/postgres/error.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "daemon/postgres/error_table.hpp"

namespace dupwatch::postgres {
namespace {

bool fits(const ErrorRow& row, Stage stage, std::string_view sqlstate, std::string_view message) {
  if ((row.stages & stage_bit(stage)) == 0) return false;
  // A row without state speaks of libpq's own words, unless it has the words of a server that any state may
  // carry.
  if (!row.state.empty() && !sqlstate.starts_with(row.state)) return false;
  return row.text.empty() || message.find(row.text) != std::string_view::npos;
}

/// The first name in double quotes; Postgres doubles no quotes there, so a name that holds one is cut: a
/// remedy with half a name is still a hint.
std::optional<std::string_view> first_quoted(std::string_view message) {
  const auto open = message.find('"');
  if (open == std::string_view::npos) return std::nullopt;
  const auto close = message.find('"', open + 1);
  if (close == std::string_view::npos) return std::nullopt;
  return message.substr(open, close - open + 1);
}

/// Position of "XXXXX: " behind the two blanks that end a severity, npos without one.
std::size_t sqlstate_at(std::string_view text, std::size_t from) {
  const auto code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  for (auto at = text.find(":  ", from); at != std::string_view::npos; at = text.find(":  ", at + 1)) {
    const auto rest = text.substr(at + 3);
    if (rest.size() >= 7 && rest.substr(5, 2) == ": " && std::all_of(rest.begin(), rest.begin() + 5, code))
      return at + 3;
  }
  return std::string_view::npos;
}

/// Of one of these states or classes.
bool is_any_of(const Error& error, std::initializer_list<std::string_view> states) noexcept {
  return std::any_of(states.begin(), states.end(),
                     [&](std::string_view state) { return error.sqlstate.starts_with(state); });
}

std::string fill(std::string_view remedy, std::string_view message) {
  std::string text{remedy};
  const auto place = text.find("%1");
  if (place != std::string::npos) text.replace(place, 2, first_quoted(message).value_or("in question"));
  return text;
}

}  // namespace

std::string_view to_string(Fault fault) noexcept {
  switch (fault) {
    case Fault::kTransient:
      return "transient";
    case Fault::kNeedsOperator:
      return "needs_operator";
    case Fault::kSlotLost:
      return "slot_lost";
  }
  return "?";
}

std::string find_sqlstate(std::string_view text) {
  std::string found;
  for (auto at = sqlstate_at(text, 0); at != std::string_view::npos; at = sqlstate_at(text, at)) {
    found = text.substr(at, 5);
  }
  return found;
}

std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string part{text.substr(0, end)};
    text.remove_prefix(std::min(end + 1, text.size()));
    for (auto at = sqlstate_at(part, 0); at != std::string::npos; at = sqlstate_at(part, at))
      part.erase(at - 1, 8);
    const auto first = part.find_first_not_of(" \t\r");
    if (first == std::string::npos || part.compare(first, 9, "LOCATION:") == 0) continue;
    part.erase(part.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) line += "; ";
    line += part.substr(first);
  }
  // Other control characters could end a log line or drive a terminal.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return line;
}

Error classify(Stage stage, std::string_view sqlstate, std::string_view message) {
  Error error;
  error.sqlstate = sqlstate;
  error.message = message;
  for (const auto& row : error_table()) {
    if (!fits(row, stage, sqlstate, message)) continue;
    error.fault = row.fault;
    error.cause = row.cause;
    error.remedy = fill(row.remedy, message);
    return error;
  }
  // Unknown trouble is retried: stopping for what would have healed leaves the log unwatched.
  error.fault = Fault::kTransient;
  error.cause = sqlstate.empty() ? Cause::kUnknown : Cause::kServerError;
  error.remedy = "See the server's words and its log; dupwatch tries again.";
  return error;
}

bool interrupted(const Error& error) noexcept {
  return error.cause == Cause::kInterrupted;
}

bool left_unanswered(const Error& error) noexcept {
  return interrupted(error) || error.cause == Cause::kTimeout;
}

bool heals_by_retry(const Error& error) noexcept {
  // No answer at all: the connection. Then connection errors, a server that is ending, locks and timeouts,
  // conflicts with other transactions, and lack of memory or connections.
  return error.sqlstate.empty() || is_any_of(error, {"08", "40", "53", "55P03", "57"});
}

bool lost_a_race(const Error& error) noexcept {
  return is_any_of(error, {"55P03", "40"});
}

bool lacks_lock(const Error& error) noexcept {
  return is_any_of(error, {"55P03"});
}

bool lacks_right(const Error& error) noexcept {
  return is_any_of(error, {"42501"});
}

bool lacks_table(const Error& error) noexcept {
  return is_any_of(error, {"42P01", "3F000"});
}

bool lacks_setup(const Error& error) noexcept {
  return lacks_right(error) || lacks_table(error) || is_any_of(error, {"42703", "42P10"});
}

bool lacks_function(const Error& error) noexcept {
  return is_any_of(error, {"42883"});
}

bool cannot_be_written(const Error& error) noexcept {
  return is_any_of(error, {"25006"});
}

bool violates_unique(const Error& error) noexcept {
  return is_any_of(error, {"23505"});
}

bool may_be_of_a_row(const Error& error) noexcept {
  return error.cause == Cause::kPayloadTooLarge ||
         (error.cause != Cause::kSlotWrongPlugin && error.cause != Cause::kStandbyBehind &&
          is_any_of(error, {"XX", "54", "22", "42704"}));
}

bool ends_session(const Error& error) noexcept {
  return is_any_of(error, {"57P01", "57P02"});
}

bool refuses_sessions(const Error& error) noexcept {
  return is_any_of(error, {"57P03"});
}

bool says_goodbye(const Error& error) noexcept {
  return ends_session(error) || refuses_sessions(error);
}

}  // namespace dupwatch::postgres
