#include "daemon/core/finding_reporter.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::finding_reporter_test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

class FindingReporterTest : public testing::Test {
 protected:
  /// Of row "d<id>" of run "r".
  [[nodiscard]] Finding finding(std::uint64_t id, Origin origin = Origin::kStream,
                                Rule rule = Rule::kDuplicateCreated) const {
    Finding out;
    out.id = id;
    out.rule = rule;
    out.severity = Severity::kHarmless;
    out.origin = origin;
    out.table = config_.profile.qualified_name();
    out.run_id = "r";
    out.canonical.id = "c";
    out.duplicate.id = "d" + std::to_string(id);
    return out;
  }
  [[nodiscard]] std::uint64_t counted(Origin origin, Severity severity = Severity::kHarmless) const {
    return counters_.findings[static_cast<std::size_t>(Rule::kDuplicateCreated)]
                             [static_cast<std::size_t>(severity)][static_cast<std::size_t>(origin)];
  }
  /// The states that were told since the last call.
  std::vector<FindingState> told() {
    std::vector<FindingState> out;
    for (const auto& each : reporter_.take()) out.push_back(each.state);
    return out;
  }
  using States = std::vector<FindingState>;

  Config config_;
  Counters counters_;
  FindingReporter reporter_{config_, counters_, 0};
};

TEST_F(FindingReporterTest, TellsWhatIsNewOnce) {
  EXPECT_FALSE(reporter_.has_findings());
  EXPECT_TRUE(reporter_.report(finding(1), kStart));
  EXPECT_FALSE(reporter_.report(finding(1), kStart));
  EXPECT_TRUE(reporter_.has_findings());
  EXPECT_EQ(told(), States{FindingState::kOpen});
  EXPECT_FALSE(reporter_.has_findings());
  EXPECT_EQ(counted(Origin::kStream), 1U);
  EXPECT_EQ(counters_.finding_changes, 0U);
}

TEST_F(FindingReporterTest, CountsAChangeAsOne) {
  reporter_.report(finding(1), kStart);
  auto worse = finding(1);
  worse.severity = Severity::kFatal;
  EXPECT_TRUE(reporter_.report(worse, kStart));
  EXPECT_EQ(counted(Origin::kStream, Severity::kFatal), 0U);
  EXPECT_EQ(counters_.finding_changes, 1U);
}

TEST_F(FindingReporterTest, ARowOfTheStreamWasFlaggedBecauseOfTheStream) {
  auto streamed = finding(1, Origin::kReadBack);
  streamed.duplicate.commit_lsn = decoder::Lsn{0x10};
  reporter_.report(streamed, kStart);
  reporter_.report(finding(2, Origin::kReadBack), kStart);
  EXPECT_EQ(counted(Origin::kStream), 1U);
  EXPECT_EQ(counted(Origin::kReadBack), 1U);
}

TEST_F(FindingReporterTest, WhatIsAcknowledgedIsToldAsThatAndAgainWhenItIsNot) {
  config_.findings.acknowledged = {1};
  reporter_.report(finding(1), kStart);
  EXPECT_EQ(told(), States{FindingState::kAcknowledged});
  config_.findings.acknowledged = {2};
  reporter_.report(finding(2), kStart);
  EXPECT_EQ(told(), States{FindingState::kAcknowledged});
  reporter_.acknowledged_changed({1}, kStart);
  EXPECT_EQ(told(), States{FindingState::kOpen});
  config_.findings.acknowledged = {1, 2};
  reporter_.acknowledged_changed({2}, kStart);
  EXPECT_EQ(told(), States{FindingState::kAcknowledged});
}

TEST_F(FindingReporterTest, WhatIsOverIsNotOpenedAgainByTheConfiguration) {
  reporter_.report(finding(1), kStart);
  reporter_.report_gone(1, kStart);
  EXPECT_EQ(told(), (States{FindingState::kOpen, FindingState::kGone}));
  config_.findings.acknowledged = {1};
  reporter_.acknowledged_changed({}, kStart);
  EXPECT_EQ(told(), States{});
}

