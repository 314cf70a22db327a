#include <cstdint>
#include <optional>
#include <string>

#include "tests/unit/core/watch_fixture.hpp"

/// Long runs take turns, and of their logs one fits into memory open: rows wait for one another, but where
/// nothing came before not past their commit, and what waits is never confirmed.
namespace dupwatch::core {
namespace {

constexpr std::uint64_t kRuns = 3;
/// Rows of each: far more than a packed log takes without being opened.
constexpr std::uint64_t kLong = 300;

class DeferredTest : public WatchTest {
 protected:
  /// An eighth of it is for open logs.
  DeferredTest() : WatchTest(256 << 10U) {
    for (std::uint64_t run = 1; run <= kRuns; ++run) {
      for (std::uint64_t n = 0; n < kLong; ++n) transaction({row(run, ulid("step_", n))});
      read_back();
    }
    pass();
    EXPECT_TRUE(findings().empty());
    EXPECT_EQ(watch.index().rows(), kRuns * kLong);
  }
  Event row(std::uint64_t run, const std::string& identity) {
    ++id_;
    return event(id_, "step_created", identity, ulid("wrun_", run));
  }
  /// A second row of an identity.
  Lsn duplicate(std::uint64_t run) { return transaction({row(run, ulid("step_", 1))}); }
  /// Longer than any pause.
  void pass() {
    now += 1min;
    while (watch.judge_on(now)) continue;
  }

 private:
  std::uint64_t id_ = 1000;
};
INSTANTIATE_TEST_SUITE_P(Plugins, DeferredTest,
                         ::testing::Values(decoder::Plugin::kPgoutput, decoder::Plugin::kWal2json),
                         plugin_name);

TEST_P(DeferredTest, ARowIsJudgedAtItsCommitWhereNoneCameBefore) {
  const auto end = duplicate(1);
  EXPECT_EQ(findings().size(), 1U);
  EXPECT_EQ(confirmed(), end);
  EXPECT_EQ(watch.next_judging(now), Instant::max());
}

TEST_P(DeferredTest, RowsInTurnWaitAndHoldThePosition) {
  const auto first = duplicate(1);
  EXPECT_EQ(findings().size(), 1U);
  const auto second = duplicate(2);
  EXPECT_TRUE(findings().empty());
  EXPECT_EQ(confirmed(), first);
  EXPECT_TRUE(watch.may_read());
  const auto next = watch.next_judging(now);
  EXPECT_GT(next, now);
  EXPECT_LT(next, now + 1ms);
  // Nothing that comes meanwhile moves it.
  receive(walsender::Frames::keepalive(second.value + 0x10));
  EXPECT_EQ(confirmed(), first);
  now = next;
  EXPECT_FALSE(watch.judge_on(now));
  EXPECT_EQ(findings().size(), 1U);
  EXPECT_EQ(confirmed(), second);
}

TEST_P(DeferredTest, ManyRowsInTurnAreFoundByOpeningEachRunOnce) {
  (void)duplicate(1);
  (void)findings();
  const auto before = rows_looked_at();
  constexpr std::uint64_t kTurns = 50;
  for (std::uint64_t n = 0; n < kTurns; ++n) {
    for (std::uint64_t run = 1; run <= kRuns; ++run) (void)duplicate(run);
  }
  pass();
  EXPECT_LT(rows_looked_at() - before, 12 * kRuns * kLong);
  std::size_t found = findings().size();
  EXPECT_EQ(found, kTurns * kRuns);
}

TEST_P(DeferredTest, ARunThatIsForgottenMeanwhileIsReadBack) {
  const auto first = duplicate(1);
  const auto second = duplicate(2);
  evict_all();
  EXPECT_EQ(confirmed(), first);
  now += 1min;
  EXPECT_FALSE(watch.judge_on(now));
  EXPECT_EQ(confirmed(), first);
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", 2)});
  EXPECT_EQ(confirmed(), second);
  EXPECT_EQ(kept.size(), 2U);
}

TEST_P(DeferredTest, WhatWaitsIsForgottenWithTheStreamThatBringsItAgain) {
  const auto first = duplicate(1);
  (void)duplicate(2);
  EXPECT_EQ(confirmed(), first);
  watch.forget_rows();
  pass();
  EXPECT_EQ(kept.size(), 1U);
  EXPECT_EQ(confirmed(), first);
  EXPECT_EQ(watch.next_judging(now), Instant::max());
  EXPECT_FALSE(watch.next_read_back());
}

TEST_P(DeferredTest, WhatElseIsJudgedMeanwhileDoesNotMoveThePosition) {
  const auto first = duplicate(1);
  (void)duplicate(2);
  // A new run is read back and judged.
  const auto end = transaction({row(kRuns + 1, "step_1")});
  EXPECT_EQ(read_back(), std::vector<std::string>{ulid("wrun_", kRuns + 1)});
  EXPECT_EQ(confirmed(), first);
  pass();
  EXPECT_EQ(confirmed(), end);
}

TEST_P(DeferredTest, WhatWaitsIsJudgedBeforeTheTableIsTruncated) {
  (void)duplicate(1);
  (void)duplicate(2);
  EXPECT_EQ(findings().size(), 1U);
  begin();
  receive(frames.truncate(lsn, xid));
  (void)commit();
  EXPECT_EQ(findings().size(), 1U);
}

TEST_P(DeferredTest, NoMoreIsReadAtTheBoundThatIsFourMegabytes) {
  (void)duplicate(1);
  EXPECT_EQ(findings().size(), 1U);
  begin();
  const std::string text(10'000, 'x');
  std::size_t rows = 0;
  for (; watch.may_read(); ++rows) insert(row(2 + rows % 2, text));
  EXPECT_GT(rows, 410U);
  EXPECT_LT(rows, 425U);
  EXPECT_TRUE(findings().empty());
  EXPECT_EQ(watch.next_judging(now), now);
  while (watch.judge_on(now)) continue;
  // What had to leave the memory meanwhile is read back.
  read_back();
  EXPECT_TRUE(watch.may_read());
  EXPECT_EQ(findings().size(), rows - 2);
}

}  // namespace
}  // namespace dupwatch::core
