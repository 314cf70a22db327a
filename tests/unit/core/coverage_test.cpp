#include "daemon/core/coverage.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::coverage_test {
namespace {

using decoder::Lsn;
using decoder::Timestamp;

TEST(Coverage, IsCompleteFromTheStartWhenNothingIsMissing) {
  Coverage coverage;
  EXPECT_EQ(coverage.complete_since(), std::nullopt) << "not before streaming began";
  coverage.started(Timestamp{5});
  EXPECT_TRUE(coverage.complete());
  EXPECT_FALSE(coverage.needs_scan());
  EXPECT_EQ(coverage.complete_since(), Timestamp{5});
}

TEST(Coverage, AGapIsOpenUntilAScanThatBeganAfterItHasEnded) {
  Coverage coverage;
  coverage.started(Timestamp{1});
  coverage.open(GapReason::kDecodeError, Lsn{10}, Lsn{20}, Timestamp{2});
  EXPECT_FALSE(coverage.complete());
  EXPECT_TRUE(coverage.needs_scan());
  EXPECT_EQ(coverage.complete_since(), std::nullopt);
  EXPECT_EQ(coverage.open_reason(), GapReason::kDecodeError);
  coverage.scan_begins();
  EXPECT_FALSE(coverage.needs_scan()) << "one is under way";
  EXPECT_FALSE(coverage.complete()) << "and has not ended";
  const auto closed = coverage.scan_ended(Timestamp{3});
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].reason, GapReason::kDecodeError);
  EXPECT_EQ(closed[0].from, Lsn{10});
  EXPECT_EQ(closed[0].to, Lsn{20});
  EXPECT_EQ(coverage.complete_since(), Timestamp{3});
  EXPECT_EQ(coverage.gaps().at(0).closed, Timestamp{3}) << "it is remembered";
}

TEST(Coverage, AGapThatIsOpenGrowsAndNeverShrinks) {
  Coverage coverage;
  coverage.open(GapReason::kDecodeError, Lsn{10}, Lsn{50}, Timestamp{1});
  coverage.open(GapReason::kDecodeError, Lsn{20}, Lsn{30}, Timestamp{2});
  ASSERT_EQ(coverage.gaps().size(), 1U);
  EXPECT_EQ(coverage.gaps()[0].from, Lsn{10});
  EXPECT_EQ(coverage.gaps()[0].to, Lsn{50});
  coverage.open(GapReason::kDecodeError, Lsn{5}, Lsn{60}, Timestamp{3});
  EXPECT_EQ(coverage.gaps()[0].from, Lsn{5});
  EXPECT_EQ(coverage.gaps()[0].to, Lsn{60});
  EXPECT_EQ(coverage.gaps()[0].opened, Timestamp{1});
}

TEST(Coverage, AGapThatOpensDuringAScanNeedsAnother) {
  Coverage coverage;
  coverage.open(GapReason::kFirstStart, Lsn{}, Lsn{5}, Timestamp{1});
  coverage.scan_begins();
  coverage.open(GapReason::kTableChanged, Lsn{7}, Lsn{}, Timestamp{2});
  EXPECT_EQ(coverage.scan_ended(Timestamp{3}).size(), 1U);
  EXPECT_FALSE(coverage.complete());
  EXPECT_TRUE(coverage.needs_scan());
  EXPECT_EQ(coverage.open_reason(), GapReason::kTableChanged);
}

TEST(Coverage, TheSameReasonWidensTheOpenGapAndOutdatesTheScan) {
  Coverage coverage;
  coverage.open(GapReason::kDecodeError, Lsn{10}, Lsn{20}, Timestamp{1});
  coverage.scan_begins();
  coverage.open(GapReason::kDecodeError, Lsn{20}, Lsn{30}, Timestamp{2});
  EXPECT_TRUE(coverage.scan_ended(Timestamp{3}).empty());
  EXPECT_TRUE(coverage.needs_scan());
  ASSERT_EQ(coverage.gaps().size(), 1U);
  EXPECT_EQ(coverage.gaps()[0].from, Lsn{10});
  EXPECT_EQ(coverage.gaps()[0].to, Lsn{30});
  EXPECT_EQ(coverage.opened_total()[static_cast<std::size_t>(GapReason::kDecodeError)], 1U);
}

