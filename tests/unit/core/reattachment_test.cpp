#include "daemon/core/reattachment.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::reattachment_test {
namespace {

using decoder::Lsn;

CoverageOrigin origin() {
  return {.system_identifier = "7301234567890",
          .timeline = 3,
          .slot = "dupwatch",
          .plugin = "pgoutput",
          .two_phase = false,
          .table = 16385,
          .publication = 16400};
}

CoverageRecord record() {
  return {.origin = origin(), .confirmed = Lsn{0x1000}, .open_gaps = {}};
}

CoverageView view() {
  return {.origin = origin(), .from = Lsn{0x1000}, .wal_end = Lsn{0x2000}};
}

TEST(Reattachment, NothingNewIsNoGapAndNoDoubt) {
  const auto judged = judge_reattachment(record(), view(), {.streamed = true, .confirmed = Lsn{0x1000}});
  EXPECT_TRUE(judged.gaps.empty());
  EXPECT_FALSE(judged.doubts_runs);
  EXPECT_FALSE(judged.other_rows);
}

TEST(Reattachment, WhatWasConfirmedSinceTheRecordIsKnown) {
  auto found = view();
  found.from = Lsn{0x1800};
  EXPECT_TRUE(judge_reattachment(record(), found, {.streamed = true, .confirmed = Lsn{0x1800}}).gaps.empty());
  const auto judged = judge_reattachment(record(), found, {.streamed = false, .confirmed = Lsn{0x1800}});
  ASSERT_EQ(judged.gaps.size(), 1U);
  EXPECT_EQ(judged.gaps[0].reason, GapReason::kPositionAhead);
  EXPECT_TRUE(judged.doubts_runs);
  EXPECT_FALSE(judged.other_rows);
}

TEST(Reattachment, AServerThatWasStartedMayHaveBeenPutBack) {
  const auto judged =
      judge_reattachment(record(), view(), {.streamed = true, .confirmed = Lsn{0x1000}, .restarted = true});
  EXPECT_TRUE(judged.gaps.empty());
  EXPECT_TRUE(judged.other_rows);
  EXPECT_FALSE(judged.doubts_findings) << "a restart is no reason to look at all that was ever told";
  EXPECT_FALSE(judge_reattachment(record(), view(), {.restarted = true}).other_rows)
      << "nothing is in memory";
}

TEST(Reattachment, AnotherHistoryHasOtherRows) {
  auto found = view();
  found.origin.timeline = 4;
  EXPECT_TRUE(judge_reattachment(record(), found, {}).other_rows);
  EXPECT_TRUE(judge_reattachment(record(), found, {}).doubts_findings);
  found = view();
  found.wal_end = Lsn{0x800};
  EXPECT_TRUE(judge_reattachment(record(), found, {}).other_rows);
  EXPECT_TRUE(judge_reattachment(record(), found, {}).doubts_findings);
}

TEST(Reattachment, ASlotThatWasMadeHasItsOwnGap) {
  auto found = view();
  found.slot_created = true;
  const auto judged = judge_reattachment(record(), found, {});
  EXPECT_TRUE(judged.gaps.empty());
  EXPECT_TRUE(judged.doubts_runs);
  EXPECT_EQ(gap_before_slot(std::nullopt, {}), GapReason::kFirstStart);
  EXPECT_EQ(gap_before_slot(record(), {}), GapReason::kSlotCreated);
  EXPECT_EQ(gap_before_slot(std::nullopt, {.streamed = true}), GapReason::kSlotCreated);
  EXPECT_EQ(gap_before_slot(record(), {.pending = GapReason::kFuse}), GapReason::kFuse);
}

TEST(Reattachment, TheGapOfARowThatWasSteppedOverIsOpenAlready) {
  auto found = view();
  found.from = Lsn{0x1800};
  EXPECT_TRUE(judge_reattachment(record(), found, {.pending = GapReason::kPoisonRow}).gaps.empty());
  EXPECT_EQ(judge_reattachment(record(), found, {.pending = GapReason::kFuse}).gaps.size(), 1U);
}

}  // namespace
}  // namespace dupwatch::core::reattachment_test
