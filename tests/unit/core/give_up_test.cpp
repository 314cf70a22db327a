#include "daemon/core/give_up.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core {
namespace {

using namespace std::chrono_literals;

constexpr Attempts kFirst{.ever_streamed = false, .since_start = 1s, .in_use = 1s, .patience = 60s};

constexpr Attempts after_a_stream(Attempts attempts) {
  attempts.ever_streamed = true;
  return attempts;
}

TEST(GiveUp, BeforeTheFirstStreamWhatAPersonMustChangeEndsIt) {
  EXPECT_EQ(after_failure(Obstacle::kAccess, kFirst), Verdict::kNeedsOperator);
  EXPECT_EQ(after_failure(Obstacle::kPassing, kFirst), Verdict::kTryAgain);
  auto late = kFirst;
  late.since_start = 60s;
  EXPECT_EQ(after_failure(Obstacle::kPassing, late), Verdict::kTemporary);
  late.patience = 0ms;
  EXPECT_EQ(after_failure(Obstacle::kPassing, late), Verdict::kTryAgain);
}

TEST(GiveUp, AfterItNothingThatMayPassEndsIt) {
  auto late = after_a_stream(kFirst);
  late.since_start = 24h;
  late.in_use = 24h;
  for (const auto obstacle :
       {Obstacle::kPassing, Obstacle::kAccess, Obstacle::kSlotInUse, Obstacle::kStandby}) {
    EXPECT_EQ(after_failure(obstacle, late), Verdict::kTryAgain);
  }
  EXPECT_EQ(after_failure(Obstacle::kSlotGivenUp, late), Verdict::kNeedsOperator);
}

TEST(GiveUp, ASlotInUseIsWaitedForAsLongAsAPredecessorMayLinger) {
  auto attempts = kFirst;
  attempts.patience = 2s;
  attempts.in_use = 1999ms;
  EXPECT_EQ(after_failure(Obstacle::kSlotInUse, attempts), Verdict::kTryAgain);
  attempts.in_use = 2s;
  EXPECT_EQ(after_failure(Obstacle::kSlotInUse, attempts), Verdict::kNeedsOperator);
  attempts.patience = 0ms;
  EXPECT_EQ(after_failure(Obstacle::kSlotInUse, attempts), Verdict::kTryAgain);
  attempts.in_use = 60s;
  EXPECT_EQ(after_failure(Obstacle::kSlotInUse, attempts), Verdict::kNeedsOperator);
}

TEST(GiveUp, AStandbyWaitsForEver) {
  auto late = kFirst;
  late.since_start = 24h;
  EXPECT_EQ(after_failure(Obstacle::kStandby, late), Verdict::kTryAgain);
}

TEST(GiveUp, TheLastAttemptBeforeTheFirstStreamBeginsWhenPatienceEnds) {
  auto attempts = kFirst;
  attempts.patience = 60s;
  attempts.since_start = 58s;
  EXPECT_EQ(delay_before_next(1s, attempts), 1s);
  EXPECT_EQ(delay_before_next(5s, attempts), 2s);
  attempts.since_start = 61s;
  EXPECT_EQ(delay_before_next(5s, attempts), 1ms);
  EXPECT_EQ(delay_before_next(0ms, attempts), 1ms);
  attempts.ever_streamed = true;
  EXPECT_EQ(delay_before_next(5s, attempts), 5s);
  attempts.ever_streamed = false;
  attempts.patience = 0ms;
  EXPECT_EQ(delay_before_next(5s, attempts), 5s);
}

}  // namespace
}  // namespace dupwatch::core
