#include "daemon/core/watch.hpp"

#include "tests/unit/core/watch_fixture.hpp"

namespace dupwatch::core::watch_test {
namespace {

INSTANTIATE_TEST_SUITE_P(Plugins, WatchTest,
                         ::testing::Values(decoder::Plugin::kWal2json, decoder::Plugin::kPgoutput),
                         plugin_name);

/// The run of event() is in the index, complete, with this one row.
class WarmWatchTest : public WatchTest {
 protected:
  WarmWatchTest() {
    (void)transaction({event(10)});
    (void)read_back();
    (void)findings();
  }
};
INSTANTIATE_TEST_SUITE_P(Plugins, WarmWatchTest,
                         ::testing::Values(decoder::Plugin::kWal2json, decoder::Plugin::kPgoutput),
                         plugin_name);

TEST_P(WarmWatchTest, ADuplicateIsFlaggedAsItsRowArrives) {
  begin();
  insert(event(11));
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].origin, Origin::kStream);
  EXPECT_EQ(found[0].change, FindingChange::kNew);
  EXPECT_EQ(found[0].run_id, ulid("wrun_", 1));
  EXPECT_EQ(found[0].canonical.id, ulid("wevt_", 10));
  EXPECT_EQ(found[0].duplicate.id, ulid("wevt_", 11));
  EXPECT_EQ(found[0].duplicate.xid, xid);
  EXPECT_EQ(found[0].duplicate.commit_lsn, Lsn{lsn});
  EXPECT_EQ(found[0].duplicate.commit_time, (decoder::Timestamp{1'795'497'698'123'456}));
  EXPECT_NE(found[0].canonical.xid, found[0].duplicate.xid);
  EXPECT_EQ(found[0].commit_gap_micros(), 0);
}

TEST_P(WarmWatchTest, TheCommitOfACanonicalRowIsKnownThoughItsRunWasPacked) {
  const Lsn first{lsn};
  for (std::uint64_t n = 0; n < RunIndex::kOpenRunsMax; ++n) {
    (void)transaction({event(20, "step_created", "step_1", ulid("wrun_", 100 + n))});
  }
  (void)read_back();
  (void)transaction({event(11, "step_created", "step_2")});
  const Lsn second{lsn};
  (void)transaction({event(21, "step_started", "step_1", ulid("wrun_", 100))});
  ASSERT_TRUE(findings().empty());
  (void)transaction({event(13), event(12, "step_created", "step_2")});
  const auto found = findings();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].canonical.commit_lsn, first);
  EXPECT_EQ(found[1].canonical.commit_lsn, second);
}

TEST_P(WarmWatchTest, TwoRowsOfOneTransactionAreADuplicate) {
  (void)transaction({event(20, "wait_created", "wait_1"), event(21, "wait_created", "wait_1")});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].duplicate.id, ulid("wevt_", 21));
  EXPECT_EQ(found[0].canonical.xid, found[0].duplicate.xid);
}

TEST_P(WarmWatchTest, AClosingEventAfterTheDuplicateChangesItsFinding) {
  (void)transaction({event(12)});
  ASSERT_EQ(findings().size(), 1U);
  (void)transaction({event(11, "step_completed")});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].change, FindingChange::kChanged);
  EXPECT_TRUE(found[0].after_close);
  EXPECT_EQ(found[0].closing_id(), ulid("wevt_", 11));
  EXPECT_EQ(watch.counters().finding_changes, 1U);
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kHarmless), 0U);
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kFatal), 1U);
}

TEST_P(WarmWatchTest, ASmallerIdThatCommitsSecondIsTheCanonicalRow) {
  (void)transaction({event(9)});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].canonical.id, ulid("wevt_", 9));
  EXPECT_EQ(found[0].duplicate.id, ulid("wevt_", 10));
}

TEST_P(WarmWatchTest, ARedeliveryIsCountedAndSaysNothing) {
  --xid;  // The same transaction once more.
  (void)transaction({event(10)});
  EXPECT_TRUE(findings().empty());
  EXPECT_EQ(watch.counters().redeliveries, 1U);
  EXPECT_EQ(watch.index().rows(), 1U);
}