TEST(Coverage, AFailedScanClosesNothing) {
  Coverage coverage;
  coverage.open(GapReason::kOtherHistory, Lsn{1}, Lsn{2}, Timestamp{1});
  coverage.scan_begins();
  coverage.scan_failed();
  EXPECT_TRUE(coverage.needs_scan());
  EXPECT_TRUE(coverage.scan_ended(Timestamp{2}).empty());
  EXPECT_FALSE(coverage.complete());
}

TEST(Coverage, RemembersABoundedNumberAndForgetsClosedOnesFirst) {
  Coverage coverage;
  coverage.open(GapReason::kFirstStart, Lsn{}, Lsn{1}, Timestamp{1});
  for (std::size_t i = 0; i < 2 * Coverage::kGapsMax; ++i) {
    coverage.open(GapReason::kDecodeError, Lsn{i}, Lsn{i + 1}, Timestamp{2});
    // The first gap is not scanned: its scan fails each time, the other is closed by widening nothing.
    coverage.scan_begins();
    coverage.open(GapReason::kFirstStart, Lsn{}, Lsn{1}, Timestamp{3});
    EXPECT_EQ(coverage.scan_ended(Timestamp{4}).size(), 1U);
  }
  EXPECT_EQ(coverage.gaps().size(), Coverage::kGapsMax);
  EXPECT_EQ(coverage.open_now()[static_cast<std::size_t>(GapReason::kFirstStart)], 1U);
  EXPECT_EQ(coverage.opened_total()[static_cast<std::size_t>(GapReason::kDecodeError)],
            2 * Coverage::kGapsMax);
}

TEST(Coverage, AClosedGapStaysInTheRecordUntilTheFindingsOfItsScanAreDurable) {
  Coverage coverage;
  Durability durability;
  coverage.open(GapReason::kSlotLost, Lsn{1}, Lsn{2}, Timestamp{1});
  coverage.scan_begins();
  EXPECT_EQ(coverage.scan_ended(Timestamp{2}).size(), 1U);
  EXPECT_TRUE(coverage.open_gaps().empty());
  coverage.settle(false, durability);
  EXPECT_EQ(coverage.recorded_gaps().size(), 1U) << "a finding is not given to the file yet";
  durability.add_row();
  coverage.settle(true, durability);
  EXPECT_EQ(coverage.recorded_gaps().size(), 1U) << "the table has not taken it";
  durability.rows_recorded(1);
  durability.add_row();  // a later one is not waited for
  const auto revision = coverage.revision();
  coverage.settle(true, durability);
  EXPECT_TRUE(coverage.recorded_gaps().empty());
  EXPECT_GT(coverage.revision(), revision);
}

TEST(Coverage, AGapThatOpensWhileAnotherIsForgottenStaysInTheRecord) {
  Coverage coverage;
  coverage.open(GapReason::kSlotLost, Lsn{1}, Lsn{2}, Timestamp{1});
  coverage.scan_begins();
  (void)coverage.scan_ended(Timestamp{2});
  coverage.open(GapReason::kDeaf, Lsn{3}, Lsn{}, Timestamp{3});
  coverage.settle(true, Durability{});
  ASSERT_EQ(coverage.recorded_gaps().size(), 1U);
  EXPECT_EQ(coverage.recorded_gaps()[0].reason, GapReason::kDeaf);
}

TEST(Coverage, EveryReasonHasItsOwnName) {
  for (std::size_t i = 0; i < kGapReasons; ++i) {
    const auto name = to_string(static_cast<GapReason>(i));
    EXPECT_NE(name, "?");
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(name, to_string(static_cast<GapReason>(j)));
  }
}

}  // namespace
}  // namespace dupwatch::core::coverage_test
