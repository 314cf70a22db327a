#include "daemon/core/read_back_queue.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::read_back_queue_test {
namespace {

using Runs = ReadBackQueue::Runs;

/// Of the batch that is sent off; empty: none is.
Runs sent(ReadBackQueue& queue) {
  const auto* runs = queue.send();
  return runs != nullptr ? *runs : Runs{};
}

TEST(ReadBackQueue, RunsThatComeTogetherGoTogether) {
  ReadBackQueue queue(10);
  EXPECT_EQ(sent(queue), Runs{});
  EXPECT_EQ(queue.last(), std::nullopt);
  queue.add(7);
  queue.add(8);
  EXPECT_EQ(queue.last(), 1U);
  EXPECT_EQ(sent(queue), (Runs{7, 8}));
  const auto batch = *queue.answered();
  EXPECT_EQ(batch.number, 1U);
  EXPECT_EQ(batch.runs, (Runs{7, 8}));
  EXPECT_FALSE(batch.doubtful);
  EXPECT_EQ(queue.last(), std::nullopt);
  EXPECT_EQ(queue.first(), 2U);
}

TEST(ReadBackQueue, WhatComesWhileOneIsInFlightWaitsForTheNext) {
  ReadBackQueue queue(10);
  queue.add(7);
  EXPECT_EQ(sent(queue), Runs{7});
  queue.add(8);
  EXPECT_EQ(queue.last(), 2U);
  EXPECT_EQ(sent(queue), Runs{}) << "one at a time";
  EXPECT_EQ(queue.answered()->runs, Runs{7});
  EXPECT_EQ(sent(queue), Runs{8});
}

TEST(ReadBackQueue, ABatchIsBounded) {
  ReadBackQueue queue(2);
  for (RunIndex::Handle run = 1; run <= 5; ++run) queue.add(run);
  EXPECT_EQ(queue.last(), 3U);
  EXPECT_EQ(sent(queue), (Runs{1, 2}));
  EXPECT_EQ(queue.answered()->number, 1U);
  EXPECT_EQ(sent(queue), (Runs{3, 4}));
  EXPECT_EQ(queue.answered()->number, 2U);
  EXPECT_EQ(sent(queue), Runs{5});
}

TEST(ReadBackQueue, OneThatFailedIsSentAgainUnderItsNumber) {
  ReadBackQueue queue(10);
  queue.add(7);
  EXPECT_EQ(sent(queue), Runs{7});
  queue.failed();
  queue.add(8);
  EXPECT_EQ(sent(queue), (Runs{7, 8}));
  EXPECT_EQ(queue.answered()->number, 1U);
}

TEST(ReadBackQueue, DoubtIsOfTheOneInFlightAlone) {
  ReadBackQueue queue(10);
  queue.add(7);
  queue.doubt();
  EXPECT_EQ(sent(queue), Runs{7});
  queue.add(8);
  EXPECT_FALSE(queue.answered()->doubtful) << "it is asked for after the doubt";
  EXPECT_EQ(sent(queue), Runs{8});
  queue.doubt();
  queue.add(9);
  EXPECT_TRUE(queue.answered()->doubtful);
  EXPECT_EQ(sent(queue), Runs{9});
  EXPECT_FALSE(queue.answered()->doubtful);
}

TEST(ReadBackQueue, AnAnswerThatIsDiscardedIsAskedForAgain) {
  ReadBackQueue queue(10);
  queue.discard();
  queue.add(7);
  EXPECT_EQ(sent(queue), Runs{7}) << "none was in flight";
  EXPECT_TRUE(queue.expects_rows());
  queue.discard();
  EXPECT_FALSE(queue.expects_rows());
  queue.add(8);
  EXPECT_EQ(sent(queue), Runs{}) << "one at a time";
  EXPECT_FALSE(queue.answered());
  EXPECT_EQ(queue.first(), 1U);
  EXPECT_EQ(sent(queue), (Runs{7, 8}));
  EXPECT_EQ(queue.answered()->runs, (Runs{7, 8}));
  // One that fails is sent again anyway.
  queue.add(9);
  EXPECT_EQ(sent(queue), Runs{9});
  queue.discard();
  queue.failed();
  EXPECT_EQ(sent(queue), Runs{9});
  EXPECT_EQ(queue.answered()->runs, Runs{9});
}

TEST(ReadBackQueue, WhatIsForgottenCountsAsAnswered) {
  ReadBackQueue queue(1);
  queue.add(7);
  queue.add(8);
  EXPECT_EQ(queue.forget(), (std::deque<Runs>{{7}, {8}}));
  EXPECT_EQ(queue.last(), std::nullopt);
  queue.add(9);
  EXPECT_EQ(queue.last(), 3U);
}

TEST(ReadBackQueue, AnAnswerToWhatIsForgottenIsNone) {
  ReadBackQueue queue(10);
  for (const bool fails : {false, true}) {
    queue.add(7);
    EXPECT_EQ(sent(queue), Runs{7});
    EXPECT_TRUE(queue.expects_rows());
    EXPECT_EQ(queue.forget(), (std::deque<Runs>{{7}}));
    EXPECT_FALSE(queue.expects_rows());
    const auto next = queue.first();
    queue.add(8);
    queue.doubt();
    queue.add(9);
    EXPECT_EQ(queue.last(), next) << "nothing that collects is in flight";
    EXPECT_EQ(sent(queue), Runs{}) << "one at a time";
    if (fails) {
      queue.failed();
    } else {
      EXPECT_FALSE(queue.answered());
    }
    EXPECT_EQ(sent(queue), (Runs{8, 9}));
    const auto batch = queue.answered();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->number, next);
    EXPECT_FALSE(batch->doubtful) << "it was asked for after the doubt";
  }
}

}  // namespace
}  // namespace dupwatch::core::read_back_queue_test