TEST_P(WarmWatchTest, ARowInQuarantineIsToldAgainOnlyWhenItIsPutBack) {
  (void)transaction({event(11)});
  const auto flagged = findings();
  ASSERT_EQ(flagged.size(), 1U);
  watch.quarantined(flagged[0].id, now);
  auto told = findings();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].state, FindingState::kQuarantined);
  EXPECT_EQ(told[0].duplicate.id, ulid("wevt_", 11));
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kHarmless), 0U);
  watch.quarantined(flagged[0].id, now);
  EXPECT_TRUE(findings().empty());

  // The run has left the index. A redelivery brings the row back into it, and says nothing.
  table.erase(std::find(table.begin(), table.end(), event(11)));
  --xid;
  begin();
  send(event(11));
  (void)commit();
  EXPECT_EQ(read_back(), (std::vector<std::string>{ulid("wrun_", 1)}));
  EXPECT_TRUE(findings().empty());

  (void)transaction({event(11)});
  told = findings();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].state, FindingState::kOpen);
  EXPECT_EQ(told[0].id, flagged[0].id);
  EXPECT_EQ(told[0].duplicate.xid, xid);
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kHarmless), 1U);
}

TEST_P(WarmWatchTest, OtherRunsCorrelationsAndTypesAreNoDuplicates) {
  (void)transaction({event(11, "step_created", "step_2"), event(12, "step_completed"),
                     event(13, "wait_created"), event(14, "step_created", std::nullopt),
                     event(15, "step_created", "")});
  (void)transaction({event(16, "step_created", "step_1", ulid("wrun_", 2))});
  (void)read_back();
  EXPECT_TRUE(findings().empty());
}

TEST_P(WarmWatchTest, ARunLeavesAfterItsGraceAndALateEventReadsItBack) {
  (void)transaction({event(11, "run_completed", std::nullopt)});
  now += config.index.run_grace;
  watch.evict(now);
  EXPECT_EQ(watch.index().size(), 0U);
  (void)transaction({event(12)});
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", 1)});
  const auto found = findings();
  ASSERT_EQ(found.size(), 2U) << "a duplicate, and created after the run's end";
  EXPECT_EQ(found[0].rule, Rule::kDuplicateCreated);
  EXPECT_EQ(found[0].state, FindingState::kRunEnded);
  EXPECT_EQ(found[1].rule, Rule::kAfterRunEnd);
  EXPECT_EQ(watch.next_expiry(), now + config.index.run_grace) << "its terminal event was read back as well";
}

TEST_P(WatchTest, TypesThatNoRuleNeedsNeverMakeARunPending) {
  (void)transaction({event(1, "some_new_type"), event(2, "some_new_type", std::nullopt), event(3, "")});
  EXPECT_EQ(watch.pending_runs(), 0U);
  EXPECT_EQ(watch.next_read_back(), std::nullopt);
  EXPECT_EQ(watch.index().size(), 0U);
  EXPECT_EQ(confirmed(), Lsn{lsn + 0x30});
  const auto& by_type = watch.counters().events_by_type;
  EXPECT_EQ(by_type[*config.profile.find_type("step_created")], 0U);
  EXPECT_EQ(by_type[Profile::kTypesMax], 3U);
}

TEST_P(WatchTest, AKeepaliveMovesThePositionOnlyWhileNothingIsPending) {
  receive(walsender::Frames::keepalive(0x1080));
  EXPECT_EQ(confirmed(), Lsn{0x1080});
  (void)transaction({event(1)});
  receive(walsender::Frames::keepalive(0x5000));
  EXPECT_EQ(confirmed(), Lsn{0x1080});
  (void)read_back();
  EXPECT_EQ(confirmed(), Lsn{lsn + 0x30});
  begin();
  receive(walsender::Frames::keepalive(0x6000));
  EXPECT_EQ(confirmed(), Lsn{lsn - 0x100 + 0x30});
  EXPECT_EQ(watch.received(), Lsn{0x6000});
}

TEST_P(WatchTest, ARequestForAReplyIsGivenOnce) {
  receive(walsender::Frames::keepalive(0x1080));
  EXPECT_FALSE(watch.reply_requests().take());
  receive(walsender::Frames::keepalive(0x1080, true));
  receive(walsender::Frames::keepalive(0x1080));
  EXPECT_TRUE(watch.reply_requests().take());
  EXPECT_FALSE(watch.reply_requests().take());
}

TEST_P(WarmWatchTest, ADisconnectWithinATransactionLosesAndRepeatsNothing) {
  begin();
  insert(event(11));
  const auto before = confirmed();
  ASSERT_EQ(kept.size(), 1U);
  start(before.value);
  EXPECT_EQ(watch.confirmed(), before);
  const auto end = transaction({event(11), event(12)});
  EXPECT_EQ(confirmed(), end);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[1].duplicate.id, ulid("wevt_", 12));
}

