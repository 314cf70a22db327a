#include "tests/unit/core/watch_fixture.hpp"

namespace dupwatch::core::watch_read_back_test {
namespace {

using ReadBackTest = WatchTest;
TEST_P(WatchTest, NothingIsKeptOfRowsThatMayNotExist) {
  table = {event(1)};
  (void)transaction({event(11)});  // waits for its read-back
  ASSERT_EQ(watch.pending_runs(), 1U);
  watch.forget_rows();
  EXPECT_EQ(watch.pending_runs(), 0U);
  EXPECT_EQ(watch.index().size(), 0U);
  EXPECT_FALSE(watch.next_read_back());
  // The server was put back to before event 11, and goes on otherwise.
  table = {event(1)};
  start(0x1000);
  const auto end = transaction({event(12, "step_started")});
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_TRUE(findings().empty()) << "there is no second step_created";
  EXPECT_EQ(confirmed(), end);
}

TEST_P(WatchTest, AReadBackThatIsInFlightWhenRowsAreForgottenBringsNothing) {
  table = {event(1), event(11)};
  (void)transaction({event(11)});
  const auto asked = watch.next_read_back();
  ASSERT_TRUE(asked);
  watch.forget_rows();
  // The server was put back to before event 11, and goes on otherwise; only then the old answer comes.
  start(0x1000);
  const auto end = transaction({event(12, "step_started")});
  EXPECT_FALSE(watch.next_read_back()) << "one at a time";
  deliver(*asked);
  watch.read_back_done();
  EXPECT_EQ(watch.pending_runs(), 1U);
  table = {event(1)};
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_TRUE(findings().empty()) << "there is no second step_created";
  EXPECT_EQ(confirmed(), end);
}

INSTANTIATE_TEST_SUITE_P(Plugins, ReadBackTest,
                         ::testing::Values(decoder::Plugin::kWal2json, decoder::Plugin::kPgoutput),
                         plugin_name);

TEST_P(ReadBackTest, AnEventOfAColdRunIsJudgedAgainstItsRowsInTheTable) {
  table = {event(1), event(2, "step_completed")};
  const auto end = transaction({event(3)});
  EXPECT_FALSE(watch.has_findings());
  EXPECT_EQ(watch.pending_runs(), 1U);
  EXPECT_EQ(confirmed(), Lsn{0x1000}) << "held until it is judged";
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", 1)});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].origin, Origin::kStream) << "its duplicate row came through the stream";
  EXPECT_TRUE(found[0].after_close);
  EXPECT_EQ(found[0].duplicate.commit_lsn, Lsn{lsn});
  EXPECT_EQ(found[0].canonical.commit_lsn, std::nullopt);
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(watch.pending_runs(), 0U);
}

TEST_P(ReadBackTest, DuplicatesAmongOldRowsAreFoundOnTheWay) {
  table = {event(1), event(2)};
  (void)transaction({event(3, "wait_created", "wait_1")});
  (void)read_back();
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].origin, Origin::kReadBack);
}

TEST_P(ReadBackTest, ASecondRunCreatedOfAnEvictedRunIsADuplicate) {
  (void)transaction({event(1, "run_created", std::nullopt)});
  (void)read_back();
  evict_all();
  (void)transaction({event(2, "run_created", std::nullopt)});
  (void)read_back();
  ASSERT_EQ(findings().size(), 1U);
}

TEST_P(ReadBackTest, ARunWhoseRowsWereDeletedIsJudgedByWhatTheStreamBrought) {
  (void)transaction({event(1)});
  (void)read_back();
  evict_all();
  begin();
  insert(event(2));
  const auto end = commit();
  table.clear();
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_TRUE(findings().empty());
  EXPECT_EQ(confirmed(), end);
  (void)transaction({event(3)});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].canonical.id, ulid("wevt_", 2));
}

TEST_P(ReadBackTest, RowsThatTheStreamDeliversLaterAreRedeliveries) {
  begin();
  insert(event(1));
  (void)commit();
  table.push_back(event(2));  // committed since; the stream has not got there
  (void)read_back();
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].origin, Origin::kReadBack);
  (void)transaction({event(2)});
  EXPECT_TRUE(findings().empty());
  EXPECT_EQ(watch.counters().redeliveries, 1U);
  const auto again = transaction({event(2)});
  EXPECT_EQ(confirmed(), again);
}

