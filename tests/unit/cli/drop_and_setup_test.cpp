#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "daemon/postgres/preflight.hpp"
#include "daemon/quarantine/queries.hpp"
#include "over_a_log.hpp"

namespace dupwatch::cli::drop_and_setup_test {
namespace {

using namespace over_a_log;

/// A row of slot_query().
answering::Answer slot() {
  answering::Row row(20);
  row[0] = "pgoutput";
  row[1] = "logical";
  row[2] = "app";
  return answering::rows({row});
}

TEST(DropCommand, SaysWhetherTheSlotWasThere) {
  Server server;
  Program program;
  server.answers("pg_replication_slots", answering::rows({}));
  expect(program, {{"drop"}, 0, "there is no replication slot dupwatch\n"});
  expect(program, {{"drop", "--json", "--slot", "other"},
                   0,
                   "{\"slot\":\"other\",\"existed\":false,\"released_wal_bytes\":0}\n"});
  server.answers("pg_replication_slots", slot()).answers("pg_drop_replication_slot", answering::value(""));
  expect(program, {{"drop"}, 0, "replication slot dupwatch is dropped; it held back 0 bytes of WAL\n"});
  ASSERT_EQ(server.asked("pg_drop_replication_slot").size(), 1U);
  expect(program,
         {{"drop", "--json"}, 0, "{\"slot\":\"dupwatch\",\"existed\":true,\"released_wal_bytes\":0}\n"});
}

TEST(DropCommand, ASlotInUseIsForAPersonAndAnErrorThatPassesIsNot) {
  Server server;
  Program program;
  server.answers("pg_replication_slots", slot());
  server.answers("pg_drop_replication_slot",
                 answering::failure("55006", "replication slot \"dupwatch\" is active for PID 4711"));
  expect(program, {{"drop"},
                   3,
                   "",
                   "error: replication slot \"dupwatch\" is active for PID 4711; remedy: stop the dupwatch "
                   "that streams from it"});
  server.answers("pg_drop_replication_slot",
                 answering::failure("57014", "canceling statement due to statement timeout"));
  expect(program, {{"drop"}, 4, "", "error: canceling statement due to statement timeout; remedy: "});
  server.answers("pg_drop_replication_slot",
                 answering::failure("42501", "permission denied to use replication slots"));
  expect(program, {{"drop"}, 3, "", "error: permission denied to use replication slots; remedy: "});
  Server gone;
  gone.refuses("connection to server failed: Connection refused");
  expect(program, {{"drop"}, 4, "", "error: connection to server failed: Connection refused"});
}

TEST(SetupCommand, PrintsWhatTheOptionsAskForAndNothingElse) {
  Server server;
  Program program;
  core::Config config;
  config.connection.dsn = "host=db.example dbname=app user=watcher";
  const auto setup = postgres::setup_sql(config);
  const auto quarantine = quarantine::setup_sql(config);
  using postgres::TeardownTables;
  const std::vector<std::pair<Words, std::string>> cases = {
      {{}, setup},
      {{"--quarantine"}, setup + quarantine},
      {{"--uninstall"}, postgres::teardown_sql(config, TeardownTables::kKeep)},
      {{"--uninstall", "--drop-tables"}, postgres::teardown_sql(config, TeardownTables::kDrop)},
      {{"--uninstall", "--drop-tables", "--discard-quarantined"},
       postgres::teardown_sql(config, TeardownTables::kDropWithRows)},
  };
  for (const auto& [more, sql] : cases) {
    Words words{"setup", "--print-sql"};
    words.insert(words.end(), more.begin(), more.end());
    const auto ran = program.with_config(words);
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.out, sql);
  }
  for (const Words& words :
       std::vector<Words>{{"setup"},
                          {"setup", "--print-sql", "--drop-tables"},
                          {"setup", "--print-sql", "--uninstall", "--discard-quarantined"}}) {
    EXPECT_EQ(program.with_config(words).code, 2);
  }
  EXPECT_EQ(server.sessions(), 0U) << "dupwatch never runs it itself";
}

}  // namespace
}  // namespace dupwatch::cli::drop_and_setup_test