TEST_P(WarmWatchTest, AStreamThatStartsLowerIsFollowedThere) {
  const auto end = transaction({event(11)});
  ASSERT_EQ(confirmed(), end);
  start(0x800);
  EXPECT_EQ(watch.confirmed(), Lsn{0x800});
  EXPECT_EQ(watch.received(), Lsn{0x800});
  const auto first = transaction({event(10)});
  EXPECT_LT(first, end);
  EXPECT_EQ(confirmed(), first);
  (void)transaction({event(11)});
  (void)confirmed();
  EXPECT_EQ(kept.size(), 1U) << "what comes again is not told again";
}

TEST_P(WarmWatchTest, FindingsOfALostStreamAreStillReported) {
  (void)transaction({event(11)});
  start(0x1000);
  EXPECT_EQ(findings().size(), 1U);
}

TEST_P(WarmWatchTest, APayloadThatCannotBeDecodedLosesNeitherItsTransactionNorTheNext) {
  begin();
  receive(walsender::Frames::data(lsn, "garbage"));
  insert(event(11));
  const auto end = commit();
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(kept.size(), 1U);
  const auto notices = watch.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].kind, Notice::Kind::kDecodeError);
  receive("?");
  receive("");
  std::uint64_t all = 0;
  for (const auto count : watch.counters().decode_errors) all += count;
  EXPECT_EQ(all, 3U);
  EXPECT_EQ(watch.take_notices().size(), 2U);
}

TEST_P(WarmWatchTest, NoticesAreBoundedAndTheErrorsCounted) {
  for (int i = 0; i < 100; ++i) receive(walsender::Frames::data(lsn, ""));
  EXPECT_EQ(watch.take_notices().size(), Watch::kNoticesMax);
  std::uint64_t all = 0;
  for (const auto count : watch.counters().decode_errors) all += count;
  EXPECT_EQ(all, 100U);
}

TEST_P(WarmWatchTest, TruncatingTheTableForgetsItsRuns) {
  begin();
  receive(frames.truncate(lsn, xid));
  (void)commit();
  table.clear();
  const auto notices = watch.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].kind, Notice::Kind::kTruncated);
  EXPECT_EQ(watch.counters().truncates, 1U);
  EXPECT_EQ(watch.index().size(), 0U);
  (void)transaction({event(11)});
  (void)read_back();
  EXPECT_TRUE(findings().empty());
}

TEST_P(WarmWatchTest, RowsOfBeforeATruncateAreNotJudgedWithThoseAfterIt) {
  // A run that waits for its read-back, which is under way and sees the table as it was.
  (void)transaction({event(1, "step_created", "step_1", ulid("wrun_", 2))});
  const auto batch = watch.next_read_back();
  ASSERT_TRUE(batch);
  // Another waits for the next one.
  (void)transaction({event(2, "step_created", "step_1", ulid("wrun_", 3))});
  begin();
  receive(frames.truncate(lsn, xid));
  (void)commit();
  deliver(*batch);
  table.clear();
  // Second rows, if those of before were still there.
  (void)transaction({event(11, "step_created", "step_1", ulid("wrun_", 2)),
                     event(12, "step_created", "step_1", ulid("wrun_", 3))});
  const auto end = transaction({event(13, "step_created", "step_2", ulid("wrun_", 3))});
  watch.read_back_done();
  EXPECT_LT(confirmed(), end) << "the answer of before counts for nothing";
  EXPECT_EQ(read_back(), std::vector{ulid("wrun_", 2)});
  EXPECT_LT(confirmed(), end);
  EXPECT_EQ(read_back(), std::vector{ulid("wrun_", 3)});
  EXPECT_EQ(confirmed(), end);
  EXPECT_TRUE(kept.empty());
  EXPECT_EQ(watch.index().rows(), 3U);
  // And what comes after it is judged by what is there.
  (void)transaction({event(10, "step_created", "step_1", ulid("wrun_", 2))});
  ASSERT_EQ(findings().size(), 1U);
}

TEST_P(WarmWatchTest, ABaselineFindingIsMergedWithTheStreams) {
  (void)transaction({event(11)});
  auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  found[0].origin = Origin::kBaseline;
  watch.baseline_finding(found[0], now);
  EXPECT_FALSE(watch.has_findings());
  ++found[0].id;
  watch.baseline_finding(found[0], now);
  EXPECT_TRUE(watch.has_findings());
  EXPECT_EQ(told(Rule::kDuplicateCreated, Severity::kHarmless, Origin::kBaseline), 1U);
}

