#include "daemon/web/status_store.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>

#include "tests/unit/web/samples.hpp"

namespace dupwatch::web::status_store_test {
namespace {

using Time = StatusStore::Clock::time_point;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string order(const StatusStore& store, std::size_t limit = 100) {
  std::string ids;
  for (const auto& entry : store.findings(limit)) ids += std::to_string(entry->id) + " ";
  return ids;
}

TEST(StatusStore, KeepsTheNewestFindingsOnly) {
  StatusStore store{3};
  for (std::uint64_t id = 1; id <= 5; ++id) store.add(finding(id));
  EXPECT_EQ(order(store), "5 4 3 ");
  EXPECT_EQ(order(store, 2), "5 4 ");
  EXPECT_EQ(order(store, 0), "");
  EXPECT_EQ(store.findings_total(), 5U);
}

TEST(StatusStore, AChangedFindingReplacesTheKeptOneAndIsTheNewest) {
  StatusStore store{3};
  for (std::uint64_t id = 1; id <= 3; ++id) store.add(finding(id));
  auto changed = finding(1);
  changed.change = core::FindingChange::kChanged;
  changed.severity = core::Severity::kFatal;
  store.add(changed);
  EXPECT_EQ(order(store), "1 3 2 ");
  EXPECT_EQ(store.findings(1)[0]->severity, core::Severity::kFatal);
  EXPECT_EQ(store.findings_total(), 3U);
  store.add(finding(4));
  EXPECT_EQ(order(store), "4 1 3 ");
}

TEST(StatusStore, AChangeOfADroppedFindingIsKeptAgainButNotCounted) {
  StatusStore store{1};
  store.add(finding(1));
  store.add(finding(2));
  auto changed = finding(1);
  changed.change = core::FindingChange::kChanged;
  store.add(changed);
  EXPECT_EQ(order(store), "1 ");
  EXPECT_EQ(store.findings_total(), 2U);
}

core::Finding fatal(std::uint64_t id) {
  auto out = finding(id);
  out.severity = core::Severity::kFatal;
  return out;
}

TEST(StatusStore, OpenFatalFindingsStayForHarmlessOnes) {
  StatusStore store{3};
  store.add(fatal(1));
  for (std::uint64_t id = 2; id <= 9; ++id) store.add(finding(id));
  EXPECT_EQ(order(store), "9 8 1 ");
  EXPECT_EQ(order(store, 2), "9 1 ");
  EXPECT_EQ(order(store, 1), "1 ");
  store.add(fatal(10));
  store.add(fatal(11));
  EXPECT_EQ(order(store), "11 10 1 ");
  store.add(fatal(12));
  EXPECT_EQ(order(store), "12 11 10 ");
}

TEST(StatusStore, OpenConflictsStayForHarmlessOnesAndLeaveForFatalOnes) {
  StatusStore store{3};
  auto conflict = fatal(1);
  conflict.severity = core::Severity::kConflict;
  store.add(conflict);
  for (std::uint64_t id = 10; id < 20; ++id) store.add(finding(id));
  EXPECT_EQ(order(store), "19 18 1 ");
  EXPECT_EQ(order(store, 1), "1 ");
  for (std::uint64_t id = 20; id < 23; ++id) store.add(fatal(id));
  EXPECT_EQ(order(store), "22 21 20 ");
  const auto updates = store.updates_after(0, 10);
  ASSERT_EQ(updates.findings.size(), 3U);
  EXPECT_EQ(updates.findings[0]->id, 20U);
}

TEST(StatusStore, LongTextsAreCut) {
  StatusStore store{3};
  auto long_key = fatal(1);
  long_key.run_id = std::string(300'000, 'x');
  store.add(long_key);
  EXPECT_LT(store.findings(1)[0]->run_id.size(), 512U);
}

TEST(StatusStore, AFatalFindingThatIsOverMakesRoomAgain) {
  StatusStore store{2};
  store.add(fatal(1));
  store.add(finding(2));
  auto over = fatal(1);
  over.change = core::FindingChange::kChanged;
  over.state = core::FindingState::kRunEnded;
  store.add(over);
  EXPECT_EQ(order(store), "1 2 ");
  store.add(finding(3));
  store.add(finding(4));
  EXPECT_EQ(order(store), "4 3 ");
}

core::Finding of_severity(std::uint64_t id, core::Severity severity) {
  auto out = finding(id);
  out.severity = severity;
  return out;
}

TEST(StatusStore, PagesGoFromWhatPressesToTheRest) {
  StatusStore store{100};
  store.add(of_severity(1, core::Severity::kConflict));
  store.add(of_severity(2, core::Severity::kFatal));
  for (std::uint64_t id = 3; id <= 6; ++id) store.add(of_severity(id, core::Severity::kHarmless));
  std::string ids;
  std::optional<StatusStore::Cursor> at;
  int pages = 0;
  do {
    const auto page = store.page({}, at, 2);
    EXPECT_EQ(page.matched, 6U);
    for (const auto& entry : page.findings) ids += std::to_string(entry->id) + " ";
    at = page.next;
    ++pages;
  } while (at);
  EXPECT_EQ(ids, "2 1 6 5 4 3 ");
  EXPECT_EQ(pages, 3);
}

TEST(StatusStore, WhatLeftForWantOfRoomIsCounted) {
  StatusStore store{2};
  store.add(finding(1));
  store.add(finding(1));
  store.add(finding(2));
  EXPECT_EQ(store.page({}, {}, 9).dropped, 0U);
  store.add(finding(3));
  store.add(finding(4));
  const auto page = store.page({}, {}, 9);
  EXPECT_EQ(page.dropped, 2U);
  ASSERT_EQ(page.runs.size(), 2U) << "runs of what is not kept any more are forgotten";
  EXPECT_EQ(page.runs.front().first, "run_4");
  EXPECT_EQ(page.runs.front().second.kept, 1);
}

TEST(StatusStore, TheCountsOfARunFollowItsFindings) {
  StatusStore store{10};
  auto one = finding(1);
  auto two = fatal(2);
  two.run_id = one.run_id;
  store.add(one);
  store.add(two);
  const auto counts = [&] { return store.page({}, {}, 1).runs.at(0).second; };
  EXPECT_EQ(counts().kept, 2);
  EXPECT_EQ(counts().open, (std::array<std::int64_t, 4>{1, 0, 0, 1}));
  two.state = core::FindingState::kAcknowledged;
  store.add(two);
  EXPECT_EQ(counts().kept, 2);
  EXPECT_EQ(counts().open, (std::array<std::int64_t, 4>{0, 0, 0, 1}));
}

TEST(StatusStore, WhoFollowsThePagesSeesTheLastReportOfEachWhateverComesMeanwhile) {
  std::minstd_rand random{7};
  for (int round = 0; round < 300; ++round) {
    StatusStore store{100'000};
    const auto count = 1 + random() % 60;
    for (std::uint64_t id = 1; id <= count; ++id) {
      store.add(of_severity(id, static_cast<core::Severity>(random() % core::kSeverities)));
    }
    core::FindingFilter filter;
    if (random() % 2 == 0) {
      ASSERT_EQ(filter.only_severities("fatal,harmless"), "");
    }
    std::map<std::uint64_t, core::Severity> seen;
    std::optional<StatusStore::Cursor> at;
    int reports = 40;
    do {
      const auto page = store.page(filter, at, 1 + random() % 9);
      for (const auto& entry : page.findings) seen[entry->id] = entry->severity;
      at = page.next;
      // What comes after the last page is news of the next reading.
      for (auto more = random() % 4; at && more > 0 && reports > 0; --more, --reports) {
        store.add(of_severity(1 + random() % (count + 10),
                              static_cast<core::Severity>(random() % core::kSeverities)));
      }
    } while (at);
    for (const auto& entry : store.findings(100'000)) {
      if (!filter.admits(*entry)) continue;
      ASSERT_TRUE(seen.contains(entry->id)) << round << " " << entry->id;
      ASSERT_EQ(seen[entry->id], entry->severity) << round << " " << entry->id;
    }
  }
}

TEST(StatusStore, UpdatesOfBothKindsComeInTheOrderOfTheReports) {
  StatusStore store{4};
  store.add(finding(1));
  store.add(fatal(2));
  store.add(finding(3));
  store.add(fatal(4));
  const auto ids = [&](std::uint64_t after, std::size_t limit) {
    std::string out;
    for (const auto& entry : store.updates_after(after, limit).findings)
      out += std::to_string(entry->id) + " ";
    return out;
  };
  EXPECT_EQ(ids(0, 100), "1 2 3 4 ");
  EXPECT_EQ(ids(1, 2), "2 3 ");
  EXPECT_EQ(store.updates_after(1, 2).last, 3U);
  EXPECT_EQ(ids(4, 100), "");
  EXPECT_TRUE(store.updates_after(0, 100).complete);
  // 1 and 3 leave for the fatal ones; whoever had seen less begins anew.
  store.add(fatal(5));
  store.add(fatal(6));
  EXPECT_EQ(ids(3, 100), "4 5 6 ");
  EXPECT_TRUE(store.updates_after(3, 100).complete);
  EXPECT_FALSE(store.updates_after(2, 100).complete);
}

TEST(StatusStore, IsAliveForTenSecondsAfterABeat) {
  StatusStore store{1};
  const Time start{seconds{100}};
  EXPECT_FALSE(store.alive(start));
  store.beat(start);
  EXPECT_TRUE(store.alive(start));
  EXPECT_TRUE(store.alive(start + milliseconds{9'999}));
  EXPECT_FALSE(store.alive(start + seconds{10}));
  store.beat(start + seconds{20});
  EXPECT_TRUE(store.alive(start + seconds{21}));
}

TEST(StatusStore, BeforeTheFirstSnapshotItIsNotReadyAndSaysWhy) {
  const StatusStore store{1};
  EXPECT_FALSE(store.snapshot()->ready);
  EXPECT_EQ(store.snapshot()->not_ready_reason, "starting");
}

TEST(StatusStore, ASnapshotInUseOutlivesTheNext) {
  StatusStore store{1};
  store.publish(streaming());
  const auto held = store.snapshot();
  store.publish({});
  EXPECT_EQ(held->slot.name, "dupwatch");
  EXPECT_EQ(store.snapshot()->slot.name, "");
}

}  // namespace
}  // namespace dupwatch::web::status_store_test
