#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/watch_fixture.hpp"

namespace dupwatch::core::watch_recheck_test {
namespace {

const std::string kRun = ulid("wrun_", 1);

/// A run with one fatal duplicate that was told.
class RecheckTest : public WatchTest {
 protected:
  RecheckTest() {
    (void)transaction({event(1), event(2, "step_completed"), event(3)});
    (void)read_back();
    auto found = findings();
    EXPECT_EQ(found.size(), 1U);
    if (!found.empty()) known = found[0];
    now += FindingReporter::kSettled + 1s;
  }
  /// What the table says of the run, as the recheck reads it.
  [[nodiscard]] RunView view() const {
    TokenCodec codec;
    RunLog log;
    for (const auto& row : table) {
      if (row.run_id == kRun && is_tracked(config.profile, row))
        (void)add_event(log, codec, config.profile, row);
    }
    const ReplayRules rules(config.profile, config.rules, codec);
    std::vector<ReplayRules::Verdict> verdicts;
    rules.judge_run(log, verdicts);
    RunView out{.run_id = kRun, .findings = {}, .log_read = true, .tables_read = false};
    for (const auto& verdict : verdicts)
      out.findings.push_back(rules.describe(log, verdict, kRun, Origin::kRecheck));
    return out;
  }
  void remove(std::uint64_t id) {
    std::erase_if(table, [&](const Event& row) { return row.id == ulid("wevt_", id); });
  }
  /// A finding of the tables.
  static Finding orphan() {
    Finding out;
    out.id = 77;
    out.rule = Rule::kOrphan;
    out.severity = Severity::kUnknown;
    out.origin = Origin::kRecheck;
    out.run_id = kRun;
    out.duplicate.id = "step_9";
    return out;
  }
  Finding known;
};
INSTANTIATE_TEST_SUITE_P(Plugins, RecheckTest, ::testing::Values(decoder::Plugin::kPgoutput), plugin_name);

TEST_P(RecheckTest, ARowThatComesAfterTheEndOfItsRunIsNotCountedAsFatal) {
  constexpr auto kRule = Rule::kLifecycleAfterClose;
  (void)transaction({event(7, "run_completed", std::nullopt)});
  (void)findings();
  (void)transaction({event(9, "step_started")});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rule, kRule);
  EXPECT_EQ(found[0].severity, Severity::kFatal);
  EXPECT_EQ(found[0].state, FindingState::kRunEnded);
  EXPECT_EQ(found[0].pending, Pending::kNone);
  EXPECT_TRUE(found[0].came_too_late());
  EXPECT_EQ(told(kRule, Severity::kFatal, Origin::kStream), 0U);
  EXPECT_EQ(watch.counters().findings_after_end.at(static_cast<std::size_t>(kRule)), 1U);
}

TEST_P(RecheckTest, WhatTheRecordHoldsExactlyIsRestored) {
  Watch other(config, 7);
  auto finding = known;
  EXPECT_TRUE(other.restore(finding));
  EXPECT_FALSE(other.restore(finding)) << "known already";
}

TEST_P(RecheckTest, AFindingWhoseRunIdOrTableIsNotTheRecordsIsNotRestored) {
  Watch other(config, 7);
  auto mangled = known;
  mangled.run_id = "wrun_\xEF\xBF\xBD";
  EXPECT_FALSE(other.restore(mangled)) << "a byte that JSON can't hold was replaced";
  auto elsewhere = known;
  elsewhere.table = "public.other";
  EXPECT_FALSE(other.restore(elsewhere));
  EXPECT_TRUE(other.reported().missing(mangled.run_id, {}, Instant::max()).empty());
}

TEST_P(RecheckTest, WhetherAFindingOfBeforeIsAcknowledgedIsTheConfigurationsWord) {
  auto record = known;
  record.state = FindingState::kAcknowledged;
  Watch without(config, 7);
  ASSERT_TRUE(without.restore(record));
  EXPECT_EQ(record.state, FindingState::kOpen) << "the key was taken out meanwhile";
  config.findings.acknowledged = {known.id};
  record = known;
  Watch with(config, 7);
  ASSERT_TRUE(with.restore(record));
  EXPECT_EQ(record.state, FindingState::kAcknowledged) << "the key was put in meanwhile";
}

TEST_P(RecheckTest, AFindingOfTheScanIsAcknowledgedAsAnyOther) {
  config.findings.acknowledged = {known.id};
  Watch scanned(config, 7);
  scanned.baseline_finding(known, now);
  const auto found = scanned.take_findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].state, FindingState::kAcknowledged);
}

TEST_P(RecheckTest, ARunIsAskedForOnceItsFindingsHaveSettled) {
  EXPECT_EQ(watch.next_rechecks(10, now), std::vector<std::string>{kRun});
  EXPECT_TRUE(watch.next_rechecks(10, now - 2s).empty());
}