TEST_P(WarmWatchTest, ABaselineFindingThatIsOlderThanTheStreamsTakesNothingBack) {
  (void)transaction({event(11), event(12, "run_completed", std::nullopt)});
  auto found = findings();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].state, FindingState::kRunEnded);
  watch.baseline_finding(found[0], now);
  EXPECT_FALSE(watch.has_findings());
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kHarmless), 0U);
}

TEST_P(WatchTest, AMessageAsksToLookAtARun) {
  watch.heartbeat().stream_started(now);
  receive(frames.message(0x1400, "look wrun_1"));
  receive(frames.message(0x1400, "looking"));
  receive(frames.message(0x1400, "look it's 2"));
  EXPECT_EQ(watch.take_look_requests(), (std::vector<std::string>{"wrun_1", "it's 2"}));
  EXPECT_EQ(watch.take_look_requests(), std::vector<std::string>{});
  for (std::size_t i = 0; i < 2 * Watch::kLookRequestsMax; ++i) receive(frames.message(0x1400, "look x"));
  EXPECT_EQ(watch.take_look_requests().size(), Watch::kLookRequestsMax) << "whoever may write them";
}

TEST_P(WatchTest, APositionThatCannotBeTrueIsNeverConfirmed) {
  watch.server_wal(Lsn{0x2000}, now);
  const auto end = transaction({event(1)});
  (void)read_back();
  ASSERT_EQ(confirmed(), end);
  receive(walsender::Frames::keepalive(0x7FFF'FFFF'FFFF'FFFF, true));
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(watch.received(), Lsn{lsn}) << "of the last message";
  EXPECT_TRUE(watch.reply_requests().take()) << "the server gets its answer";
  EXPECT_EQ(errors(decoder::DecodeErrorKind::kMalformed), 1U) << "which is a gap";
  // A commit that says that it ends there, and a message from there.
  begin();
  insert(event(2));
  receive(frames.commit(lsn, 0x7FFF'FFFF'FFFF'FFFF, xid));
  receive(walsender::Frames::data(0x7FFF'FFFF'FFFF'0000, "whatever"));
  EXPECT_EQ(errors(decoder::DecodeErrorKind::kMalformed), 3U);
  EXPECT_EQ(confirmed(), Lsn{lsn}) << "no further than where its commit begins";
}

TEST_P(WatchTest, WalThatGrowsIsPossible) {
  watch.server_wal(Lsn{0x2000}, now);
  now += 10s;
  receive(walsender::Frames::keepalive(std::uint64_t{100} << 30U));
  EXPECT_EQ(confirmed(), Lsn{std::uint64_t{100} << 30U});
  receive(walsender::Frames::keepalive(0x3000));
  EXPECT_EQ(confirmed(), Lsn{std::uint64_t{100} << 30U}) << "and never goes back";
}

TEST_P(WatchTest, AHeartbeatComesBackAndMovesNoPosition) {
  watch.heartbeat().stream_started(now);
  const auto beat = watch.heartbeat().next(now);
  ASSERT_TRUE(beat);
  watch.heartbeat().emitted(*beat, Lsn{0x1500});
  receive(frames.message(0x1400, "beat of another"));
  receive(frames.message(0x1400, std::string(100'000, 'x')));
  EXPECT_TRUE(watch.heartbeat().round_trip().sum_seconds == 0 && watch.heartbeat().last_returned() == now);
  now += 2s;
  receive(frames.message(0x1400, *beat));
  EXPECT_EQ(watch.heartbeat().last_returned(), now);
  EXPECT_EQ(confirmed(), Lsn{0x1000}) << "what was committed before it may still be on its way to be judged";
  EXPECT_EQ(watch.received(), Lsn{0x1400});
}

TEST_P(WatchTest, AHeartbeatWithinATransactionLeavesItOpen) {
  watch.heartbeat().stream_started(now);
  const auto beat = watch.heartbeat().next(now);
  ASSERT_TRUE(beat);
  begin();
  insert(event(11));
  receive(frames.message(lsn + 8, *beat));
  receive(frames.keepalive(lsn + 0x1000));
  EXPECT_EQ(confirmed(), Lsn{0x1000});
  const auto end = commit();
  (void)read_back();
  EXPECT_EQ(confirmed(), end);
}

}  // namespace
}  // namespace dupwatch::core::watch_test
