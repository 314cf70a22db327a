#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/watch_fixture.hpp"

/// Which generation of the engine the watch takes a run for.
namespace dupwatch::core::watch_engine_test {
namespace {

class EngineTest : public WatchTest {
 protected:
  EngineTest() {
    watch.set_auto_engines(
        {.ulids = Engine::kV5BeforeClassSkip, .slots = Engine::kV5, .by_run = SpecSource::kEvents});
  }
  static std::string run(std::uint64_t number) { return ulid("wrun_", number); }
  /// Harmless for 5.x that skips repeated events of a class, fatal before.
  static std::vector<Event> damaged(const std::string& run, bool slots) {
    std::vector<Event> rows;
    std::uint64_t n = 0;
    for (const char* type : {"step_created", "step_completed", "step_completed"}) {
      rows.push_back(Event{run, slots ? slot_id(++n) : ulid("wevt_", ++n), {"step_1"}, type});
    }
    return rows;
  }
  /// The stream brings it, and no other session sees it yet.
  Lsn unseen(const std::vector<Event>& rows) {
    begin();
    for (const auto& row : rows) send(row);
    return commit();
  }
  void wait(Instant::duration time) {
    now += time;
    while (watch.judge_on(now)) continue;
  }
  [[nodiscard]] std::uint64_t judged(Engine engine, EngineFrom from) const {
    return watch.counters()
        .runs_by_engine.at(static_cast<std::size_t>(engine))
        .at(static_cast<std::size_t>(from));
  }
};

INSTANTIATE_TEST_SUITE_P(Plugins, EngineTest,
                         ::testing::Values(decoder::Plugin::kWal2json, decoder::Plugin::kPgoutput),
                         plugin_name);

TEST_P(EngineTest, IsTheOneThatTheRunsOwnRowsSay) {
  specs = {{run(1), 3}, {run(2), 8}, {run(3), 5}, {run(5), 7}};
  for (std::uint64_t i = 1; i <= 4; ++i) transaction(damaged(run(i), i == 2));
  transaction({event(1, "run_created", std::nullopt, run(5))});
  EXPECT_EQ(read_back().size(), 5U);
  std::map<std::string, std::string> told;
  for (const auto& finding : findings()) {
    told[finding.run_id] +=
        std::string(to_string(finding.rule)) + " " + std::string(to_string(finding.severity)) + " " +
        std::string(to_string(finding.engine)) + " " + std::string(to_string(finding.engine_from));
  }
  EXPECT_EQ(told,
            (std::map<std::string, std::string>{{run(1), "second_terminal fatal v4 run"},
                                                {run(2), "second_terminal harmless v5 run"},
                                                {run(3), "second_terminal fatal v5-before-class-skip run"},
                                                {run(4), "second_terminal fatal v5-before-class-skip log"},
                                                {run(5), "id_scheme fatal v5 run"}}));
  EXPECT_EQ(judged(Engine::kV4, EngineFrom::kRun), 1U);
  EXPECT_EQ(judged(Engine::kV5, EngineFrom::kRun), 2U);
  EXPECT_EQ(judged(Engine::kV5BeforeClassSkip, EngineFrom::kRun), 1U);
  EXPECT_EQ(judged(Engine::kV5BeforeClassSkip, EngineFrom::kLog), 1U);
}

TEST_P(EngineTest, IsKnownOfRowsThatComeLater) {
  specs = {{run(1), 3}};
  const auto rows = damaged(run(1), false);
  transaction({rows[0], rows[1]});
  EXPECT_EQ(read_back().size(), 1U);
  transaction({rows[2]});
  EXPECT_TRUE(read_back().empty()) << "nothing is asked for rows of a run that is known";
  const auto told = findings();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].engine, Engine::kV4);
  EXPECT_EQ(told[0].engine_from, EngineFrom::kRun);
}

