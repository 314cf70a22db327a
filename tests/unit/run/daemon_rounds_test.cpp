#include "streamed/scene.hpp"

#include "daemon/process/clock.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::run::streamed {
namespace {

using answering::failure;
using answering::rows;
using process::ExitCode;

class DaemonRounds : public DaemonTest {};
INSTANTIATE_TEST_SUITE_P(, DaemonRounds, testing::Values(decoder::Plugin::kPgoutput), plugin_of);

TEST_P(DaemonRounds, AHeartbeatThatDoesNotComeBackIsTrouble) {
  start_and_stream();
  EXPECT_TRUE(comes_in_time([&] { return metric("dupwatch_heartbeat_roundtrip_seconds_count") >= "1"; }, 1s));
  // Written, and never streamed.
  database_.server.answers("pg_logical_emit_message", answering::value("0/2000"));
  EXPECT_TRUE(
      comes_in_time([&] { return trouble().find("heartbeat has not come back") != std::string::npos; }, 1s))
      << trouble();
}

TEST_P(DaemonRounds, ARightThatIsMissingEndsTheHeartbeatAndNothingElse) {
  database_.server.answers("pg_logical_emit_message", failure("42501", "permission denied for function"));
  start_and_stream();
  commit_duplicate();
  EXPECT_TRUE(comes_in_time([&] { return told(kFatal) == 1; }, 100ms));
  EXPECT_TRUE(comes_in_time([&] { return log().find("heartbeat") != std::string::npos; }, 1s));
  EXPECT_TRUE(ready()) << trouble();
}

TEST_P(DaemonRounds, ReadsBackRunsThatItHasForgotten) {
  config_.index.memory_max_bytes = 64 << 10;
  start_and_stream();
  for (std::uint64_t run = 1; run <= 400; ++run)
    database_.commit({event(1, "run_created", {}, run), event(2, "step_created", "step_a", run),
                      event(3, "step_started", "step_a", run), event(4, "step_completed", "step_a", run)});
  auto end = database_.commit({event(5, "step_created", "step_a", 1)});
  EXPECT_TRUE(comes([&] { return database_.confirmed() >= end; }));
  EXPECT_EQ(told(kFatal), 1U);
  database_.server.answers("TO STDOUT", failure("57014", "canceling statement due to statement timeout"));
  end = database_.commit({event(5, "step_created", "step_a", 2)});
  EXPECT_TRUE(comes([&] { return trouble().find("can't be read back") != std::string::npos; })) << trouble();
  EXPECT_LT(database_.confirmed(), end);
  // The newest answer counts: the rows of run 2 again.
  database_.server.answers("TO STDOUT", [](const answering::Statement& asked) {
    auto out = answering::copied({});
    for (std::uint64_t n = 2;
         const auto* type : {"step_created", "step_started", "step_completed", "step_created"}) {
      const auto row = event(n++, type, "step_a", 2);
      if (asked.text.find(row.run_id) == std::string::npos) continue;
      out.copied->push_back(row.run_id + "\t" + row.id + "\t" + type + "\tstep_a\t4711\t\\N\t\\N\n");
    }
    return out;
  });
  EXPECT_TRUE(comes([&] { return database_.confirmed() >= end && ready(); })) << trouble();
  EXPECT_EQ(told(kFatal), 2U);
}

TEST_P(DaemonRounds, ARowThatTheStreamDidNotBringIsSeenByTheWitness) {
  start_and_stream();
  database_.put_silently(event(1, "run_created"));
  EXPECT_TRUE(comes_in_time([&] { return trouble().find("deaf") != std::string::npos; }, 500ms)) << trouble();
}

TEST_P(DaemonRounds, ARowThatTheTableDoesNotShowIsSeenByTheWitness) {
  start_and_stream();
  database_.server.answers("AND e.\"id\" = ANY ($2::text[])", rows({}));
  database_.commit({event(1, "run_created")});
  EXPECT_TRUE(comes_in_time([&] { return trouble().find("blind") != std::string::npos; }, 500ms))
      << trouble();
}

TEST_P(DaemonRounds, ATableThatCanNotBeComparedForLongIsTrouble) {
  auto& server = database_.server;
  server.answers("pg_current_snapshot()", failure("57014", "canceling statement due to lock timeout"));
  start_and_stream();
  EXPECT_TRUE(
      comes_in_time([&] { return trouble().find("have not been compared for 30") != std::string::npos; }, 2s))
      << trouble();
  server.answers("pg_current_snapshot()", rows({{"9000", "9000", "0/1000", "0", "0", "16400", "1"}}));
  EXPECT_TRUE(comes_in_time([&] { return ready(); }, 500ms)) << trouble();
}

TEST_P(DaemonRounds, AQuestionThatBringsTheServerDownIsNotAskedEverySecondsAgain) {
  auto& server = database_.server;
  const auto crash = answering::ended("", "server closed the connection unexpectedly");
  // What the start asks as well is answered once.
  const auto once = [&](const char* part, answering::Row row) {
    server.answers(part, [crash, row = std::move(row), asked = false](const answering::Statement&) mutable {
      return std::exchange(asked, true) ? crash : rows({row});
    });
  };
  once("'ts_insert_blocker'", database_.table());
  once("WITH columns AS", {"f", "f", "f", "f"});
  server.answers("pg_current_snapshot()", crash);
  start_and_stream();
  const auto begun = process::steady_now();
  EXPECT_TRUE(comes_in_time([&] { return process::steady_now() - begun > 5min; }, 1s));
  for (const auto* part : {"pg_current_snapshot()", "WITH columns AS", "'ts_insert_blocker'"})
    EXPECT_LT(server.asked(part).size(), 12U) << part;
  EXPECT_FALSE(ready());
}

TEST_P(DaemonRounds, ATableWhoseFormIsNotSeenForLongIsTrouble) {
  start_and_stream();
  const auto table = database_.table();
  database_.server.answers("'ts_insert_blocker'",
                           failure("57014", "canceling statement due to user request"));
  EXPECT_TRUE(
      comes_in_time([&] { return trouble().find("has not been seen for 30") != std::string::npos; }, 2s))
      << trouble();
  database_.server.answers("'ts_insert_blocker'", rows({table}));
  EXPECT_TRUE(comes_in_time([&] { return ready(); }, 2s)) << trouble();
}

TEST_P(DaemonRounds, WhatIsNotKnownOfTheSlotAnyMoreIsNotTold) {
  const auto reserved = R"(dupwatch_slot_wal_status{slot_name="dupwatch",wal_status="reserved"})";
  start_and_stream();
  ASSERT_TRUE(comes_in_time([&] { return metric(reserved) == "1"; }, 500ms));
  database_.server.answers("FROM pg_catalog.pg_replication_slots s",
                           failure("57014", "canceling statement due to user request"));
  EXPECT_TRUE(comes_in_time([&] { return metric(reserved) == "0"; }, 2s));
  EXPECT_NE(metric(R"(dupwatch_slot_retained_wal_bytes{slot_name="dupwatch"})"), "")
      << "from the stream's positions";
}

TEST_P(DaemonRounds, TheFindingOfARowThatIsGoneIsClosed) {
  start_and_stream();
  commit_duplicate();
  ASSERT_TRUE(comes([&] { return told(kFatal) == 1; }));
  database_.remove(event(6, "").id);
  EXPECT_TRUE(comes_in_time([&] { return told(R"("state":"gone")") == 1; }, 2s));
}

TEST_P(DaemonRounds, ALookAtTheTablesThatFailsIsTriedAgain) {
  database_.server.answers("t.tgenabled IN",
                           failure("57014", "canceling statement due to statement timeout"));
  start_and_stream();
  EXPECT_TRUE(comes_in_time(
      [&] { return log().find("the periodic look at the tables failed") != std::string::npos; }, 2s));
  database_.server.answers("t.tgenabled IN", rows({{"t", "created", "3", "5"}}));
  EXPECT_TRUE(comes_in_time([&] { return metric("dupwatch_guard_suppressed_rows_total") == "3"; }, 2s))
      << get("/metrics").body;
}

TEST_P(DaemonRounds, AHoleInTheSlotsIsToldOnceTheTableShowsIt) {
  database_.server.answers("right(", rows({{run_id(1), core::slot_id(3), core::slot_id(1), "6"}}));
  start_and_stream();
  auto first = event(1, "run_created");
  first.id = core::slot_id(1);
  auto third = event(3, "step_created", "step_a");
  third.id = core::slot_id(3);
  database_.commit({first});
  database_.commit({third});
  EXPECT_TRUE(comes_in_time([&] { return told(R"("rule":"slot_gap")") >= 1; }, 500ms)) << log();
}

/// A column of the schema, as of before or after a migration that swaps the key.
answering::Row schema_row(std::string column, const char* key) {
  return {std::move(column), "f", "t", std::nullopt, key};
}

TEST_P(DaemonRounds, AMigrationIsToldOnceTwoLooksShowIt) {
  auto& server = database_.server;
  const auto* part = "pg_get_constraintdef(k.oid)";
  server.answers(part, rows({schema_row("workflow_events.created_at", "PRIMARY KEY (id)")}));
  start_and_stream();
  ASSERT_TRUE(comes_in_time([&] { return server.asked(part).size() > 1; }, 500ms));
  // While the transaction commits the key is not there any more, and not yet.
  server.answers(part, [asked = 0](const answering::Statement&) mutable {
    if (++asked == 1) return rows({schema_row("workflow_events.created_at", "")});
    return rows({schema_row("workflow_events.created_at", "PRIMARY KEY (run_id, id)"),
                 schema_row("workflow_event_slots.run_id", "PRIMARY KEY (run_id, id)")});
  });
  EXPECT_TRUE(logs(R"("event":"schema_changed")"));
  EXPECT_TRUE(logs("key is PRIMARY KEY (run_id, id)"));
  EXPECT_EQ(log().find("no primary key"), std::string::npos);
}

TEST_P(DaemonRounds, TheEnginesTablesAreLookedAtWhereTheyMayBeRead) {
  database_.server.answers("token_retention_until", rows({{"t", "f", "f", "f", std::nullopt}}))
      .answers("GROUP BY token", rows({{run_id(1), "hook_a, hook_b"}}));
  start_and_stream();
  EXPECT_TRUE(comes_in_time([&] { return log().find("hook_a, hook_b") != std::string::npos; }, 2s)) << log();
}

TEST_P(DaemonRounds, ReloadsWhatMayChangeAndKeepsTheRest) {
  auto wanted = config_;
  wanted.recheck.interval = core::Milliseconds{7'000};
  wanted.slot.name = "another";
  load_ = [wanted]() -> config::ConfigResult { return wanted; };
  config_.http.reload = true;
  start_and_stream();
  const auto answer = web::call(config_.http.port, "POST", "/-/reload");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("recheck.interval"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("slot.name"), std::string::npos) << answer.body;
}

TEST_P(DaemonRounds, AConfigurationWithProblemsLeavesTheOneBeforeInForce) {
  load_ = []() -> config::ConfigResult {
    return std::vector<config::ConfigProblem>{{.file = "dupwatch.yaml",
                                               .line = 3,
                                               .key = "slot.name",
                                               .found = "x",
                                               .expected = "a name",
                                               .remedy = ""}};
  };
  config_.http.reload = true;
  start_and_stream();
  EXPECT_EQ(web::call(config_.http.port, "POST", "/-/reload").status, 500);
  EXPECT_EQ(metric("dupwatch_config_last_reload_successful"), "0");
  EXPECT_TRUE(ready());
}

TEST_P(DaemonRounds, RemembersAcrossStartsWhatItHasSeen) {
  start_and_stream();
  const auto end = commit_duplicate(1);
  ASSERT_TRUE(comes([&] { return database_.confirmed() >= end; }));
  ASSERT_EQ(stop(), ExitCode::kClean);
  start_and_stream();
  EXPECT_EQ(log().find("unknown_past", log().rfind("\"event\":\"stopped\"")), std::string::npos);
  EXPECT_EQ(told(kFatal), 1U);
}

TEST_P(DaemonRounds, ASlotThatIsAheadOfWhatItConfirmedIsAGap) {
  start_and_stream();
  const auto end = commit_duplicate(1);
  ASSERT_TRUE(comes([&] { return database_.confirmed() >= end; }));
  ASSERT_EQ(stop(), ExitCode::kClean);
  database_.advance_slot();
  start_and_stream();
  EXPECT_TRUE(logs(R"("event":"coverage_gap_closed","gap":"position_ahead")"));
}

}  // namespace
}  // namespace dupwatch::run::streamed