TEST_P(ReadBackTest, ADuplicateOfARowThatTheStreamNeverBroughtIsFoundOnceRunsAreDoubted) {
  (void)transaction({event(1, "run_created", std::nullopt)});
  (void)read_back();
  table = {event(1, "run_created", std::nullopt), event(2)};  // row 2 was committed in a gap
  watch.doubt_runs();
  (void)transaction({event(3)});
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", 1)});
  ASSERT_EQ(findings().size(), 1U);
}

TEST_P(ReadBackTest, ATransactionOfAnotherHistoryIsNotTheOneOfARow) {
  for (const bool doubted : {false, true}) {
    const auto run = ulid("wrun_", doubted ? 2 : 1);
    (void)transaction({event(1, "run_created", std::nullopt, ulid("wrun_", 9))});
    const CommitInfo same{.lsn = {}, .time = {}, .xid = xid};
    const Lsn streamed{lsn};
    (void)read_back();
    if (doubted) watch.doubt_runs();
    (void)transaction({event(3, "step_created", "step_1", run)});
    while (const auto batch = watch.next_read_back()) {
      for (const auto id : {2, 3}) {
        const auto row = event(static_cast<std::uint64_t>(id), "step_created", "step_1", run);
        watch.read_back_row(run, row.id, row.type, values_of(row.identity), id == 2 ? same : CommitInfo{},
                            now, 0);
      }
      watch.read_back_done();
      while (watch.judge_on(now)) continue;
    }
    const auto found = findings();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].canonical.xid, same.xid);
    // A server that was put back gives the number out again.
    EXPECT_EQ(found[0].canonical.commit_lsn, doubted ? std::nullopt : std::optional(streamed));
  }
}

TEST_P(ReadBackTest, AReadBackThatWasAskedForBeforeTheDoubtIsNotTrustedAfterwards) {
  (void)transaction({event(1, "run_created", std::nullopt)});
  const auto batch = watch.next_read_back();
  ASSERT_TRUE(batch);
  watch.doubt_runs();
  watch.read_back_done();  // of a snapshot from before row 2
  table = {event(1, "run_created", std::nullopt), event(2)};
  (void)transaction({event(3)});
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", 1)});
  ASSERT_EQ(findings().size(), 1U);
  (void)transaction({event(4, "wait_created", "wait_1")});
  EXPECT_TRUE(read_back().empty()) << "what is read back later is trusted";
}

TEST_P(ReadBackTest, AFailedReadBackIsOfferedAgainAndHoldsThePosition) {
  table = {event(1), event(2, "step_created", "step_2")};
  const auto end = transaction({event(3)});
  const auto first = watch.next_read_back();
  ASSERT_TRUE(first);
  EXPECT_EQ(watch.next_read_back(), std::nullopt) << "one at a time";
  deliver(ReadBack{.number = first->number, .run_ids = first->run_ids});
  watch.read_back_failed();
  EXPECT_FALSE(watch.has_findings()) << "half an answer judges nothing";
  EXPECT_EQ(confirmed(), Lsn{0x1000});
  const auto second = watch.next_read_back();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->number, first->number);
  EXPECT_EQ(second->run_ids, first->run_ids);
  deliver(*second);
  watch.read_back_done();
  EXPECT_EQ(findings().size(), 1U);
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(watch.index().rows(), 3U);
  EXPECT_EQ(watch.counters().read_back_failures, 1U);
  EXPECT_EQ(watch.counters().read_backs, 2U);
}

TEST_P(ReadBackTest, ARunsEventsBeforeWithinAndAfterItsReadBackAreOneRun) {
  table = {event(1)};
  (void)transaction({event(2)});
  const auto batch = watch.next_read_back();
  ASSERT_TRUE(batch);
  (void)transaction({event(3)});  // the answer is on its way
  deliver(*batch);
  (void)transaction({event(4)});  // the answer is half in
  EXPECT_FALSE(watch.has_findings());
  watch.read_back_done();
  EXPECT_EQ(findings().size(), 3U);
  (void)transaction({event(5)});
  EXPECT_EQ(findings().size(), 1U);
  EXPECT_EQ(watch.next_read_back(), std::nullopt);
}

