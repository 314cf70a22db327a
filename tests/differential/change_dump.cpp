// Shows what a decoder makes of a recorded stream, so that the two plugins can be compared on a real server.
//
//   change_dump options PLUGIN PUBLICATION [--table SCHEMA NAME COLUMN...]...   prints NAME<tab>VALUE lines
//   change_dump changes PLUGIN [--table SCHEMA NAME COLUMN...]...               reads "LSN HEX" lines from
//   stdin
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <string_view>
#include <vector>

#include "tests/unit/decoder/captured_stream.hpp"

namespace {

using namespace dupwatch::decoder;

std::vector<WatchedTable> parse_tables(const std::vector<std::string_view>& words) {
  std::vector<WatchedTable> tables;
  for (std::size_t i = 0; i < words.size();) {
    if (words[i] != "--table" || words.size() < i + 3)
      throw std::runtime_error("expected --table SCHEMA NAME");
    WatchedTable table{std::string(words[i + 1]), std::string(words[i + 2]), {}};
    for (i += 3; i < words.size() && words[i] != "--table"; ++i) table.columns.emplace_back(words[i]);
    tables.push_back(std::move(table));
  }
  return tables;
}

Plugin parse_plugin(std::string_view word) {
  for (const auto plugin : {Plugin::kWal2json, Plugin::kPgoutput}) {
    if (to_string(plugin) == word) return plugin;
  }
  throw std::runtime_error("expected wal2json or pgoutput");
}

void run(const std::vector<std::string_view>& words) {
  if (words.size() >= 3 && words[0] == "options") {
    const auto tables = parse_tables({words.begin() + 3, words.end()});
    for (const auto& [name, value] : start_options(parse_plugin(words[1]), tables, words[2])) {
      fmt::print("{}\t{}\n", name, value);
    }
  } else if (words.size() >= 2 && words[0] == "changes") {
    auto tables = parse_tables({words.begin() + 2, words.end()});
    fmt::print("{}", changes_of(parse_plugin(words[1]), std::move(tables), read_captured_stream(std::cin)));
  } else {
    throw std::runtime_error("expected: options PLUGIN PUBLICATION ... or changes PLUGIN ...");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv + 1, argv + argc});
  } catch (const std::exception& problem) {
    fmt::print(stderr, "change_dump: {}\n", problem.what());
    return 2;
  }
  return 0;
}
