#include "daemon/core/rule_doubts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dupwatch::core::rule_doubts_test {
namespace {

using std::chrono::seconds;
using Runs = std::vector<std::string>;

constexpr Instant kBegin{};

TEST(RuleDoubts, ARunIsAskedAboutWhenItHasLasted) {
  RuleDoubts doubts;
  EXPECT_EQ(doubts.next_due(), Instant::max());
  doubts.note("a", 1, kBegin);
  EXPECT_EQ(doubts.next_due(), kBegin + RuleDoubts::kLasts);
  EXPECT_EQ(doubts.due(kBegin + seconds(4), 10), Runs{});
  EXPECT_EQ(doubts.due(kBegin + RuleDoubts::kLasts, 10), Runs{"a"});
  EXPECT_EQ(doubts.next_due(), Instant::max());
  EXPECT_TRUE(doubts.has_lasted("a", 1));
  doubts.answered("a");
  EXPECT_EQ(doubts.size(), 0U);
  EXPECT_EQ(doubts.due(kBegin + seconds(60), 10), Runs{});
}

TEST(RuleDoubts, EachRowIsToLackForThatLongSinceItCame) {
  RuleDoubts doubts;
  doubts.note("a", 1, kBegin);
  // A further row does not put the question off, and a row that is noted again has not come again.
  doubts.note("a", 2, kBegin + seconds(2));
  doubts.note("a", 3, kBegin + seconds(4));
  doubts.note("a", 1, kBegin + seconds(4));
  ASSERT_EQ(doubts.due(kBegin + seconds(5), 10), Runs{"a"});
  // It comes while the table is asked.
  doubts.note("a", 4, kBegin + seconds(6));
  EXPECT_TRUE(doubts.has_lasted("a", 1));
  EXPECT_FALSE(doubts.has_lasted("a", 99)) << "of a row that was not noted nothing is known";
  for (const auto row : {2U, 3U, 4U}) EXPECT_FALSE(doubts.has_lasted("a", row)) << row;
  doubts.answered("a");
  // Once for all of them.
  EXPECT_EQ(doubts.next_due(), kBegin + seconds(11));
  ASSERT_EQ(doubts.due(kBegin + seconds(11), 10), Runs{"a"});
  for (const auto row : {2U, 3U, 4U}) EXPECT_TRUE(doubts.has_lasted("a", row)) << row;
  doubts.answered("a");
  EXPECT_EQ(doubts.size(), 0U);
}

TEST(RuleDoubts, AQuestionWithoutAnswerIsAskedAgain) {
  RuleDoubts doubts;
  doubts.note("a", 1, kBegin);
  const auto now = kBegin + RuleDoubts::kLasts;
  ASSERT_EQ(doubts.due(now, 1), Runs{"a"});
  doubts.put_off("a", now);
  EXPECT_EQ(doubts.due(now, 1), Runs{});
  EXPECT_EQ(doubts.due(now + RuleDoubts::kRetry, 1), Runs{"a"});
}

TEST(RuleDoubts, AnAnswerAfterTheyWereForgottenChangesNothing) {
  RuleDoubts doubts;
  doubts.note("a", 1, kBegin);
  ASSERT_EQ(doubts.due(kBegin + RuleDoubts::kLasts, 1), Runs{"a"});
  doubts.clear();
  doubts.answered("a");
  doubts.put_off("a", kBegin);
  EXPECT_EQ(doubts.size(), 0U);
  EXPECT_EQ(doubts.next_due(), Instant::max());
}

TEST(RuleDoubts, WhatIsLeftIsDueAtOnceAndWhatIsNotDueIsKept) {
  RuleDoubts doubts;
  for (const auto* run : {"a", "b", "c"}) doubts.note(run, 1, kBegin);
  doubts.note("d", 1, kBegin + seconds(60));
  const auto now = kBegin + RuleDoubts::kLasts;
  EXPECT_EQ(doubts.due(now, 2), (Runs{"a", "b"}));
  EXPECT_LE(doubts.next_due(), now);
  EXPECT_EQ(doubts.due(now, 2), Runs{"c"});
  EXPECT_EQ(doubts.next_due(), kBegin + seconds(60) + RuleDoubts::kLasts);
  doubts.clear();
  EXPECT_EQ(doubts.size(), 0U);
}

TEST(RuleDoubts, TheyAreBounded) {
  RuleDoubts doubts;
  for (std::size_t i = 0; i < RuleDoubts::kRunsMax + 10; ++i) doubts.note(std::to_string(i), i, kBegin);
  EXPECT_EQ(doubts.size(), RuleDoubts::kRunsMax);
  for (std::size_t i = 0; i < RuleDoubts::kRowsMax; ++i) doubts.note("0", i, kBegin + seconds(1));
  EXPECT_FALSE(doubts.note("0", RuleDoubts::kRowsMax, kBegin));
  EXPECT_TRUE(doubts.note("0", 1, kBegin)) << "it is known";
}

}  // namespace
}  // namespace dupwatch::core::rule_doubts_test
