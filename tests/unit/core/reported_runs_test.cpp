#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/unit/core/reported_samples.hpp"

/// Which runs are to be looked at again, and what a look at one is held against.
namespace dupwatch::core::reported_runs_test {
namespace {

using namespace reported_samples;

TEST(ReportedFindings, SettledIsWhatWasToldBeforeThatMoment) {
  ReportedFindings reported;
  (void)admits(reported, finding(1), 5s);
  EXPECT_FALSE(reported.is_settled(1, at(5s)));
  EXPECT_TRUE(reported.is_settled(1, at(6s)));
  EXPECT_FALSE(reported.is_settled(2, at(6s))) << "never told";
  (void)admits(reported, finding(1, "a"), 7s);
  EXPECT_FALSE(reported.is_settled(1, at(6s))) << "told again since";
  (void)admits(reported, finding(1, "a"), 9s);
  EXPECT_TRUE(reported.is_settled(1, at(8s))) << "seen again and not told";
}

TEST(ReportedFindings, MissingAreTheOpenAndSettledOnesOfTheRunThatAViewDoesNotShow) {
  ReportedFindings reported;
  for (const std::uint64_t id : {1U, 2U, 3U}) (void)admits(reported, finding(id));
  (void)admits(reported, finding(4), 5s);
  (void)admits(reported, with_state(finding(5), FindingState::kRunEnded));
  (void)admits(reported, with_state(finding(6), FindingState::kGone));
  (void)admits(reported, with_state(finding(8), FindingState::kAcknowledged));
  auto elsewhere = finding(7);
  elsewhere.run_id = "another run";
  (void)admits(reported, elsewhere);
  const std::vector<std::uint64_t> present = {2};
  EXPECT_EQ(ids(reported.missing("r", present, at(5s))), (std::vector<std::uint64_t>{1, 3, 8}));
  EXPECT_EQ(ids(reported.missing("r", present, at(6s))), (std::vector<std::uint64_t>{1, 3, 4, 8}));
  EXPECT_TRUE(reported.missing("unknown", {}, at(6s)).empty());
}

TEST(ReportedFindings, AMissingFindingIsGivenBackAsItWasTold) {
  ReportedFindings reported;
  auto told = closed(finding(1, "a", Severity::kFatal));
  told.engine = Engine::kV5BeforeClassSkip;
  told.shape = Shape::kOtherType;
  told.type = "step_created";
  told.identity = {"c", std::nullopt};
  (void)reported.admit(told, at(0s));
  const auto missing = reported.missing("r", {}, at(1s));
  ASSERT_EQ(missing.size(), 1U);
  const auto& back = missing[0];
  EXPECT_EQ(back.id, 1U);
  EXPECT_EQ(back.rule, told.rule);
  EXPECT_EQ(back.severity, Severity::kFatal);
  EXPECT_EQ(back.engine, Engine::kV5BeforeClassSkip);
  EXPECT_EQ(back.shape, Shape::kOtherType);
  EXPECT_EQ(back.run_id, "r");
  EXPECT_EQ(back.type, "step_created");
  EXPECT_EQ(back.identity, told.identity);
  EXPECT_EQ(back.canonical.id, "a");
  EXPECT_EQ(back.duplicate.id, "d1");
  EXPECT_EQ(back.closing_id(), "closing");
  EXPECT_TRUE(back.after_close);
}

TEST(ReportedFindings, OpenRunsComeInTurnAndEachOnceARound) {
  ReportedFindings reported;
  std::set<std::string> all;
  for (std::uint64_t id = 0; id < 10; ++id) {
    auto next = finding(id);
    next.run_id = "run " + std::to_string(id / 2);  // two findings in each
    all.insert(next.run_id);
    (void)admits(reported, next);
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<std::string> seen;
    for (const std::size_t expected : {2U, 2U, 1U}) {
      const auto runs = reported.next_open_runs(2, at(1s));
      EXPECT_EQ(runs.size(), expected);
      seen.insert(seen.end(), runs.begin(), runs.end());
    }
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), all);
  }
}

