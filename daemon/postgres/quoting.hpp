#pragma once

#include <span>
#include <string>
#include <string_view>

/// Texts inside SQL. Values go as parameters wherever the protocol takes them; these are for the places where
/// it does not: replication commands, and the SQL that `setup` prints.
namespace dupwatch::postgres {

/// "name", quotes doubled.
[[nodiscard]] std::string quote_identifier(std::string_view name);

/// 'text', or E'te\\xt' when a backslash is inside, so that standard_conforming_strings does not matter.
[[nodiscard]] std::string quote_literal(std::string_view text);

/// The same for a statement that a person reads before it is run: what is hidden (core/text.hpp) is spelt out
/// too. A server of encoding SQL_ASCII refuses the escapes, so dupwatch's own statements do without.
[[nodiscard]] std::string printed_literal(std::string_view text);

/// 'text' for a replication command, whose grammar knows neither E'' nor an escape by backslash.
[[nodiscard]] std::string quote_option(std::string_view text);

/// "schema"."name".
[[nodiscard]] std::string qualified(std::string_view schema, std::string_view name);

/// Joins with ", " what `quote` makes of each item.
template <class Items, class Quote>
[[nodiscard]] std::string quoted_list(const Items& items, Quote quote) {
  std::string list;
  for (const auto& item : items) {
    if (!list.empty()) list += ", ";
    list += quote(item);
  }
  return list;
}

}  // namespace dupwatch::postgres
