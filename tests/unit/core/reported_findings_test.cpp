#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/core/reported_samples.hpp"

namespace dupwatch::core::reported_findings_test {
namespace {

using namespace reported_samples;

TEST(ReportedFindings, AFindingIsNewOnceAndThenSilent) {
  ReportedFindings reported;
  auto first = finding(1);
  EXPECT_TRUE(reported.admit(first, at(0s)));
  EXPECT_EQ(first.change, FindingChange::kNew);
  EXPECT_FALSE(admits(reported, finding(1)));
  EXPECT_EQ(open(reported), 1U);
}

TEST(ReportedFindings, ARunThatReadsOnAgainIsCountedAsSuchWithoutAReport) {
  ReportedFindings reported;
  constexpr auto kRule = static_cast<std::size_t>(Rule::kDuplicateCreated);
  auto told = finding(1);
  told.severity = Severity::kFatal;
  told.pending = Pending::kMayReturn;
  EXPECT_TRUE(admits(reported, told));
  EXPECT_EQ(reported.open_may_return().at(kRule), 1U);
  told.pending = Pending::kCertain;
  EXPECT_FALSE(admits(reported, told));
  EXPECT_EQ(reported.open_may_return().at(kRule), 0U);
  told.pending = Pending::kMayReturn;
  EXPECT_FALSE(admits(reported, told));
  EXPECT_EQ(reported.find(1)->pending, Pending::kCertain);
}

TEST(ReportedFindings, ADifferentSeverityStateOrRowIsAChangeEitherWay) {
  const auto base = closed(finding(1));
  auto engine = base;
  engine.engine = Engine::kV5;
  auto other_row = base;
  other_row.duplicate.id = "another row of a rule about the whole run";
  auto not_closed = base;
  not_closed.after_close = false;
  for (const auto& changed :
       {closed(finding(1, "b", Severity::kFatal)), with_state(base, FindingState::kRunEnded),
        with_state(base, FindingState::kGone), closed(finding(1, "a")), closed(finding(1, "c")),
        closed(finding(1), "other closing"), other_row, not_closed}) {
    ReportedFindings reported;
    EXPECT_TRUE(admits(reported, base));
    auto next = changed;
    EXPECT_TRUE(reported.admit(next, at(1s)));
    EXPECT_EQ(next.change, FindingChange::kChanged);
    EXPECT_FALSE(admits(reported, changed));
    EXPECT_TRUE(admits(reported, base))
        << "the newest view wins, also when it takes back what an older one said";
  }
  ReportedFindings reported;
  EXPECT_TRUE(admits(reported, base));
  EXPECT_FALSE(admits(reported, engine)) << "another engine with the same verdict is no news";
}

TEST(ReportedFindings, AClosingEventThatDoesNotMatterYetMayChangeWithoutAWord) {
  ReportedFindings reported;
  EXPECT_TRUE(admits(reported, finding(1)));
  auto with_closing = closed(finding(1));
  with_closing.after_close = false;
  EXPECT_FALSE(admits(reported, with_closing));
  EXPECT_TRUE(admits(reported, closed(finding(1))));
}

TEST(ReportedFindings, OpenCountsFollowSeverityAndState) {
  ReportedFindings reported;
  (void)admits(reported, finding(1));
  (void)admits(reported, finding(2));
  EXPECT_EQ(open(reported), 2U);
  (void)admits(reported, finding(1, "b", Severity::kFatal));
  EXPECT_EQ(open(reported), 1U);
  EXPECT_EQ(open(reported, Severity::kFatal), 1U);
  (void)admits(reported, with_state(finding(2), FindingState::kRunEnded));
  (void)admits(reported, with_state(finding(3), FindingState::kRunEnded));
  (void)admits(reported, with_state(finding(4), FindingState::kAcknowledged));
  EXPECT_EQ(open(reported), 0U);
  (void)admits(reported, finding(2));
  EXPECT_EQ(open(reported), 1U) << "a run may be revived by hand";
}

TEST(ReportedFindings, AnOlderViewAddsWhatIsNotKnownAndChangesNothing) {
  ReportedFindings reported;
  (void)admits(reported, closed(finding(1, "a", Severity::kFatal)));
  auto older = finding(1, "b");
  EXPECT_FALSE(reported.admit_older(older, at(1s)));
  auto unknown = finding(2);
  EXPECT_TRUE(reported.admit_older(unknown, at(1s)));
  EXPECT_EQ(unknown.change, FindingChange::kNew);
  EXPECT_EQ(open(reported, Severity::kFatal), 1U);
  EXPECT_EQ(open(reported), 1U);
}

std::uint64_t forgotten(const ReportedFindings& reported, Severity severity) {
  return reported.forgotten()[static_cast<std::size_t>(severity)];
}

TEST(ReportedFindings, AtItsBoundTheOldestIsForgottenAndNotToldAgainBeforeItsVerdictChanges) {
  ReportedFindings reported(2);
  for (const std::uint64_t id : {1U, 2U, 3U}) EXPECT_TRUE(admits(reported, finding(id)));
  EXPECT_EQ(open(reported), 2U);
  EXPECT_EQ(forgotten(reported, Severity::kHarmless), 1U);
  EXPECT_EQ(ids(reported.missing("r", {}, at(1s))), (std::vector<std::uint64_t>{2, 3}));
  EXPECT_FALSE(admits(reported, finding(2)));
  EXPECT_FALSE(admits(reported, finding(1))) << "seen again, and it was told";
  auto changed = finding(1, "b", Severity::kFatal);
  EXPECT_TRUE(reported.admit(changed, at(2s)));
  EXPECT_EQ(changed.change, FindingChange::kNew);
}

TEST(ReportedFindings, WhatIsOpenAndFatalIsForgottenLastAndConflictsBeforeIt) {
  ReportedFindings reported(4);
  EXPECT_TRUE(admits(reported, finding(1, "b", Severity::kFatal)));
  EXPECT_TRUE(admits(reported, finding(2, "b", Severity::kConflict)));
  EXPECT_TRUE(admits(reported, with_state(finding(3, "b", Severity::kFatal), FindingState::kGone)));
  for (std::uint64_t id = 10; id < 60; ++id) EXPECT_TRUE(admits(reported, finding(id)));
  EXPECT_EQ(open(reported, Severity::kFatal), 1U);
  EXPECT_EQ(open(reported, Severity::kConflict), 1U);
  EXPECT_EQ(open(reported), 2U);
  EXPECT_TRUE(reported.find(1));
  EXPECT_TRUE(reported.find(2));
  EXPECT_FALSE(reported.find(3)) << "it is not open";
  // One that turns fatal later is as safe.
  EXPECT_TRUE(admits(reported, finding(59, "b", Severity::kFatal)));
  for (std::uint64_t id = 60; id < 70; ++id) EXPECT_TRUE(admits(reported, finding(id)));
  EXPECT_TRUE(reported.find(59));
  for (std::uint64_t id = 70; id < 80; ++id)
    EXPECT_TRUE(admits(reported, finding(id, "b", Severity::kFatal)));
  EXPECT_FALSE(reported.find(2)) << "a conflict goes before any fatal one";
  EXPECT_FALSE(reported.find(1)) << "of the fatal ones the oldest";
  EXPECT_TRUE(reported.find(79));
  EXPECT_EQ(open(reported, Severity::kFatal), 12U) << "an alert does not resolve for want of memory";
  EXPECT_EQ(open(reported, Severity::kConflict), 1U);
  EXPECT_EQ(forgotten(reported, Severity::kFatal), 8U);
  EXPECT_EQ(forgotten(reported, Severity::kConflict), 1U);
}

TEST(ReportedFindings, TextsAreBoundedByTheirBytes) {
  ReportedFindings reported;
  const std::string text(1U << 20U, 'x');
  for (std::uint64_t id = 0; id < 100; ++id) {
    auto next = finding(id);
    next.identity = {text + std::to_string(id)};
    EXPECT_TRUE(admits(reported, next));
  }
  EXPECT_EQ(reported.size(), (ReportedFindings::kBytesMax >> 20U) - 1);
}

TEST(ReportedFindings, RunsWithoutFindingsAreForgottenWithTheirLastOne) {
  ReportedFindings reported(3);
  for (std::uint64_t id = 0; id < 100; ++id) {
    auto next = finding(id);
    next.run_id = "run " + std::to_string(id);
    EXPECT_TRUE(admits(reported, next));
  }
  EXPECT_EQ(reported.runs(), 3U);
}

TEST(ReportedFindings, OfOneOfManyTheCanonicalRowAloneIsNoNews) {
  ReportedFindings reported;
  const auto of_many = [](Finding finding) {
    finding.one_of_many = true;
    return finding;
  };
  EXPECT_TRUE(admits(reported, of_many(closed(finding(1)))));
  EXPECT_FALSE(admits(reported, of_many(closed(finding(1, "a"), "another closing"))));
  // Back and forth is told so often, then once in a while.
  int told = 0;
  for (int i = 0; i < 100; ++i) {
    const auto severity = i % 2 == 0 ? Severity::kFatal : Severity::kHarmless;
    told += admits(reported, of_many(closed(finding(1, "b", severity))), 1s) ? 1 : 0;
  }
  EXPECT_EQ(told, ReportedFindings::kChangesMax);
  const auto fatal = of_many(closed(finding(1, "b", Severity::kFatal)));
  EXPECT_FALSE(admits(reported, fatal, 2s));
  EXPECT_TRUE(admits(reported, fatal, 602s));
  EXPECT_TRUE(admits(reported, with_state(fatal, FindingState::kRunEnded), 602s)) << "a state is told always";
}

TEST(ReportedFindings, TwoAnomaliesOfOneIdAreBothTold) {
  ReportedFindings reported;
  auto first = finding(1);
  auto second = finding(1, "b", Severity::kFatal);
  second.run_id = "another run";
  for (auto* each : {&first, &second}) {
    reported.resolve(*each);
    EXPECT_TRUE(reported.admit(*each, at(0s)));
    EXPECT_EQ(each->change, FindingChange::kNew);
  }
  EXPECT_NE(first.id, second.id);
  EXPECT_EQ(open(reported, Severity::kFatal), 1U);
  auto again = finding(1, "b", Severity::kFatal);
  again.run_id = "another run";
  reported.resolve(again);
  EXPECT_EQ(again.id, second.id);
}

TEST(ToldFindings, KeepTheNewestVerdictOfEachUpToTheirBound) {
  ToldFindings told(7, 3000);
  for (std::uint64_t id = 0; id < 3000; ++id) {
    EXPECT_FALSE(told.has(id, 1));
    told.put(id, 1);
  }
  told.put(5, 2);
  EXPECT_FALSE(told.has(5, 1));
  EXPECT_TRUE(told.has(5, 2));
  for (std::uint64_t id = 6; id < 3000; ++id) EXPECT_TRUE(told.has(id, 1)) << id;
  EXPECT_FALSE(told.has(3000, 1));
  told.put(3000, 1);
  EXPECT_TRUE(told.has(3000, 1));
  EXPECT_EQ(told.size(), 1U);
}

/// Severity, state, canonical row and closing event of what was told last.
using Said = std::tuple<Severity, FindingState, std::string, std::string>;

RC_GTEST_PROP(ReportedFindings, ItsRecordsLeaveTheNewestView, ()) {
  ReportedFindings reported;
  std::map<std::uint64_t, Said> view;
  std::map<std::uint64_t, Said> last_record;
  const auto count = *rc::gen::inRange(0, 60);
  for (int i = 0; i < count; ++i) {
    auto next = finding(*rc::gen::inRange<std::uint64_t>(0, 4),
                        std::string(1, *rc::gen::elementOf(std::string("abc"))),
                        static_cast<Severity>(*rc::gen::inRange<std::size_t>(0, kSeverities)));
    next.state = *rc::gen::element(FindingState::kOpen, FindingState::kRunEnded, FindingState::kGone);
    const auto closing = *rc::gen::element<std::string>("", "x", "y");
    if (!closing.empty()) next = closed(next, closing);
    const Said said{next.severity, next.state, next.canonical.id, closing};
    const auto known = view.find(next.id);
    const bool fresh = known == view.end();
    const bool changed = fresh || known->second != said;
    const bool older = *rc::gen::inRange(0, 4) == 0;
    const bool told = older ? reported.admit_older(next, at(0s)) : reported.admit(next, at(0s));
    RC_ASSERT(told == (older ? fresh : changed));
    if (told) {
      RC_ASSERT((next.change == FindingChange::kNew) == fresh);
      last_record[next.id] = said;
    }
    if (!older || fresh) view[next.id] = said;
  }
  RC_ASSERT(last_record == view);
  for (std::size_t severity = 0; severity < kSeverities; ++severity) {
    const auto expected = std::ranges::count_if(view, [&](const auto& each) {
      return std::get<0>(each.second) == static_cast<Severity>(severity) &&
             std::get<1>(each.second) == FindingState::kOpen;
    });
    RC_ASSERT(open(reported, static_cast<Severity>(severity)) == static_cast<std::uint64_t>(expected));
  }
}

TEST(ReportedFindings, AFindingOfBeforeIsKnownAndSettled) {
  ReportedFindings reported;
  EXPECT_TRUE(reported.restore(finding(1)));
  auto open_counts = [&] {
    return reported.open()[static_cast<std::size_t>(Rule::kDuplicateCreated)]
                          [static_cast<std::size_t>(Severity::kHarmless)];
  };
  EXPECT_EQ(open_counts(), 1U);
  auto same = finding(1);
  EXPECT_FALSE(reported.admit(same, at(0s)));
  EXPECT_EQ(reported.next_open_runs(10, at(0s)), std::vector<std::string>{"r"});
  ASSERT_EQ(reported.missing("r", {}, at(0s)).size(), 1U);
  auto fatal = finding(1, "b", Severity::kFatal);
  EXPECT_TRUE(reported.admit(fatal, at(0s)));
  EXPECT_EQ(fatal.change, FindingChange::kChanged);
  EXPECT_FALSE(reported.restore(finding(1))) << "what is known now is newer";
  EXPECT_EQ(open_counts(), 0U);
}

Finding written_by(Finding finding, decoder::Xid xid) {
  finding.duplicate.xid = xid;
  return finding;
}

TEST(ReportedFindings, AViewOfBeforeDoesNotBringBackWhatIsInQuarantine) {
  ReportedFindings reported;
  const auto row = written_by(finding(1), 7);
  ASSERT_TRUE(admits(reported, row));
  EXPECT_EQ(open(reported), 1U);
  ASSERT_TRUE(admits(reported, with_state(row, FindingState::kQuarantined), 1s));
  EXPECT_EQ(open(reported), 0U);
  // The same row of the same transaction, however late: the stream once more, or a scan's snapshot.
  EXPECT_FALSE(admits(reported, row, 2s));
  EXPECT_FALSE(admits(reported, row, 200s));
  EXPECT_TRUE(reported.next_open_runs(10, at(1000s)).empty());
  // A view that does not know the transaction, while one may be under way.
  EXPECT_FALSE(admits(reported, finding(1), 10s));
  EXPECT_EQ(open(reported), 0U);
  // A person has put it back.
  EXPECT_TRUE(admits(reported, written_by(finding(1), 8), 3s));
  EXPECT_EQ(open(reported), 1U);
}

TEST(ReportedFindings, WithoutTransactionsARowIsBelievedOnceNoViewOfBeforeCanBeUnderWay) {
  ReportedFindings reported;
  ASSERT_TRUE(admits(reported, finding(1)));
  ASSERT_TRUE(admits(reported, with_state(finding(1), FindingState::kQuarantined), 1s));
  EXPECT_FALSE(admits(reported, finding(1), 10s));
  EXPECT_TRUE(admits(reported, finding(1), 12s));
}

TEST(ReportedFindings, FindGivesWhatWasSaidLast) {
  ReportedFindings reported;
  EXPECT_FALSE(reported.find(1));
  ASSERT_TRUE(admits(reported, closed(written_by(finding(1), 7))));
  const auto found = reported.find(1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->run_id, "r");
  EXPECT_EQ(found->duplicate.id, "d1");
  EXPECT_EQ(found->duplicate.xid, 7U);
  EXPECT_EQ(found->closing_id(), "closing");
}

TEST(ReportedFindings, DuplicatesOfRunsThatGoOnAreListed) {
  ReportedFindings reported;
  const auto created = [](Finding one) {
    one.type = "step_created";
    return one;
  };
  EXPECT_TRUE(admits(reported, created(finding(1))));
  EXPECT_TRUE(admits(reported, created(closed(finding(2, "c", Severity::kFatal)))));
  EXPECT_TRUE(admits(reported, created(with_state(finding(3), FindingState::kRunEnded))));
  auto attribute = finding(4);
  attribute.type = "attr_set";
  EXPECT_TRUE(admits(reported, attribute));
  EXPECT_TRUE(admits(reported, created(finding(5)), 1s));
  EXPECT_TRUE(admits(reported, created(with_state(finding(5), FindingState::kGone)), 2s));
  EXPECT_TRUE(admits(reported, created(finding(6)), 1s));
  EXPECT_TRUE(admits(reported, created(with_state(finding(6), FindingState::kGone)), 9s));
  auto found = reported.duplicates(10, at(5s));
  std::ranges::sort(found, {}, &ReportedFindings::DuplicateRow::duplicate_id);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(std::tie(found[0].run_id, found[0].canonical_id, found[0].duplicate_id),
            std::make_tuple("r", "b", "d1"));
  EXPECT_FALSE(found[0].after_close);
  EXPECT_TRUE(found[1].after_close);
  EXPECT_EQ(found[2].duplicate_id, "d6");
  EXPECT_EQ(reported.duplicates(2, at(5s)).size(), 2U);
}

}  // namespace
}  // namespace dupwatch::core::reported_findings_test
