// What real servers sent, recorded by tests/integration/differential.test.mjs, decoded again on every build.
#include <gtest/gtest.h>

#include <fstream>
#include <iomanip>
#include <iterator>

#include "tests/unit/decoder/captured_stream.hpp"

namespace dupwatch::decoder::golden_test {
namespace {

std::ifstream open_golden(const std::string& name) {
  std::ifstream file(std::string(DUPWATCH_GOLDEN_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  return file;
}

/// Lines of: table "SCHEMA" "NAME" "COLUMN"...
std::vector<WatchedTable> read_tables() {
  auto file = open_golden("tables");
  std::vector<WatchedTable> tables;
  std::vector<std::string> words;
  const auto take = [&] {
    if (words.size() >= 2) tables.push_back({words[0], words[1], {words.begin() + 2, words.end()}});
    words.clear();
  };
  for (std::string word; file >> std::ws && !file.eof();) {
    const bool starts_table = file.peek() != '"';
    file >> std::quoted(word);
    if (starts_table) {
      take();
    } else {
      words.push_back(word);
    }
  }
  take();
  return tables;
}

void expect_golden(const std::string& workload, Plugin plugin) {
  auto stream_file = open_golden(workload + "." + std::string(to_string(plugin)) + ".stream");
  auto changes_file = open_golden(workload + ".changes");
  const std::string expected{std::istreambuf_iterator<char>(changes_file), {}};
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(changes_of(plugin, read_tables(), read_captured_stream(stream_file)), expected);
}

TEST(Golden, InsertsAsTheDaemonAsksForThem) {
  expect_golden("inserts", Plugin::kWal2json);
  expect_golden("inserts", Plugin::kPgoutput);
}

TEST(Golden, UpdatesAndDeletesToo) {
  expect_golden("all", Plugin::kWal2json);
  expect_golden("all", Plugin::kPgoutput);
}

}  // namespace
}  // namespace dupwatch::decoder::golden_test