TEST_F(FindingReporterTest, WhatIsNotKnownCanNotBeOver) {
  reporter_.report_gone(1, kStart);
  EXPECT_EQ(reporter_.report_quarantined(1, kStart), std::nullopt);
  EXPECT_EQ(told(), States{});
}

TEST_F(FindingReporterTest, AQuarantinedRowNamesItsRun) {
  reporter_.report(finding(1), kStart);
  EXPECT_EQ(reporter_.report_quarantined(1, kStart), "r");
  EXPECT_EQ(told(), (States{FindingState::kOpen, FindingState::kQuarantined}));
}

TEST_F(FindingReporterTest, AnEarlierProcessToldOfThisTableAlone) {
  auto past = finding(1);
  EXPECT_TRUE(reporter_.restore(past));
  EXPECT_FALSE(reporter_.restore(past)) << "known";
  EXPECT_FALSE(reporter_.report(finding(1), kStart)) << "told by that process";
  auto other = finding(2);
  other.table = "other.table";
  EXPECT_FALSE(reporter_.restore(other));
  auto broken = finding(3);
  broken.run_id = "r\xEF\xBF\xBD";
  EXPECT_FALSE(reporter_.restore(broken)) << "the run can't be looked up";
}

TEST_F(FindingReporterTest, WhatIsAcknowledgedIsTheConfigurationsWordNotTheRecords) {
  auto past = finding(1);
  past.state = FindingState::kAcknowledged;
  EXPECT_TRUE(reporter_.restore(past));
  EXPECT_EQ(past.state, FindingState::kOpen);
  config_.findings.acknowledged = {2};
  past = finding(2);
  EXPECT_TRUE(reporter_.restore(past));
  EXPECT_EQ(past.state, FindingState::kAcknowledged);
}

TEST_F(FindingReporterTest, AScanCorrectsWhatWasToldLongBeforeIt) {
  reporter_.report(finding(1), kStart);
  auto worse = finding(1, Origin::kBaseline);
  worse.severity = Severity::kFatal;
  (void)told();
  reporter_.report_of_scan(worse, kStart + 5s, kStart + 20s);
  EXPECT_EQ(told(), States{}) << "its snapshot may be older than what the stream told";
  reporter_.report_of_scan(worse, kStart + 11s, kStart + 20s);
  EXPECT_EQ(told(), States{FindingState::kOpen});
}

TEST_F(FindingReporterTest, WhatALookNoLongerShowsIsGone) {
  reporter_.report(finding(1), kStart);
  reporter_.report(finding(2), kStart);
  (void)told();
  const auto asked = kStart + FindingReporter::kSettled + 1s;
  const RunView nothing_read{.run_id = "r", .findings = {finding(1)}};
  EXPECT_FALSE(reporter_.rechecked(nothing_read, asked, false, asked));
  EXPECT_EQ(told(), States{});
  const RunView view{.run_id = "r", .findings = {finding(1)}, .log_read = true};
  EXPECT_FALSE(reporter_.rechecked(view, kStart + 1s, false, kStart + 1s)) << "too fresh to be missed";
  EXPECT_TRUE(reporter_.rechecked(view, asked, false, asked));
  EXPECT_EQ(told(), States{FindingState::kGone});
  EXPECT_FALSE(reporter_.rechecked(view, asked, false, asked)) << "it is gone already";
}

TEST_F(FindingReporterTest, WhatALookShowsAndIsNewIsTheStreamsToTell) {
  const RunView view{.run_id = "r", .findings = {finding(1)}, .log_read = true};
  EXPECT_FALSE(reporter_.rechecked(view, kStart, false, kStart));
  EXPECT_EQ(told(), States{});
  const RunView table{
      .run_id = "r", .findings = {finding(2, Origin::kRecheck, Rule::kOrphan)}, .tables_read = true};
  EXPECT_FALSE(reporter_.rechecked(table, kStart, false, kStart)) << "nothing of the event log has changed";
  EXPECT_EQ(told(), States{FindingState::kOpen});
}