TEST_P(EngineTest, IsAskedForAgainUntilTheTableShowsTheRun) {
  specs = {{run(1), 8}};
  const auto rows = damaged(run(1), true);
  const auto before = confirmed();
  const auto end = unseen(rows);
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_TRUE(read_back().empty()) << "not at once";
  EXPECT_EQ(confirmed(), before) << "nothing is judged by a guess";
  EXPECT_TRUE(kept.empty());
  EXPECT_LE(watch.next_judging(now), now + ReadBackQueue::kAgainAfter);
  // Another run meanwhile.
  const auto later = transaction({event(1, "run_created", std::nullopt, run(2))});
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_EQ(confirmed(), before) << "the later transaction waits for the earlier one";
  table.insert(table.end(), rows.begin(), rows.end());
  wait(ReadBackQueue::kAgainAfter);
  EXPECT_EQ(read_back(), std::vector{run(1)});
  EXPECT_GT(later, end);
  EXPECT_EQ(confirmed(), later);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].severity, Severity::kHarmless);
  EXPECT_EQ(watch.next_judging(now), Instant::max());
  EXPECT_EQ(watch.pending_runs(), 0U);
}

TEST_P(EngineTest, IsThatOfTheLogWhenTheTableNeverShowsTheRun) {
  const auto end = unseen(damaged(run(1), false));
  std::size_t asked = 0;
  const auto began = now;
  for (; watch.pending_runs() != 0; ++asked) {
    ASSERT_LE(asked, ReadBackQueue::kAgainMax);
    if (asked != 0) wait(watch.next_judging(now) - now);
    EXPECT_EQ(read_back().size(), 1U);
  }
  EXPECT_GE(now - began, 2s);
  EXPECT_LE(now - began, 3s);
  EXPECT_GE(asked, ReadBackQueue::kAgainMax);
  EXPECT_EQ(confirmed(), end);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].engine_from, EngineFrom::kLog);
  // It may be there with its next event.
  EXPECT_EQ(watch.index().size(), 0U);
}

TEST_P(EngineTest, ATableThatShowsNothingHoldsNoPositionForEver) {
  auto before = confirmed();
  std::uint64_t moved = 0;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    unseen({event(1, "run_created", std::nullopt, run(i))});
    wait(50ms);
    while (!read_back().empty()) continue;
    const auto at = confirmed();
    moved += at != before;
    before = at;
  }
  EXPECT_GE(moved, 3U) << "in 10 s";
}

TEST_P(EngineTest, IsNotAskedForAgainWhereARowHasNoSpecVersion) {
  transaction(damaged(run(1), false));
  EXPECT_EQ(read_back().size(), 1U);
  wait(10s);
  transaction({event(9, "step_created", "step_2", run(1))});
  EXPECT_TRUE(read_back().empty());
  EXPECT_EQ(watch.counters().read_backs, 1U);
  ASSERT_EQ(findings().size(), 1U);
  EXPECT_EQ(watch.index().size(), 1U);
}

TEST_P(EngineTest, IsNotAskedForWhereRunsSayNothingOfIt) {
  watch.set_auto_engines({.slots = Engine::kV5});
  unseen(damaged(run(1), false));
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_EQ(watch.pending_runs(), 0U);
  EXPECT_EQ(watch.index().size(), 1U);
  EXPECT_EQ(findings().size(), 1U);
}

TEST_P(EngineTest, ARunThatIsAskedForAgainIsForgottenWithItsStream) {
  unseen(damaged(run(1), false));
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_EQ(watch.pending_runs(), 1U);
  watch.forget_rows();
  EXPECT_EQ(watch.pending_runs(), 0U);
  EXPECT_EQ(watch.index().size(), 0U);
  wait(1s);
  EXPECT_TRUE(read_back().empty());
  // And comes again with the next one.
  start(lsn);
  specs = {{run(1), 3}};
  const auto end = transaction(damaged(run(1), false));
  EXPECT_EQ(read_back().size(), 1U);
  EXPECT_EQ(confirmed(), end);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].engine, Engine::kV4);
}

}  // namespace
}  // namespace dupwatch::core::watch_engine_test