TEST_P(RecheckTest, WhatIsStillThereIsNotToldAgain) {
  watch.rechecked(view(), now);
  EXPECT_FALSE(watch.has_findings());
  EXPECT_EQ(watch.index().size(), 1U);
}

TEST_P(RecheckTest, ADeletedDuplicateIsGone) {
  remove(3);
  watch.rechecked(view(), now);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, known.id);
  EXPECT_EQ(found[0].change, FindingChange::kChanged);
  EXPECT_EQ(found[0].state, FindingState::kGone);
  EXPECT_EQ(found[0].origin, Origin::kRecheck);
  EXPECT_EQ(found[0].table, known.table);
  EXPECT_EQ(found[0].duplicate.id, known.duplicate.id);
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kFatal), 0U);
  EXPECT_TRUE(watch.next_rechecks(10, now + 1h).empty());
}

TEST_P(RecheckTest, NothingIsGoneWhileAStreamedRowIsNotShown) {
  const auto moment = [&] {
    watch.witness().at({.xmin = xid + 1U, .xmax = xid + 1U, .lsn = Lsn{lsn}, .edits = std::nullopt},
                       watch.received(), now);
  };
  moment();
  now += 2s;
  (void)transaction({event(9, "step_created", "step_9")});
  (void)findings();
  moment();
  const auto asked = watch.witness().to_ask();
  ASSERT_EQ(asked.size(), 1U);
  watch.witness().answered({}, now);
  const auto rows = std::exchange(table, {});
  watch.rechecked(view(), now);
  EXPECT_FALSE(watch.has_findings());
  table = rows;
  (void)watch.witness().to_ask();
  watch.witness().answered(asked, now);
  remove(3);
  watch.rechecked(view(), now);
  EXPECT_EQ(findings().size(), 1U) << "the row is shown, so others that are not are gone";
}

TEST_P(RecheckTest, AScanCorrectsWhatWasToldLongBefore) {
  auto corrected = known;
  corrected.state = FindingState::kRunEnded;
  watch.baseline_finding(corrected, now - 1h);
  EXPECT_FALSE(watch.has_findings()) << "its snapshot may be older than what was told";
  watch.baseline_finding(corrected, now + FindingReporter::kSettled + 1s);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].change, FindingChange::kChanged);
  EXPECT_EQ(found[0].state, FindingState::kRunEnded);
}

TEST_P(RecheckTest, AfterADeletionTheRunIsReadAnewWithItsNextEvent) {
  remove(3);
  watch.rechecked(view(), now);
  EXPECT_EQ(watch.index().size(), 0U) << "a row in memory is gone from the table";
  (void)findings();
  (void)transaction({event(4)});
  EXPECT_EQ(read_back(), std::vector<std::string>{kRun});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].duplicate.id, ulid("wevt_", 4));
}

TEST_P(RecheckTest, ADeletedClosingEventMakesTheDuplicateHarmless) {
  remove(2);
  watch.rechecked(view(), now);
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].severity, Severity::kHarmless);
  EXPECT_EQ(found[0].state, FindingState::kOpen);
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kFatal), 0U);
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kHarmless), 1U);
}

TEST_P(RecheckTest, ADeletedCanonicalRowMakesTheDuplicateALateEvent) {
  remove(1);
  watch.rechecked(view(), now);
  const auto found = findings();
  ASSERT_EQ(found.size(), 2U) << "of the delete no stream tells";
  EXPECT_EQ(found[0].rule, Rule::kDuplicateCreated);
  EXPECT_EQ(found[0].state, FindingState::kGone);
  EXPECT_EQ(found[1].rule, Rule::kLifecycleAfterClose);
  EXPECT_EQ(found[1].state, FindingState::kOpen);
  EXPECT_EQ(found[1].duplicate.id, found[0].duplicate.id);
}

TEST_P(RecheckTest, WhatWasToldJustNowIsNotGoneAlthoughTheTableLacksIt) {
  auto before = view();
  (void)transaction({event(9, "wait_created", "wait_1"), event(10, "wait_created", "wait_1")});
  ASSERT_EQ(findings().size(), 1U);
  watch.rechecked(before, now);
  EXPECT_FALSE(watch.has_findings()) << "with synchronous replication the stream is ahead of the table";
}

TEST_P(RecheckTest, AnAnswerWithoutTheLogTakesNoFindingOfTheLogBack) {
  watch.rechecked(RunView{.run_id = kRun, .findings = {}, .log_read = false, .tables_read = true}, now);
  EXPECT_FALSE(watch.has_findings());
}

TEST_P(RecheckTest, AFindingOfTheTablesIsToldOnceAndGoneWithItsCause) {
  auto shown = view();
  shown.tables_read = true;
  shown.findings.push_back(orphan());
  watch.rechecked(shown, now);
  auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rule, Rule::kOrphan);
  EXPECT_EQ(found[0].change, FindingChange::kNew);
  EXPECT_EQ(told(Rule::kOrphan, Severity::kUnknown, Origin::kRecheck), 1U);
  EXPECT_EQ(watch.index().size(), 1U) << "the log is as it was";
  watch.rechecked(shown, now);
  EXPECT_FALSE(watch.has_findings());

  now += 1h;
  watch.rechecked(view(), now);  // only the log was read
  EXPECT_FALSE(watch.has_findings());
  auto healed = view();
  healed.tables_read = true;
  watch.rechecked(healed, now);
  found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rule, Rule::kOrphan);
  EXPECT_EQ(found[0].state, FindingState::kGone);
}

