#include "daemon/web/status_board.hpp"

#include <gtest/gtest.h>

#include "tests/unit/web/samples.hpp"

namespace dupwatch::web::status_board_test {
namespace {

using Time = StatusBoard::Clock::time_point;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string order(const StatusBoard& board, std::size_t limit = 100) {
  std::string ids;
  for (const auto& entry : board.findings(limit)) ids += std::to_string(entry->id) + " ";
  return ids;
}

TEST(StatusBoard, KeepsTheNewestFindingsOnly) {
  StatusBoard board{3};
  for (std::uint64_t id = 1; id <= 5; ++id) board.add(finding(id));
  EXPECT_EQ(order(board), "5 4 3 ");
  EXPECT_EQ(order(board, 2), "5 4 ");
  EXPECT_EQ(order(board, 0), "");
  EXPECT_EQ(board.findings_total(), 5U);
}

TEST(StatusBoard, AChangedFindingReplacesTheKeptOneAndIsTheNewest) {
  StatusBoard board{3};
  for (std::uint64_t id = 1; id <= 3; ++id) board.add(finding(id));
  auto changed = finding(1);
  changed.change = core::FindingChange::kChanged;
  changed.severity = core::Severity::kFatal;
  board.add(changed);
  EXPECT_EQ(order(board), "1 3 2 ");
  EXPECT_EQ(board.findings(1)[0]->severity, core::Severity::kFatal);
  EXPECT_EQ(board.findings_total(), 3U);
  board.add(finding(4));
  EXPECT_EQ(order(board), "4 1 3 ");
}

TEST(StatusBoard, AChangeOfADroppedFindingIsKeptAgainButNotCounted) {
  StatusBoard board{1};
  board.add(finding(1));
  board.add(finding(2));
  auto changed = finding(1);
  changed.change = core::FindingChange::kChanged;
  board.add(changed);
  EXPECT_EQ(order(board), "1 ");
  EXPECT_EQ(board.findings_total(), 2U);
}

TEST(StatusBoard, IsAliveForTenSecondsAfterABeat) {
  StatusBoard board{1};
  const Time start{seconds{100}};
  EXPECT_FALSE(board.alive(start));
  board.beat(start);
  EXPECT_TRUE(board.alive(start));
  EXPECT_TRUE(board.alive(start + milliseconds{9'999}));
  EXPECT_FALSE(board.alive(start + seconds{10}));
  board.beat(start + seconds{20});
  EXPECT_TRUE(board.alive(start + seconds{21}));
}

TEST(StatusBoard, BeforeTheFirstSnapshotItIsNotReadyAndSaysWhy) {
  const StatusBoard board{1};
  EXPECT_FALSE(board.snapshot()->ready);
  EXPECT_EQ(board.snapshot()->not_ready_reason, "starting");
}

TEST(StatusBoard, ASnapshotInUseOutlivesTheNext) {
  StatusBoard board{1};
  board.publish(streaming());
  const auto held = board.snapshot();
  board.publish({});
  EXPECT_EQ(held->slot_name, "dupwatch");
  EXPECT_EQ(board.snapshot()->slot_name, "");
}

}  // namespace
}  // namespace dupwatch::web::status_board_test
