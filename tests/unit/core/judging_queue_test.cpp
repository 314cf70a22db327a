#include "daemon/core/judging_queue.hpp"

#include <gtest/gtest.h>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::judging_queue_test {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000s};

TEST(JudgingQueue, WhatIsOwedComesInWhenThePauseIsOver) {
  JudgingQueue queue;
  EXPECT_EQ(queue.next(kStart), Instant::max());
  EXPECT_FALSE(queue.due(kStart));
  queue.owe("a");
  EXPECT_TRUE(queue.owes());
  EXPECT_TRUE(queue.due(kStart));
  EXPECT_LE(queue.next(kStart), kStart);
  EXPECT_EQ(queue.take_owed(), std::vector<std::string>{"a"});
  EXPECT_FALSE(queue.owes());
  EXPECT_TRUE(queue.empty()) << "whoever takes it adds its run";
}

TEST(JudgingQueue, TheyLeaveInTheOrderInWhichTheyCame) {
  JudgingQueue queue;
  queue.add({.run = 7, .read_back = 1});
  queue.add({.run = 8, .read_back = 1, .last = true});
  EXPECT_EQ(queue.next(kStart), kStart);
  EXPECT_EQ(queue.front().run, 7U);
  EXPECT_FALSE(queue.pop(kStart).last);
  EXPECT_TRUE(queue.pop(kStart).last);
  EXPECT_TRUE(queue.empty());
}

TEST(JudgingQueue, DoubtIsOfThoseThatWait) {
  JudgingQueue queue;
  queue.add({.run = 7});
  queue.doubt();
  queue.add({.run = 8});
  EXPECT_TRUE(queue.pop(kStart).doubtful);
  EXPECT_FALSE(queue.pop(kStart).doubtful);
}

TEST(JudgingQueue, NothingIsLeftOfWhatIsForgotten) {
  JudgingQueue queue;
  queue.add({.run = 7});
  queue.owe("a");
  const auto forgotten = queue.forget();
  ASSERT_EQ(forgotten.size(), 1U);
  EXPECT_EQ(forgotten.front().run, 7U);
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.owes());
}

class JudgedRun : public testing::Test {
 protected:
  /// A second creation is a finding of its own for each row after the first.
  void add_row() {
    (void)add_event(log_, codec_, profile_, {"r", ulid("wevt_", ++rows_), {"step_1"}, "step_created"});
  }
  bool piece(std::size_t rows, std::size_t verdicts = JudgingQueue::kPieceVerdicts) {
    budget_ = {.rows = rows, .verdicts = verdicts};
    return queue_.judge_piece(rules_, log_, budget_, verdicts_);
  }
  /// When what is owed from now on may come in.
  [[nodiscard]] Instant next_round() {
    queue_.owe("a");
    return queue_.next(kStart);
  }

  Profile profile_ = workflow_devkit_profile();
  RuleConfig config_;
  TokenCodec codec_;
  RunLog log_;
  ReplayRules rules_{profile_, config_, codec_};
  JudgingQueue queue_;
  JudgingQueue::Budget budget_;
  std::vector<ReplayRules::Verdict> verdicts_;
  std::uint64_t rows_ = 0;
};

TEST_F(JudgedRun, IsJudgedInPieces) {
  for (int i = 0; i < 5; ++i) add_row();
  queue_.add({.run = 1, .read_back = 1});
  EXPECT_FALSE(piece(3));
  EXPECT_FALSE(budget_.left());
  EXPECT_TRUE(piece(10));
  EXPECT_EQ(verdicts_.size(), 4U);
  EXPECT_TRUE(budget_.left());
}

TEST_F(JudgedRun, IsJudgedOverWhenRowsCameMeanwhile) {
  for (int i = 0; i < 5; ++i) add_row();
  queue_.add({.run = 1, .read_back = 1});
  EXPECT_FALSE(piece(3));
  add_row();
  EXPECT_FALSE(piece(10)) << "the row may have changed what was said of the first three";
  verdicts_.clear();
  EXPECT_TRUE(piece(10));
  EXPECT_EQ(verdicts_.size(), 5U);
}

TEST_F(JudgedRun, IsForgottenWithWhatWasJudgedOfIt) {
  for (int i = 0; i < 5; ++i) add_row();
  queue_.add({.run = 1});
  EXPECT_FALSE(piece(3));
  (void)queue_.forget();
  verdicts_.clear();
  queue_.add({.run = 1});
  EXPECT_TRUE(piece(10));
  EXPECT_EQ(verdicts_.size(), 4U);
}

TEST_F(JudgedRun, ThatIsJudgedAgainIsFollowedByAPauseFourTimesAsLong) {
  for (int i = 0; i < 5; ++i) add_row();
  queue_.add({.run = 1});
  EXPECT_TRUE(piece(10));
  (void)queue_.pop(kStart);
  EXPECT_EQ(next_round(), kStart + 5 * JudgingQueue::kPausePerRow + 4 * JudgingQueue::kPausePerVerdict);
  EXPECT_FALSE(queue_.due(kStart));
}

TEST_F(JudgedRun, ThatWasReadBackIsFollowedByNone) {
  for (int i = 0; i < 5; ++i) add_row();
  queue_.add({.run = 1, .read_back = 1});
  EXPECT_TRUE(piece(10));
  (void)queue_.pop(kStart);
  EXPECT_EQ(next_round(), kStart);
}

TEST_F(JudgedRun, ThePauseHasAnEnd) {
  for (int i = 0; i < 5; ++i) add_row();
  queue_.add({.run = 1});
  // 33 us a time.
  for (int i = 0; i < 350'000; ++i) {
    verdicts_.clear();
    ASSERT_TRUE(piece(10));
  }
  (void)queue_.pop(kStart);
  EXPECT_EQ(next_round(), kStart + JudgingQueue::kPauseMax);
}

}  // namespace
}  // namespace dupwatch::core::judging_queue_test
