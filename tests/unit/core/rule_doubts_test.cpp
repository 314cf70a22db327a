#include "daemon/core/rule_doubts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dupwatch::core::rule_doubts_test {
namespace {

using std::chrono::seconds;
using Runs = std::vector<std::string>;

constexpr Instant kBegin{};

TEST(RuleDoubts, ARunIsAskedAboutOnceAndWhenItHasLasted) {
  RuleDoubts doubts;
  EXPECT_EQ(doubts.next_due(), Instant::max());
  doubts.note("a", kBegin);
  // A further row that lacks something does not put the question off.
  doubts.note("a", kBegin + seconds(3));
  EXPECT_EQ(doubts.next_due(), kBegin + RuleDoubts::kLasts);
  EXPECT_EQ(doubts.due(kBegin + seconds(4), 10), Runs{});
  EXPECT_EQ(doubts.due(kBegin + RuleDoubts::kLasts, 10), Runs{"a"});
  EXPECT_EQ(doubts.next_due(), Instant::max());
  EXPECT_EQ(doubts.due(kBegin + seconds(60), 10), Runs{});
}

TEST(RuleDoubts, AQuestionWithoutAnswerIsAskedAgain) {
  RuleDoubts doubts;
  doubts.note("a", kBegin);
  const auto now = kBegin + RuleDoubts::kLasts;
  ASSERT_EQ(doubts.due(now, 1), Runs{"a"});
  doubts.put_off("a", now);
  EXPECT_EQ(doubts.due(now, 1), Runs{});
  EXPECT_EQ(doubts.due(now + RuleDoubts::kRetry, 1), Runs{"a"});
}

TEST(RuleDoubts, WhatIsLeftIsDueAtOnceAndWhatIsNotDueIsKept) {
  RuleDoubts doubts;
  for (const auto* run : {"a", "b", "c"}) doubts.note(run, kBegin);
  doubts.note("d", kBegin + seconds(60));
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
  for (std::size_t i = 0; i < RuleDoubts::kRunsMax + 10; ++i) doubts.note(std::to_string(i), kBegin);
  EXPECT_EQ(doubts.size(), RuleDoubts::kRunsMax);
}

}  // namespace
}  // namespace dupwatch::core::rule_doubts_test
