#include <string_view>

#include "decoder/wal2json.hpp"

namespace dupwatch::decoder {
namespace {

/// add-tables separates with commas and dots, ends a name at white space and knows `*` as a wildcard.
void append_escaped(std::string& list, std::string_view name) {
  for (const char c : name) {
    if (std::string_view(",.*\\ \t\n\v\f\r").find(c) != std::string_view::npos) list += '\\';
    list += c;
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> wal2json_options(std::span<const WatchedTable> tables) {
  std::string list;
  for (const auto& table : tables) {
    if (!list.empty()) list += ',';
    append_escaped(list, table.schema);
    list += '.';
    append_escaped(list, table.name);
  }
  return {{"format-version", "2"},
          {"include-xids", "true"},
          {"include-timestamp", "true"},
          {"include-lsn", "true"},
          {"include-types", "false"},
          {"include-transaction", "true"},
          {"actions", "insert,truncate"},
          {"add-tables", std::move(list)},
          {"add-msg-prefixes", std::string(kMessagePrefix)}};
}

}  // namespace dupwatch::decoder
