#include "streamed/scene.hpp"

namespace dupwatch::run::streamed {
namespace {

using answering::ended;
using answering::failure;
using answering::rows;
using answering::value;
using process::ExitCode;

/// A message of the stream that is of neither plugin.
const std::string kUnreadable = walsender::Frames::data(0x1010, "no message");
constexpr auto kUnreadableClosed = R"("event":"coverage_gap_closed","gap":"decode_error")";

INSTANTIATE_TEST_SUITE_P(, DaemonTest,
                         testing::Values(decoder::Plugin::kWal2json, decoder::Plugin::kPgoutput), plugin_of);

TEST_P(DaemonTest, TellsADuplicateBeforeItConfirmsIt) {
  start_and_stream();
  const auto end = commit_duplicate();
  EXPECT_TRUE(comes([&] { return database_.confirmed() >= end; }));
  EXPECT_EQ(told(kFatal), 1U);
  EXPECT_EQ(stop(), ExitCode::kClean);
}

TEST_P(DaemonTest, GoesOnWhereItWasWhenTheStreamEnds) {
  start_and_stream();
  commit_duplicate(1);
  ASSERT_TRUE(comes([&] { return told(kFatal) == 1; }));
  database_.server.end_stream();
  const auto end = commit_duplicate(2);
  EXPECT_TRUE(comes([&] { return database_.confirmed() >= end && ready(); }));
  database_.server.end_stream(ended("", "could not receive data from server: Connection timed out"));
  commit_duplicate(3);
  EXPECT_TRUE(comes([&] { return told(kFatal) == 3; }));
  EXPECT_TRUE(comes([&] {
    return metric(R"(dupwatch_stream_disconnects_total{reason="server_closed"})") == "1" &&
           metric(R"(dupwatch_stream_disconnects_total{reason="network"})") == "1";
  }));
}

TEST_P(DaemonTest, LeavesTheStreamWhenTheServerSaysThatItGoesDown) {
  start_and_stream();
  database_.server.refuses("FATAL:  57P03: the database system is shutting down");
  database_.server.end_sessions(ended("57P01", "terminating connection due to administrator command"));
  EXPECT_TRUE(comes([&] { return !database_.streams(); }));
  EXPECT_TRUE(comes([&] { return !ready(); }));
  const auto end = commit_duplicate();
  std::this_thread::sleep_for(50ms);
  EXPECT_LT(database_.confirmed(), end);
  database_.server.refuses("");
  EXPECT_TRUE(comes([&] { return database_.confirmed() >= end && ready(); }));
  EXPECT_EQ(told(kFatal), 1U);
}

TEST_P(DaemonTest, StopsWhileNoServerAnswers) {
  start_and_stream();
  database_.server.refuses("could not connect to server: Connection refused");
  database_.server.end_sessions(ended("57P01", "terminating connection due to administrator command"));
  ASSERT_TRUE(comes([&] { return !ready(); }));
  EXPECT_EQ(stop(), ExitCode::kClean);
}

TEST_P(DaemonTest, GivesUpAServerThatNeverAnswered) {
  database_.server.refuses("could not connect to server: Connection refused");
  config_.connection.startup_timeout = core::Milliseconds{2'000};
  start();
  EXPECT_TRUE(comes_in_time([&] { return has_ended(); }, 100ms));
  EXPECT_EQ(wait_for_end(), ExitCode::kTemporary);
}

TEST_P(DaemonTest, JudgesOpenRunsAtItsFirstStart) {
  config_.baseline = core::Baseline::kAll;
  database_.change_slot({.exists = false, .plugin = database_.slot().plugin});
  auto& server = database_.server;
  std::vector<answering::Row> log;
  for (std::uint64_t n = 1; const auto* type : {"step_created", "step_completed", "step_created"})
    log.push_back({run_id(1), event(n++, type).id, type, "step_a", "4711", std::nullopt, std::nullopt});
  server.answers("FETCH FORWARD", [log, sent = false](const answering::Statement&) mutable {
    return rows(std::exchange(sent, true) ? std::vector<answering::Row>{} : log);
  });
  start_and_stream();
  EXPECT_EQ(server.asked("CREATE_REPLICATION_SLOT").size(), 1U);
  EXPECT_EQ(server.asked("SET TRANSACTION SNAPSHOT").size(), 1U);
  EXPECT_TRUE(comes([&] { return told(R"("origin":"baseline")") == 1; }));
}

TEST_P(DaemonTest, ASlotThatItMayNotMakeIsAnOperatorsMatter) {
  database_.change_slot({.exists = false, .plugin = database_.slot().plugin});
  config_.slot.create = false;
  start();
  EXPECT_EQ(wait_for_end(), ExitCode::kOperator);
}

TEST_P(DaemonTest, StandsByWhileAnotherHoldsTheSlot) {
  auto& server = database_.server;
  server.answers("pg_try_advisory_xact_lock_shared", value("f"))
      .answers("a.usesysid = (SELECT oid", rows({{"812", "watcher", "t"}}));
  start();
  EXPECT_TRUE(comes([&] { return trouble().find("standby") != std::string::npos; })) << trouble();
  server.answers("pg_try_advisory_xact_lock_shared", value("t"));
  const auto end = commit_duplicate();
  EXPECT_TRUE(comes_in_time([&] { return database_.confirmed() >= end && ready(); }, 50ms));
  EXPECT_EQ(told(kFatal), 1U);
}

TEST_P(DaemonTest, IgnoresAStrangersLock) {
  database_.server.answers("pg_try_advisory", value("f"))
      .answers("a.usesysid = (SELECT oid", rows({{"812", "app", "f"}}));
  start_and_stream();
  EXPECT_TRUE(logs("foreign_lock"));
}

TEST_P(DaemonTest, ATableThatIsNotThereStopsAFirstStart) {
  database_.change_table(std::nullopt);
  start();
  EXPECT_EQ(wait_for_end(), ExitCode::kOperator);
}

TEST_P(DaemonTest, ATableThatChangesIsAGapUntilAScanHasClosedIt) {
  start_and_stream();
  auto table = database_.table();
  database_.change_table(std::nullopt);
  EXPECT_TRUE(comes_in_time([&] { return !ready(); }, 100ms));
  table.at(1) = "16999";
  database_.change_table(table);
  EXPECT_TRUE(comes_in_time([&] { return ready(); }, 100ms)) << trouble();
  EXPECT_TRUE(logs(R"("event":"coverage_gap_closed","gap":"table_changed")"));
  EXPECT_TRUE(logs(R"("event":"table_replaced")"));
}

TEST_P(DaemonTest, AMessageThatCanNotBeReadIsAGapUntilAScanHasClosedIt) {
  start_and_stream();
  database_.server.stream(kUnreadable);
  EXPECT_TRUE(logs("cannot decode a message of the stream"));
  EXPECT_TRUE(logs(kUnreadableClosed));
  EXPECT_TRUE(comes([&] { return ready(); })) << trouble();
}

TEST_P(DaemonTest, AScanThatFailsClosesNoGap) {
  const auto closed = [&] { return log().find(kUnreadableClosed) != std::string::npos; };
  start_and_stream();
  database_.server.answers("FETCH FORWARD", failure("57014", "canceling statement due to statement timeout"));
  database_.server.stream(kUnreadable);
  EXPECT_TRUE(logs("existing rows could not all be judged; this is tried again"));
  EXPECT_FALSE(closed());
  EXPECT_TRUE(comes([&] { return trouble().find("coverage gap (decode_error)") != std::string::npos; }))
      << trouble();
  database_.server.answers("FETCH FORWARD", rows({}));
  EXPECT_TRUE(comes_in_time(closed, 500ms));
}

TEST_P(DaemonTest, AScanThatSomebodyWaitsForMakesWayAndBeginsAgain) {
  const auto closed = [&] { return log().find(kUnreadableClosed) != std::string::npos; };
  start_and_stream();
  database_.server.answers("NOT w.granted", rows({{"t"}}));
  database_.server.answers("FETCH FORWARD", [](const answering::Statement&) {
    skip(1s);
    return rows({{"wrun_a"}});
  });
  database_.server.stream(kUnreadable);
  EXPECT_TRUE(logs(R"("reason":"made_way")"));
  EXPECT_FALSE(closed());
  database_.server.answers("FETCH FORWARD", rows({}));
  EXPECT_TRUE(comes_in_time(closed, 500ms));
}

TEST_P(DaemonTest, ALostSlotIsMadeAnewAndItsGapScanned) {
  start_and_stream();
  auto slot = database_.slot();
  slot.wal_status = "lost";
  slot.invalidation = "wal_removed";
  database_.change_slot(slot);
  database_.server.end_stream(
      failure("55000", "can no longer get changes from replication slot \"dupwatch\""));
  EXPECT_TRUE(
      comes_in_time([&] { return database_.server.asked("CREATE_REPLICATION_SLOT").size() == 1; }, 50ms));
  EXPECT_TRUE(comes_in_time([&] { return ready(); }, 50ms)) << trouble();
  EXPECT_TRUE(logs(R"("event":"coverage_gap_closed","gap":"slot_lost")"));
}

TEST_P(DaemonTest, ALostSlotEndsItWhereThatIsThePolicy) {
  config_.slot.lost_policy = core::LostPolicy::kStop;
  auto slot = database_.slot();
  slot.wal_status = "lost";
  database_.change_slot(slot);
  start();
  EXPECT_EQ(wait_for_end(), ExitCode::kOperator);
}

TEST_P(DaemonTest, PollsInPlaceOfALostSlotWhereThatIsThePolicy) {
  config_.slot.lost_policy = core::LostPolicy::kPoll;
  start_and_stream();
  auto slot = database_.slot();
  slot.wal_status = "lost";
  database_.change_slot(slot);
  database_.server.end_stream(
      failure("55000", "can no longer get changes from replication slot \"dupwatch\""));
  EXPECT_TRUE(comes_in_time([&] { return trouble().find("polling") != std::string::npos; }, 50ms))
      << trouble();
  EXPECT_TRUE(comes_in_time([&] { return metric("dupwatch_polls_total") >= "1"; }, 1s));
  EXPECT_EQ(stop(), ExitCode::kClean);
}

TEST_P(DaemonTest, GivesUpASlotThatHoldsBackMoreThanItMay) {
  config_.slot.max_retained_wal = {.bytes = 1U << 20U};
  start_and_stream();
  auto slot = database_.slot();
  slot.retained = 2 << 20;
  database_.change_slot(slot);
  EXPECT_TRUE(comes_in_time([&] { return !database_.slot().exists; }, 50ms));
  EXPECT_TRUE(comes([&] { return trouble().find("polling") != std::string::npos; })) << trouble();
  slot.retained = 0;
  slot.exists = false;
  database_.change_slot(slot);
  EXPECT_TRUE(comes_in_time([&] { return ready(); }, 1s)) << trouble();
  EXPECT_TRUE(logs(R"("event":"coverage_gap_closed","gap":"fuse")"));
}

TEST_P(DaemonTest, StepsOverWhatCanNotBeDelivered) {
  // Its messages would not come through either.
  config_.heartbeat.interval = core::Milliseconds{0};
  start_and_stream();
  database_.put_silently(event(1, "run_created"));
  // Until a start finds the stream behind the place.
  EXPECT_TRUE(comes([&] {
    if (database_.streams())
      database_.server.end_stream(failure("54000", "invalid memory alloc request size 1073741824"));
    return database_.server.asked("pg_replication_slot_advance").size() == 1;
  }));
  EXPECT_TRUE(comes([&] { return metric("dupwatch_poison_rows_total") == "1"; }));
  EXPECT_TRUE(comes_in_time([&] { return ready(); }, 50ms)) << trouble();
  EXPECT_TRUE(logs(R"("event":"coverage_gap_closed","gap":"poison_row")"));
}

TEST_P(DaemonTest, TruncationIsTold) {
  start_and_stream();
  commit_duplicate();
  database_.truncate();
  EXPECT_TRUE(logs("the watched table was truncated"));
}

}  // namespace
}  // namespace dupwatch::run::streamed