TEST_F(FindingReporterTest, ARowThatBreaksAnotherRuleNowIsTold) {
  reporter_.report(finding(1), kStart);
  (void)told();
  auto same_row = finding(2, Origin::kRecheck, Rule::kLifecycleAfterClose);
  same_row.duplicate.id = finding(1).duplicate.id;
  const RunView view{.run_id = "r",
                     .findings = {same_row, finding(3, Origin::kRecheck, Rule::kLifecycleAfterClose)},
                     .log_read = true};
  EXPECT_FALSE(reporter_.rechecked(view, kStart + 1s, false, kStart + 1s)) << "too fresh";
  EXPECT_EQ(told(), States{});
  const auto asked = kStart + FindingReporter::kSettled + 1s;
  EXPECT_TRUE(reporter_.rechecked(view, asked, false, asked));
  EXPECT_EQ(told(), (States{FindingState::kGone, FindingState::kOpen})) << "row 3 is the stream's to tell";
  EXPECT_FALSE(reporter_.rechecked(view, asked + 20s, false, asked + 20s));
}

TEST_F(FindingReporterTest, AHoleThatTheStreamLooksAfterIsNotMissedByALook) {
  reporter_.report(finding(1, Origin::kStream, Rule::kSlotGap), kStart);
  (void)told();
  const auto asked = kStart + FindingReporter::kSettled + 1s;
  const RunView view{.run_id = "r", .findings = {}, .log_read = true, .tables_read = true};
  EXPECT_FALSE(reporter_.rechecked(view, asked, true, asked));
  EXPECT_EQ(told(), States{});
  (void)reporter_.rechecked(view, asked, false, asked);
  EXPECT_EQ(told(), States{FindingState::kGone});
}

TEST_F(FindingReporterTest, ALookAtWhatIsInDoubtTellsWhatHasChangedAndConfirmsTheRest) {
  const auto ended = [&](std::uint64_t id) {
    auto out = finding(id);
    out.state = FindingState::kRunEnded;
    return out;
  };
  for (const std::uint64_t id : {1U, 2U, 3U}) reporter_.report(ended(id), kStart);
  reporter_.report_gone(3, kStart);
  (void)told();
  const auto asked = kStart + FindingReporter::kSettled + 1s;
  const RunView view{.run_id = "r", .findings = {finding(1)}, .log_read = true};
  auto blind = view;
  blind.log_read = false;
  blind.findings.clear();
  reporter_.reported().doubt();
  EXPECT_FALSE(reporter_.rechecked(blind, asked, false, asked));
  EXPECT_TRUE(reporter_.take_confirmed().empty());
  EXPECT_TRUE(reporter_.rechecked(view, asked, false, asked));
  EXPECT_EQ(told(), (States{FindingState::kGone, FindingState::kOpen}));
  const auto confirmed = reporter_.take_confirmed();
  ASSERT_EQ(confirmed.size(), 1U);
  EXPECT_EQ(confirmed[0].id, 3U);
  EXPECT_EQ(confirmed[0].state, FindingState::kGone);
  EXPECT_EQ(confirmed[0].table, config_.profile.qualified_name());
  EXPECT_TRUE(reporter_.take_confirmed().empty());
}

TEST_F(FindingReporterTest, OneLookConfirmsSoManyAndTheNextTheRest) {
  constexpr std::uint64_t kMore = 5;
  RunView view{.run_id = "r", .findings = {}, .log_read = true};
  for (std::uint64_t id = 1; id <= FindingReporter::kConfirmedMax + kMore; ++id) {
    view.findings.push_back(finding(id));
    reporter_.report(finding(id), kStart);
  }
  reporter_.reported().doubt();
  const auto asked = kStart + FindingReporter::kSettled + 1s;
  EXPECT_FALSE(reporter_.rechecked(view, asked, false, asked));
  EXPECT_FALSE(reporter_.rechecked(view, asked, false, asked)) << "nobody has taken them";
  EXPECT_EQ(reporter_.take_confirmed().size(), FindingReporter::kConfirmedMax);
  EXPECT_FALSE(reporter_.rechecked(view, asked, false, asked));
  EXPECT_EQ(reporter_.take_confirmed().size(), kMore);
}

}  // namespace
}  // namespace dupwatch::core::finding_reporter_test
