#include "daemon/core/coverage_record.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace dupwatch::core::coverage_record_test {
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

std::vector<GapReason> reasons(const std::optional<CoverageRecord>& known, const CoverageView& found) {
  std::vector<GapReason> out;
  for (const auto& gap : compare_coverage(known, found)) out.push_back(gap.reason);
  return out;
}

TEST(CoverageRecord, ComesBackAsItWasWritten) {
  auto written = record();
  written.origin.slot = "a \"quoted\"\nname";
  written.open_gaps = {
      {.reason = GapReason::kSlotLost,
       .from = Lsn{0x10},
       .to = {},
       .opened = decoder::Timestamp{1'700'000'000'000'000},
       .closed = {}},
      {.reason = GapReason::kRestored, .from = {}, .to = Lsn{0x20}, .opened = {}, .closed = {}}};
  const auto read = read_coverage_record(to_json(written));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->origin, written.origin);
  EXPECT_EQ(read->confirmed, written.confirmed);
  ASSERT_EQ(read->open_gaps.size(), 2U);
  EXPECT_EQ(read->open_gaps[0].reason, GapReason::kSlotLost);
  EXPECT_EQ(read->open_gaps[0].from, Lsn{0x10});
  EXPECT_EQ(read->open_gaps[0].opened, written.open_gaps[0].opened);
  EXPECT_EQ(read->open_gaps[1].to, Lsn{0x20});
}

TEST(CoverageRecord, WhatIsDamagedOrOfALaterVersionIsNotKnown) {
  const auto whole = to_json(record());
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_FALSE(read_coverage_record(whole.substr(0, size))) << whole.substr(0, size);
  }
  auto later = whole;
  later.replace(later.find("\"version\":1"), 11, "\"version\":2");
  EXPECT_FALSE(read_coverage_record(later));
  auto other_reason = record();
  other_reason.open_gaps.push_back(
      {.reason = GapReason::kFuse, .from = {}, .to = {}, .opened = {}, .closed = {}});
  auto text = to_json(other_reason);
  text.replace(text.find("\"fuse\""), 6, "\"fuze\"");
  EXPECT_FALSE(read_coverage_record(text));
}

TEST(CompareCoverage, NothingChangedIsNoGap) {
  EXPECT_TRUE(reasons(record(), view()).empty());
  auto behind = view();
  behind.from = Lsn{0x800};  // a crash of the server moves slots back, and what was seen comes again
  EXPECT_TRUE(reasons(record(), behind).empty());
}

TEST(CompareCoverage, AStartWithoutKnowledgeIsAGapUnlessItMadeTheSlot) {
  EXPECT_EQ(reasons({}, view()), std::vector{GapReason::kUnknownPast});
  auto first = view();
  first.slot_created = true;
  EXPECT_TRUE(reasons({}, first).empty());
}

TEST(CompareCoverage, EachChangeHasItsReason) {
  struct Case {
    const char* name;
    std::function<void(CoverageView&)> change;
    std::vector<GapReason> reasons;
  };
  const std::vector<Case> cases = {
      {"another server",
       [](CoverageView& v) { v.origin.system_identifier = "8"; },
       {GapReason::kOtherHistory}},
      {"another timeline", [](CoverageView& v) { v.origin.timeline = 4; }, {GapReason::kOtherHistory}},
      {"restored to an earlier point",
       [](CoverageView& v) { v.wal_end = Lsn{0xfff}; },
       {GapReason::kRestored}},
      {"a standby that replays", [](CoverageView& v) { v.wal_end = Lsn{0xfff}, v.standby = true; }, {}},
      {"advanced, or dropped and made by another hand",
       [](CoverageView& v) { v.from = Lsn{0x1001}; },
       {GapReason::kPositionAhead}},
      {"the slot was gone",
       [](CoverageView& v) { v.from = Lsn{0x1800}, v.slot_created = true; },
       {GapReason::kSlotCreated}},
      {"another plugin", [](CoverageView& v) { v.origin.plugin = "wal2json"; }, {GapReason::kSlotCreated}},
      {"two_phase", [](CoverageView& v) { v.origin.two_phase = true; }, {GapReason::kSlotCreated}},
      {"another slot",
       [](CoverageView& v) { v.origin.slot = "other", v.from = Lsn{0x1800}; },
       {GapReason::kSlotCreated}},
      {"the table was replaced", [](CoverageView& v) { v.origin.table = 2; }, {GapReason::kTableChanged}},
      {"the publication was replaced",
       [](CoverageView& v) { v.origin.publication = 2; },
       {GapReason::kTableChanged}},
  };
  for (const auto& entry : cases) {
    auto found = view();
    entry.change(found);
    EXPECT_EQ(reasons(record(), found), entry.reasons) << entry.name;
  }
}

}  // namespace
}  // namespace dupwatch::core::coverage_record_test
