#include "daemon/core/life_cycle.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::life_cycle_test {
namespace {

TEST(LifeCycle, BeginsWithAnAttempt) {
  LifeCycle life;
  EXPECT_EQ(life.state(), StreamState::kConnecting);
  EXPECT_EQ(life.mode(), WatchMode::kStreaming);
  EXPECT_FALSE(life.has_streamed());
  EXPECT_FALSE(life.streaming());
  EXPECT_FALSE(life.pending_gap());
  life.attached();
  EXPECT_EQ(life.state(), StreamState::kStarting);
}

TEST(LifeCycle, AStreamThatEndedIsCalledStreamingUntilItIsKnownWhatComesNext) {
  LifeCycle life;
  life.streams();
  EXPECT_TRUE(life.streaming());
  EXPECT_TRUE(life.stream_open());
  life.stream_ended();
  EXPECT_EQ(life.state(), StreamState::kStreaming);
  EXPECT_TRUE(life.streaming());
  EXPECT_FALSE(life.stream_open());
  life.backs_off();
  EXPECT_EQ(life.state(), StreamState::kBackingOff);
  EXPECT_FALSE(life.streaming());
  EXPECT_TRUE(life.has_streamed());
  life.attempts();
  EXPECT_EQ(life.state(), StreamState::kConnecting);
  EXPECT_TRUE(life.has_streamed());
}

TEST(LifeCycle, AnEndOfNoStreamSaysNothing) {
  LifeCycle life;
  life.stream_ended();
  EXPECT_EQ(life.state(), StreamState::kConnecting);
  EXPECT_FALSE(life.stream_open());
}

TEST(LifeCycle, ASlotThatIsGivenUpIsToldOnceUntilTheNextStream) {
  LifeCycle life;
  life.streams();
  life.stream_ended();
  EXPECT_TRUE(life.gives_up(GapReason::kFuse));
  EXPECT_FALSE(life.gives_up(GapReason::kFuse));
  EXPECT_EQ(life.state(), StreamState::kStreaming);
  EXPECT_EQ(life.pending_gap(), GapReason::kFuse);
  life.polls(true);
  EXPECT_EQ(life.state(), StreamState::kPolling);
  EXPECT_EQ(life.mode(), WatchMode::kPolling);
  EXPECT_EQ(life.pending_gap(), GapReason::kFuse);
  EXPECT_FALSE(life.gives_up(GapReason::kFuse));
  EXPECT_TRUE(life.gives_up(GapReason::kSlotLost));
  EXPECT_EQ(life.pending_gap(), GapReason::kSlotLost);
  life.streams();
  EXPECT_FALSE(life.pending_gap());
  EXPECT_EQ(life.mode(), WatchMode::kStreaming);
  EXPECT_TRUE(life.gives_up(GapReason::kFuse));
}

TEST(LifeCycle, OpenRunsAreScannedWhileTheNextSlotIsMadeButNotWhenItIsThere) {
  LifeCycle life;
  life.attempts();
  EXPECT_FALSE(life.scans_for_want_of_slot());
  life.attached();
  life.gives_up(GapReason::kSlotLost);
  life.polls(false);
  EXPECT_NE(life.state(), StreamState::kPolling);
  life.attempts();
  EXPECT_EQ(life.state(), StreamState::kConnecting);
  EXPECT_TRUE(life.scans_for_want_of_slot());
  life.backs_off();
  EXPECT_TRUE(life.scans_for_want_of_slot());
  EXPECT_EQ(life.mode(), WatchMode::kPolling);
  life.attached();
  EXPECT_FALSE(life.scans_for_want_of_slot());
  life.streams();
  EXPECT_FALSE(life.scans_for_want_of_slot());
}

TEST(LifeCycle, OneThatStandsBySaysSoThroughItsAttemptsAndOnce) {
  LifeCycle life;
  EXPECT_TRUE(life.stands_by());
  EXPECT_EQ(life.state(), StreamState::kStandby);
  life.attempts();
  EXPECT_EQ(life.state(), StreamState::kStandby);
  EXPECT_FALSE(life.stands_by());
  life.backs_off();
  life.attempts();
  EXPECT_EQ(life.state(), StreamState::kConnecting);
  EXPECT_FALSE(life.stands_by());
  life.streams();
  EXPECT_TRUE(life.stands_by());
  EXPECT_TRUE(life.has_streamed());
}

TEST(LifeCycle, StopsForGood) {
  LifeCycle life;
  life.streams();
  life.stops();
  EXPECT_EQ(life.state(), StreamState::kStopping);
  EXPECT_FALSE(life.streaming());
  EXPECT_FALSE(life.stream_open());
  EXPECT_FALSE(life.scans_for_want_of_slot());
  EXPECT_FALSE(life.pending_gap());
}

}  // namespace
}  // namespace dupwatch::core::life_cycle_test
