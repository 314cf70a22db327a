#include "checks_fixture.hpp"

namespace dupwatch::postgres::checks_test {
namespace {

TEST_F(Checks, AllPassWhereAllIsWell) {
  const auto report = run();
  EXPECT_FALSE(report.failed());
  EXPECT_FALSE(report.stopped_by);
  for (const auto& line : report.lines) {
    EXPECT_EQ(line.verdict, Verdict::kPass) << line.name << ": " << line.found;
    EXPECT_TRUE(line.fix.empty()) << line.name << ": " << line.fix;
    EXPECT_FALSE(line.found.empty()) << line.name;
  }
  EXPECT_EQ(report.lines.size(), 32U);
  EXPECT_EQ(server_.asked("CREATE_REPLICATION_SLOT").size(), server_.asked("DROP_REPLICATION_SLOT").size());
}

TEST_P(WhatIsWrong, IsSaidWithItsCure) {
  const auto& wrong = GetParam();
  server_.version(wrong.version).answers(wrong.question, wrong.answer);
  if (wrong.change) wrong.change(config_);
  const auto said = line(wrong.line);
  EXPECT_TRUE(said.starts_with(std::string(wrong.verdict) + ": ")) << said;
  for (const auto* word : wrong.words) EXPECT_NE(said.find(word), std::string::npos) << word << ": " << said;
}

std::vector<Wrong> of_server() {
  return {
      {"Standby15",
       "current_setting('hot_standby_feedback')::bool",
       rows({{"t", "t", "t"}}),
       "server_role",
       "fail",
       {"only a primary decodes", "target_session_attrs=primary"}},
      {"Standby16",
       "current_setting('hot_standby_feedback')::bool",
       rows({{"t", "f", "t"}}),
       "server_role",
       "warn",
       {"can invalidate the slot", "hot_standby_feedback"},
       160012},
      {"StandbySlot",
       "current_setting('hot_standby_feedback')::bool",
       rows({{"t", "t", "f"}}),
       "primary_slot",
       "warn",
       {"primary_slot_name"},
       160012},
      {"StandbyHeartbeat",
       "current_setting('hot_standby_feedback')::bool",
       rows({{"t", "t", "t"}}),
       "heartbeat",
       "warn",
       {"heartbeat.dsn"},
       160012},
      {"Version13", "no question", {}, "version", "fail", {"Postgres 14 or later"}, 130022},
      {"VersionRegressed", "no question", {}, "version", "warn", {"out of memory"}, 150013},
      {"Version14", "no question", {}, "version", "warn", {"can't leave columns out"}, 140022},
      {"Version19", "no question", {}, "version", "warn", {"newer than"}, 190000},
      {"WalLevel",
       "current_setting('wal_level')",
       value("replica"),
       "wal_level",
       "fail",
       {"replica", "wal_level"}},
      {"Superuser",
       "'rds_replication'",
       rows({{"postgres", "t", "t", "f"}}),
       "replication_right",
       "warn",
       {"superuser"}},
      {"RdsMember",
       "'rds_replication'",
       rows({{"watcher", "f", "f", "t"}}),
       "replication_right",
       "pass",
       {"rds_replication"}},
      {"NoReplication",
       "'rds_replication'",
       rows({{"watcher", "f", "f", "f"}}),
       "replication_right",
       "fail",
       {"may not replicate", "ALTER ROLE"}},
      {"Pooler", "SELECT pg_backend_pid()", value("9"), "not_a_pooler", "warn", {"a pooler or proxy"}},
      {"NoIdentity",
       "IDENTIFY_SYSTEM",
       failure("42601", "syntax error"),
       "replication_connection",
       "fail",
       {"syntax error"}},
      {"SendersFull",
       "current_setting('max_wal_senders')",
       rows({{"10", "11", "60000"}}),
       "wal_senders",
       "fail",
       {"10 of"}},
      {"SendersNearlyFull",
       "current_setting('max_wal_senders')",
       rows({{"10", "10", "60000"}}),
       "wal_senders",
       "warn",
       {"max_wal_senders"}},
      {"NoSenderTimeout",
       "current_setting('max_wal_senders')",
       rows({{"10", "2", "0"}}),
       "wal_sender_timeout",
       "warn",
       {"never gives up"}},
      {"OneSession",
       "'superuser_reserved_connections'",
       rows({{"97", "5", "1", "1", "watcher"}}),
       "connections",
       "fail",
       {"1 sessions", "CONNECTION LIMIT -1"}},
      {"FewConnections",
       "'superuser_reserved_connections'",
       rows({{"97", "95", "-1", "2", "watcher"}}),
       "connections",
       "warn",
       {"95 of 97"}},
      {"NoKeepSize",
       "name = 'max_slot_wal_keep_size'",
       rows({{"-1", "-1"}}),
       "max_slot_wal_keep_size",
       "warn",
       {"disk is full", "10GB"}},
      {"CommitTimes",
       "current_setting('track_commit_timestamp')",
       value("t"),
       "commit_timestamps",
       "pass",
       {"on"}},
      {"ServerError",
       "current_setting('wal_level')",
       failure("XX000", "internal trouble"),
       "wal_level",
       "fail",
       {"internal trouble"}},
  };
}

INSTANTIATE_TEST_SUITE_P(OfServer, WhatIsWrong, testing::ValuesIn(of_server()), name_of);

TEST_F(Checks, StopWhereNoSessionIsToBeHad) {
  server_.refuses("FATAL:  the database system is starting up");
  const auto report = run();
  ASSERT_EQ(report.lines.size(), 1U);
  EXPECT_EQ(report.lines[0].name, "reachable");
  EXPECT_TRUE(report.stopped_by);
  EXPECT_TRUE(report.failed());
}

TEST_F(Checks, StopWithTheSession) {
  server_.answers("current_setting('wal_level')", answering::ended("57P01", "terminating connection"));
  const auto report = run();
  EXPECT_EQ(report.lines.back().name, "wal_level");
  EXPECT_TRUE(report.stopped_by);
}

}  // namespace
}  // namespace dupwatch::postgres::checks_test
