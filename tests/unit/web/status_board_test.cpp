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

core::Finding fatal(std::uint64_t id) {
  auto out = finding(id);
  out.severity = core::Severity::kFatal;
  return out;
}

TEST(StatusBoard, OpenFatalFindingsStayForHarmlessOnes) {
  StatusBoard board{3};
  board.add(fatal(1));
  for (std::uint64_t id = 2; id <= 9; ++id) board.add(finding(id));
  EXPECT_EQ(order(board), "9 8 1 ");
  EXPECT_EQ(order(board, 2), "9 1 ");
  EXPECT_EQ(order(board, 1), "1 ");
  board.add(fatal(10));
  board.add(fatal(11));
  EXPECT_EQ(order(board), "11 10 1 ");
  board.add(fatal(12));
  EXPECT_EQ(order(board), "12 11 10 ");
}

TEST(StatusBoard, AFatalFindingThatIsOverMakesRoomAgain) {
  StatusBoard board{2};
  board.add(fatal(1));
  board.add(finding(2));
  auto over = fatal(1);
  over.change = core::FindingChange::kChanged;
  over.state = core::FindingState::kRunEnded;
  board.add(over);
  EXPECT_EQ(order(board), "1 2 ");
  board.add(finding(3));
  board.add(finding(4));
  EXPECT_EQ(order(board), "4 3 ");
}

TEST(StatusBoard, UpdatesOfBothKindsComeInTheOrderOfTheReports) {
  StatusBoard board{4};
  board.add(finding(1));
  board.add(fatal(2));
  board.add(finding(3));
  board.add(fatal(4));
  const auto ids = [&](std::uint64_t after, std::size_t limit) {
    std::string out;
    for (const auto& entry : board.updates_after(after, limit).findings)
      out += std::to_string(entry->id) + " ";
    return out;
  };
  EXPECT_EQ(ids(0, 100), "1 2 3 4 ");
  EXPECT_EQ(ids(1, 2), "2 3 ");
  EXPECT_EQ(board.updates_after(1, 2).last, 3U);
  EXPECT_EQ(ids(4, 100), "");
  EXPECT_TRUE(board.updates_after(0, 100).complete);
  // 1 and 3 leave for the fatal ones; whoever had seen less begins anew.
  board.add(fatal(5));
  board.add(fatal(6));
  EXPECT_EQ(ids(3, 100), "4 5 6 ");
  EXPECT_TRUE(board.updates_after(3, 100).complete);
  EXPECT_FALSE(board.updates_after(2, 100).complete);
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
