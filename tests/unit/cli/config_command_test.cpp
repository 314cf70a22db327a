#include <gtest/gtest.h>

#include <string>

#include "program.hpp"

namespace dupwatch::cli::config_command_test {
namespace {

TEST(ConfigSet, SetsValuesInTheFileThatIsNamed) {
  Program program("# mine\nslot:\n  name: one  # first\n");
  const auto ran = program.run({"config", "set", "slot.name=two", "http.listen=[::1]:9788",
                                "table.scope_columns=[tenant_id]", "--config", program.config_file()});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(
      ran.out,
      program.config_file() +
          ": set slot.name, http.listen, table.scope_columns. A running dupwatch reads it after a reload or "
          "restart.\n");
  const auto text = content(program.config_file());
  EXPECT_NE(text.find("# mine\nslot:\n  name: two  # first\n"), std::string::npos) << text;
  EXPECT_NE(text.find("http:\n  listen: \"[::1]:9788\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("table:\n  scope_columns: [tenant_id]\n"), std::string::npos) << text;
}

TEST(ConfigSet, MakesAFileThatIsNotThere) {
  Program program;
  const auto file = program.path("new.yaml");
  EXPECT_EQ(program.run({"config", "set", "--config", file, "connection.dsn=host=a user=b"}).code, 0);
  EXPECT_EQ(content(file), "connection:\n  dsn: \"host=a user=b\"\n");
}

TEST(ConfigSet, WritesNothingThatWouldBeRefused) {
  Program program;
  const auto before = content(program.config_file());
  const auto ran = program.run(
      {"config", "set", "slot.plugin=wal2jsn", "slot.name=No", "--config", program.config_file()});
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(
      says(ran.err, {"slot.name: found \"No\"", "slot.plugin: found \"wal2jsn\"", "nothing was written\n"}) ||
      says(ran.err, {"slot.plugin: found \"wal2jsn\"", "slot.name: found \"No\"", "nothing was written\n"}))
      << ran.err;
  const auto odd = program.run({"config", "set", "slot.name", "--config", program.config_file()});
  EXPECT_EQ(odd.code, 2);
  EXPECT_TRUE(says(odd.err, {"slot.name has no value", "KEY=VALUE"})) << odd.err;
  EXPECT_EQ(content(program.config_file()), before);
  const auto folder = program.run({"config", "set", "slot.name=a", "--config", program.path("")});
  EXPECT_EQ(folder.code, 2);
  EXPECT_TRUE(says(folder.err, {"expected a regular file", "nothing was written\n"})) << folder.err;
  EXPECT_EQ(program.run({"config"}).code, 2);
}

}  // namespace
}  // namespace dupwatch::cli::config_command_test