TEST_P(ReadBackTest, ADuplicateThatArrivesWhileItsRunIsPendingIsFoundOnce) {
  (void)transaction({event(2), event(1)});
  --xid;  // The same transaction once more.
  (void)transaction({event(1), event(2)});
  EXPECT_FALSE(watch.has_findings());
  (void)read_back();
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].canonical.id, ulid("wevt_", 1));
  EXPECT_EQ(watch.counters().redeliveries, 2U);
}

TEST_P(ReadBackTest, ATransactionWaitsForTheReadBackThatItsRowsNeedAndNoLater) {
  const auto first = transaction({event(1)});
  const auto batch = watch.next_read_back();
  ASSERT_TRUE(batch);
  const auto second = transaction({event(2, "step_created", "step_1", ulid("wrun_", 2))});
  const auto third = transaction({event(3, "step_started")});
  deliver(*batch);
  watch.read_back_done();
  EXPECT_EQ(confirmed(), first);
  EXPECT_LT(first, second);
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", 2)});
  EXPECT_EQ(confirmed(), third);
}

TEST_P(ReadBackTest, AReadBackWithinATransactionDoesNotConfirmIt) {
  begin();
  insert(event(1));
  (void)read_back();
  EXPECT_EQ(confirmed(), Lsn{0x1000});
  insert(event(2));
  const auto end = commit();
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(kept.size(), 1U);
}

TEST_P(ReadBackTest, ReadingStopsAtSoManyPendingRunsAndGoesOnAfterTheirReadBack) {
  constexpr std::uint64_t kRuns = Watch::kPendingRunsMax + 2 * Watch::kReadBackRunsMax + 1;
  for (std::uint64_t n = 0; n < kRuns; ++n) {
    table.push_back(event(1, "step_created", "step_1", ulid("wrun_", n)));
  }
  std::size_t stops = 0;
  begin();
  for (std::uint64_t n = 0; n < kRuns; ++n) {
    if (!watch.may_read()) {
      EXPECT_EQ(watch.pending_runs(), Watch::kPendingRunsMax);
      EXPECT_EQ(read_back().size(), Watch::kReadBackRunsMax);
      EXPECT_TRUE(watch.may_read());
      ++stops;
    }
    send(event(2, "step_created", "step_1", ulid("wrun_", n)));
  }
  const auto end = commit();
  EXPECT_EQ(stops, 3U);
  while (watch.pending_runs() != 0) {
    EXPECT_EQ(confirmed(), Lsn{0x1000});
    EXPECT_LE(read_back().size(), Watch::kReadBackRunsMax);
  }
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(kept.size(), kRuns);
}

TEST_P(ReadBackTest, ATransactionWaitsForItsOwnBatchOfMany) {
  std::vector<Event> rows;
  for (std::uint64_t n = 0; n < Watch::kReadBackRunsMax; ++n) {
    rows.push_back(event(1, "step_created", "step_1", ulid("wrun_", n)));
  }
  const auto first = transaction(rows);
  const auto second = transaction({event(1, "step_created", "step_1", ulid("wrun_", rows.size()))});
  const auto third = transaction({event(2, "step_started", "step_1", ulid("wrun_", 0))});
  EXPECT_EQ(read_back().size(), Watch::kReadBackRunsMax);
  EXPECT_EQ(confirmed(), first);
  EXPECT_LT(first, second);
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", rows.size())});
  EXPECT_EQ(confirmed(), third);
}

TEST_P(ReadBackTest, RowsOfRunsThatAreNotWaitedForAreNotTaken) {
  (void)transaction({event(1)});
  (void)read_back();
  // A complete run's row must come through the stream, or nothing would judge it.
  const auto stray = event(2);
  watch.read_back_row(stray.run_id, stray.id, stray.type, values_of(stray.identity), {}, now);
  watch.read_back_row("unknown", "e", "step_created", values_of({"c"}), {}, now);
  EXPECT_EQ(watch.index().size(), 1U);
  EXPECT_EQ(watch.index().rows(), 1U);
  (void)transaction({stray});
  EXPECT_EQ(findings().size(), 1U);
}