TEST_P(RecheckTest, ADuplicateThatComesBackAfterItWasGoneIsOpenAgain) {
  remove(3);
  watch.rechecked(view(), now);
  (void)findings();
  (void)transaction({event(3)});
  (void)read_back();
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, known.id);
  EXPECT_EQ(found[0].change, FindingChange::kChanged);
  EXPECT_EQ(found[0].state, FindingState::kOpen);
}

TEST(Acknowledged, AChangeIsToldOfWhatStandsAlone) {
  Config config;
  Watch watch(config, 1);
  watch.stream_started(decoder::Plugin::kPgoutput, Lsn{1});
  const walsender::Frames frames(decoder::Plugin::kPgoutput);
  const auto receive = [&](const std::string& data) {
    watch.receive(walsender::bytes_of(data), Instant{} + 1h);
  };
  receive(frames.begin(0x100, 7));
  receive(frames.relation().front());
  for (const std::uint64_t n : {1U, 2U, 3U, 4U}) {
    receive(frames.insert(0x100, 7, Event{kRun, ulid("wevt_", n), {"c"}, "step_created"}));
  }
  ASSERT_TRUE(watch.next_read_back());
  watch.read_back_done();
  const auto open = [&] {
    return watch.reported().open()[static_cast<std::size_t>(Rule::kDuplicateCreated)]
                                  [static_cast<std::size_t>(Severity::kHarmless)];
  };
  const auto acknowledge = [&](std::vector<std::uint64_t> ids) {
    std::ranges::sort(ids);
    const auto before = std::exchange(config.findings.acknowledged, std::move(ids));
    watch.acknowledged_changed(before);
    return watch.take_findings();
  };
  const auto found = watch.take_findings();
  ASSERT_EQ(found.size(), 3U);
  const auto unknown = std::uint64_t{7};

  const auto told = acknowledge({found[0].id, found[1].id, unknown});
  ASSERT_EQ(told.size(), 2U);
  for (const auto& finding : told) {
    EXPECT_EQ(finding.state, FindingState::kAcknowledged);
    EXPECT_EQ(finding.change, FindingChange::kChanged);
    EXPECT_EQ(finding.table, "workflow.workflow_events");
    EXPECT_EQ(finding.run_id, kRun);
    EXPECT_EQ(finding.identity, found[0].identity);
  }
  EXPECT_EQ(open(), 1U);
  EXPECT_TRUE(acknowledge({found[0].id, found[1].id, unknown}).empty()) << "the same list";

  const auto back = acknowledge({found[1].id});
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].id, found[0].id);
  EXPECT_EQ(back[0].state, FindingState::kOpen);
  EXPECT_EQ(open(), 2U);

  // A finding whose rows are gone is no news either way.
  watch.rechecked({.run_id = kRun, .findings = {}, .log_read = true, .tables_read = true}, Instant{} + 2h);
  EXPECT_EQ(watch.take_findings().size(), 3U);
  EXPECT_TRUE(acknowledge({}).empty());
  EXPECT_EQ(open(), 0U);
}

TEST(Acknowledged, AFindingIsToldAndNotCountedAsOpen) {
  const auto run = [](const std::vector<std::uint64_t>& acknowledged) {
    Config config;
    config.findings.acknowledged = acknowledged;
    Watch watch(config, 1);
    watch.stream_started(decoder::Plugin::kPgoutput, Lsn{1});
    const walsender::Frames frames(decoder::Plugin::kPgoutput);
    const auto receive = [&](const std::string& data) {
      watch.receive(walsender::bytes_of(data), Instant{});
    };
    receive(frames.begin(0x100, 7));
    receive(frames.relation().front());
    for (const std::uint64_t n : {1U, 2U, 3U}) {
      receive(frames.insert(0x100, 7, Event{kRun, ulid("wevt_", n), {"c"}, "step_created"}));
    }
    EXPECT_TRUE(watch.next_read_back());
    watch.read_back_done();
    const auto open = watch.reported().open()[static_cast<std::size_t>(Rule::kDuplicateCreated)]
                                             [static_cast<std::size_t>(Severity::kHarmless)];
    return std::pair(watch.take_findings(), open);
  };
  const auto [found, open] = run({});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(open, 2U);
  const auto [again, still_open] = run({found[1].id});
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0].state, FindingState::kOpen);
  EXPECT_EQ(again[1].state, FindingState::kAcknowledged);
  EXPECT_EQ(still_open, 1U);
}

}  // namespace
}  // namespace dupwatch::core::watch_recheck_test