TEST(ReportedFindings, RunsThatHaveEndedOrWereToldOfJustNowAreNotLookedAt) {
  ReportedFindings reported;
  const auto in_run = [](const std::string& run, Finding finding) {
    finding.run_id = run;
    return finding;
  };
  (void)admits(reported, in_run("ended", with_state(finding(1), FindingState::kRunEnded)));
  (void)admits(reported, in_run("gone", with_state(finding(2), FindingState::kGone)));
  (void)admits(reported, in_run("fresh", finding(3)), 5s);
  (void)admits(reported, in_run("half fresh", finding(4)));
  (void)admits(reported, in_run("half fresh", finding(5)), 5s);
  (void)admits(reported, in_run("due", finding(6)));
  (void)admits(reported, in_run("due", with_state(finding(7), FindingState::kGone)));
  EXPECT_EQ(reported.next_open_runs(10, at(5s)), std::vector<std::string>{"due"});
  EXPECT_TRUE(reported.next_open_runs(10, at(-1s)).empty());
  EXPECT_TRUE(reported.next_open_runs(0, at(5s)).empty());
}

TEST(ReportedFindings, InDoubtRunsThatHaveEndedAreLookedAtAndMayHaveGone) {
  ReportedFindings reported;
  (void)admits(reported, with_state(finding(1), FindingState::kRunEnded));
  (void)admits(reported, with_state(finding(2), FindingState::kGone));
  EXPECT_TRUE(reported.next_open_runs(10, at(5s)).empty());
  EXPECT_TRUE(reported.missing("r", {}, at(5s)).empty());
  reported.doubt();
  EXPECT_EQ(reported.next_open_runs(10, at(5s)), std::vector<std::string>{"r"});
  EXPECT_EQ(ids(reported.missing("r", {}, at(5s))), std::vector<std::uint64_t>{1});
  EXPECT_TRUE(reported.take_doubted("r", 10, at(0s)).empty()) << "told while the look was under way";
  EXPECT_EQ(reported.take_doubted("r", 1, at(5s)), std::vector<std::uint64_t>{1});
  EXPECT_EQ(reported.next_open_runs(10, at(5s)), std::vector<std::string>{"r"});
  EXPECT_EQ(reported.take_doubted("r", 10, at(5s)), std::vector<std::uint64_t>{2});
  EXPECT_TRUE(reported.next_open_runs(10, at(5s)).empty());
  EXPECT_TRUE(reported.take_doubted("another", 10, at(5s)).empty());
}

TEST(ReportedFindings, WhatIsToldAgainIsInDoubtNoLonger) {
  ReportedFindings reported;
  (void)admits(reported, finding(1));
  reported.doubt();
  EXPECT_FALSE(admits(reported, finding(1))) << "it was told";
  EXPECT_TRUE(admits(reported, with_state(finding(1), FindingState::kRunEnded), 1s));
  EXPECT_TRUE(reported.take_doubted("r", 10, at(5s)).empty());
}

TEST(ReportedFindings, WhatIsRestoredInDoubtIsInDoubt) {
  ReportedFindings reported;
  EXPECT_TRUE(reported.restore(with_state(finding(1), FindingState::kRunEnded)));
  EXPECT_TRUE(reported.next_open_runs(10, at(5s)).empty());
  reported.doubt();
  EXPECT_TRUE(reported.restore(with_state(finding(2), FindingState::kRunEnded)));
  EXPECT_FALSE(reported.restore(finding(2)));
  EXPECT_EQ(ids(reported.missing("r", {}, at(5s))), (std::vector<std::uint64_t>{1, 2}));
}

TEST(ReportedFindings, ARowWhoseQuarantineIsLostIsNews) {
  ReportedFindings reported;
  auto row = finding(1);
  row.duplicate.xid = decoder::Xid{7};
  (void)admits(reported, row);
  (void)admits(reported, with_state(row, FindingState::kQuarantined));
  EXPECT_FALSE(admits(reported, row, 60s)) << "an older view of the log";
  reported.doubt();
  EXPECT_TRUE(admits(reported, row, 60s));
  EXPECT_EQ(open(reported), 1U);
}

}  // namespace
}  // namespace dupwatch::core::reported_runs_test