TEST_P(ReadBackTest, ARestartedStreamDoesNotForgetWhoWaits) {
  table = {event(1)};
  (void)transaction({event(2)});
  const auto batch = watch.next_read_back();
  ASSERT_TRUE(batch);
  start(0x1000);
  receive(walsender::Frames::keepalive(0x1010));
  const auto end = transaction({event(2)});
  EXPECT_LT(confirmed(), end);
  deliver(*batch);
  watch.read_back_done();
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(kept.size(), 1U);
}

/// One transaction is streamed to a watch with so much memory.
struct BoundedWatch {
  explicit BoundedWatch(std::uint64_t bytes_max) {
    config.index.memory_max_bytes = bytes_max;
    watch.emplace(config, 1);
    watch->stream_started(decoder::Plugin::kPgoutput, Lsn{1});
    receive(frames.begin(0x100, 7));
    receive(frames.relation().front());
  }
  void receive(const std::string& data) { watch->receive(walsender::bytes_of(data), now); }
  void insert(const Event& row) { receive(frames.insert(0x100, 7, row)); }

  Config config;
  std::optional<Watch> watch;
  const walsender::Frames frames{decoder::Plugin::kPgoutput};
  Instant now = Instant{} + 1h;
};

TEST(TightWatch, WithoutAnyMemoryTheFindingsAreTheSame) {
  BoundedWatch bounded(1);
  auto& watch = *bounded.watch;
  std::vector<Event> table;
  LastStates last;
  for (std::uint64_t n = 0; n < 300; ++n) {
    const Event row{ulid("wrun_", n % 7),
                    ulid("wevt_", n * 7919 % 1000),
                    {"c" + std::to_string(n / 7 % 3)},
                    n % 5 == 0    ? "step_completed"
                    : n % 11 == 0 ? "step_started"
                                  : "step_created"};
    ASSERT_TRUE(watch.may_read());
    table.push_back(row);
    bounded.insert(row);
    EXPECT_FALSE(watch.may_read()) << "memory over its bound and a read-back outstanding";
    const auto batch = watch.next_read_back();
    ASSERT_TRUE(batch);
    for (const auto& stored : table) {
      if (std::count(batch->run_ids.begin(), batch->run_ids.end(), stored.run_id) == 0) continue;
      watch.read_back_row(stored.run_id, stored.id, stored.type, values_of(stored.identity), {}, bounded.now);
    }
    watch.read_back_done();
    for (const auto& finding : watch.take_findings()) last.take(finding);
    EXPECT_EQ(watch.index().size(), 0U);
  }
  const auto truth = oracle::findings(table, oracle::workflow_devkit_log());
  EXPECT_EQ(last.current(truth), truth);
}

TEST(PendingRuns, BeyondOneBatchTakeAQuarterOfTheBound) {
  BoundedWatch bounded(4 * 1024 * 1024);
  auto& watch = *bounded.watch;
  for (std::uint64_t n = 0; watch.may_read(); ++n) {
    bounded.insert({ulid("wrun_", n / 2), ulid("wevt_", n), {ulid("step_", n)}, "step_created"});
  }
  EXPECT_GT(watch.pending_runs(), Watch::kReadBackRunsMax);
  EXPECT_LT(watch.pending_runs(), Watch::kPendingRunsMax);
  EXPECT_FALSE(watch.index().over_bound());
  EXPECT_GE(watch.index().open_bytes(), watch.index().bytes_max() / Watch::kPendingShare);
  while (watch.next_read_back()) {
    watch.read_back_done();
    EXPECT_TRUE(watch.may_read());
  }
}

TEST(GrowingRun, IsEvictedByTheRowThatTakesItOverTheBound) {
  BoundedWatch bounded(16 * 1024);
  auto& watch = *bounded.watch;
  for (std::uint64_t n = 0; n < 1000; ++n) {
    bounded.insert({"r", ulid("wevt_", n), {ulid("step_", n)}, "step_created"});
    if (watch.next_read_back()) watch.read_back_done();
    ASSERT_FALSE(watch.index().over_bound()) << n;
  }
  EXPECT_GT(watch.index().evictions()[static_cast<std::size_t>(Eviction::kMemory)], 0U);
}

}  // namespace
}  // namespace dupwatch::core::watch_read_back_test
