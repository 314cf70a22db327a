#include "daemon/core/repeated_work.hpp"

#include <gtest/gtest.h>

#include "tests/unit/core/watch_fixture.hpp"

namespace dupwatch::core {
namespace {

class RepeatedWorkTest : public WatchTest {
 protected:
  /// Events of one step in the order of their ids, each committed on its own; the run is in memory.
  void play(const std::vector<std::string>& types, const std::string& step = "step_1") {
    for (const auto& type : types) {
      transaction({event(++next, type, type.starts_with("run") ? std::nullopt : std::optional(step))});
      (void)read_back();
    }
  }
  /// Behind what it holds.
  [[nodiscard]] std::uint64_t total() {
    watch.repeated_work().settle(Instant::max());
    return watch.repeated_work().total();
  }
  /// An event of step_1 whose id was made at that millisecond.
  Event made_at(std::uint64_t millis, const std::string& type) {
    constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    auto id = ulid("wevt_", ++next);
    for (auto digit = id.begin() + 15; millis != 0; millis /= 32) *--digit = kDigits[millis % 32];
    return Event{ulid("wrun_", 1), id, {"step_1"}, type};
  }
  /// What counts when a retry is made so many milliseconds after the second start of a step.
  std::uint64_t with_retry(std::uint64_t later) {
    play({"run_created", "step_created"});
    transaction({made_at(5'000, "step_started")});
    transaction({made_at(6'000, "step_started")});
    transaction({made_at(6'000 + later, "step_retrying")});
    return total();
  }

  std::uint64_t next = 0;
};

INSTANTIATE_TEST_SUITE_P(Plugins, RepeatedWorkTest,
                         ::testing::Values(decoder::Plugin::kWal2json, decoder::Plugin::kPgoutput),
                         plugin_name);

TEST_P(RepeatedWorkTest, AStepThatIsBegunOnceIsNone) {
  play({"run_created", "run_started", "step_created", "step_started", "step_completed"});
  EXPECT_EQ(total(), 0U);
}

TEST_P(RepeatedWorkTest, EachRecordedRetryExplainsOneMoreStart) {
  play({"run_created", "step_created", "step_started", "step_retrying", "step_started", "step_retrying",
        "step_started", "step_completed"});
  EXPECT_EQ(total(), 0U);
}

TEST_P(RepeatedWorkTest, ASecondStartWithoutARetryIsOne) {
  play({"run_created", "step_created", "step_started", "step_started"});
  ASSERT_EQ(total(), 1U);
  const auto told = watch.repeated_work().take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].run_id, ulid("wrun_", 1));
  EXPECT_EQ(told[0].correlation_id, "step_1");
  EXPECT_EQ(told[0].event_id, ulid("wevt_", 4));
  EXPECT_EQ(told[0].starts, 2U);
  EXPECT_EQ(told[0].retries, 0U);
  EXPECT_FALSE(told[0].after_close);
  EXPECT_TRUE(told[0].commit.lsn.valid());
  EXPECT_EQ(repeated_text(told[0]), "begun 2 times with 0 retries recorded");
  EXPECT_TRUE(watch.repeated_work().take().empty());
  EXPECT_TRUE(findings().empty()) << "it is no finding";
}

TEST_P(RepeatedWorkTest, OneRetryDoesNotExplainThreeStarts) {
  play({"run_created", "step_created", "step_started", "step_retrying", "step_started", "step_started",
        "step_started"});
  EXPECT_EQ(total(), 2U);
}

TEST_P(RepeatedWorkTest, AStartAfterTheResultIsOne) {
  play({"run_created", "step_created", "step_started", "step_completed", "step_started"});
  ASSERT_EQ(total(), 1U);
  EXPECT_TRUE(watch.repeated_work().kept().front().after_close);
}

TEST_P(RepeatedWorkTest, StepsDoNotExplainOneAnother) {
  play({"run_created", "step_created", "step_started"});
  play({"step_created", "step_started", "step_retrying"}, "step_2");
  play({"step_started"});
  EXPECT_EQ(total(), 1U);
}

TEST_P(RepeatedWorkTest, ARunThatIsReadBackIsJudgedByWhatTheStreamBrought) {
  play({"run_created", "step_created", "step_started"});
  evict_all();
  play({"step_started"});
  EXPECT_EQ(total(), 1U);
  // What was told before it left memory is not told again.
  evict_all();
  play({"step_completed"});
  EXPECT_EQ(total(), 1U);
}

TEST_P(RepeatedWorkTest, TheFirstStartOfARunThatWaitsForItsReadBackIsNone) {
  transaction({event(1, "step_created"), event(2, "step_started"), event(3, "step_started")});
  (void)read_back();
  EXPECT_EQ(total(), 1U);
}

TEST_P(RepeatedWorkTest, ARedeliveryIsNone) {
  play({"run_created", "step_created", "step_started", "step_started"});
  start(0x1000);
  transaction({event(3, "step_started"), event(4, "step_started")});
  (void)read_back();
  evict_all();
  start(0x1000);
  transaction({event(4, "step_started")});
  (void)read_back();
  EXPECT_EQ(total(), 1U);
}

TEST_P(RepeatedWorkTest, AStartCountsOnceItWasHeld) {
  play({"run_created", "step_created", "step_started", "step_started"});
  watch.repeated_work().settle(now + RepeatedWork::kPatience - 1ms);
  EXPECT_EQ(watch.repeated_work().total(), 0U);
  watch.repeated_work().settle(now + RepeatedWork::kPatience);
  EXPECT_EQ(watch.repeated_work().total(), 1U);
}

TEST_P(RepeatedWorkTest, ARetryThatWasBeingRecordedExplainsAStart) {
  play({"run_created", "step_created"});
  transaction({made_at(5'000, "step_started")});
  transaction({made_at(6'000, "step_started")});
  // Made before the start, and at the edge behind it; one retry explains one start.
  transaction({made_at(5'990, "step_retrying")});
  EXPECT_EQ(total(), 0U);
  transaction({made_at(7'000, "step_started")});
  transaction({made_at(7'001, "step_started")});
  transaction({made_at(7'000 + RepeatedWork::kRaceMillis, "step_retrying")});
  EXPECT_EQ(total(), 1U);
}

TEST_P(RepeatedWorkTest, ARetryAtTheEdgeExplainsAStart) {
  EXPECT_EQ(with_retry(RepeatedWork::kRaceMillis), 0U);
}

TEST_P(RepeatedWorkTest, ALaterFailureExplainsNothing) {
  EXPECT_EQ(with_retry(RepeatedWork::kRaceMillis + 1), 1U);
}

TEST_P(RepeatedWorkTest, ARetryOfARunThatWasPackedMeanwhileExplainsAStart) {
  const auto step = ulid("step_", 1);
  play({"run_created", "step_created", "step_started", "step_started"}, step);
  for (std::size_t other = 0; other < RunIndex::kOpenRunsMax + 10; ++other) {
    transaction({event(1, "run_created", std::nullopt, ulid("wrun_", 100 + other))});
    (void)read_back();
  }
  play({"step_retrying"}, step);
  EXPECT_EQ(total(), 0U);
}

TEST_P(RepeatedWorkTest, ARetryOfAnotherStepOrRunExplainsNothing) {
  play({"run_created", "step_created", "step_started", "step_started"});
  play({"step_created", "step_started", "step_retrying"}, "step_2");
  transaction({event(1, "step_created", "step_1", ulid("wrun_", 2)),
               event(2, "step_retrying", "step_1", ulid("wrun_", 2))});
  (void)read_back();
  EXPECT_EQ(total(), 1U);
}

TEST_P(RepeatedWorkTest, OfTooManyTheOldestCountsAtOnce) {
  play({"run_created", "step_created", "step_started"});
  for (std::size_t i = 0; i < RepeatedWork::kHeldMax + 3; ++i) play({"step_started"});
  EXPECT_EQ(watch.repeated_work().total(), 3U);
  EXPECT_EQ(total(), RepeatedWork::kHeldMax + 3);
}

TEST_P(RepeatedWorkTest, ManyAreCountedAndTheLastOnesKept) {
  play({"run_created", "step_created", "step_started"});
  for (std::size_t i = 0; i < RepeatedWork::kKeptMax + 20; ++i) play({"step_started"});
  EXPECT_EQ(total(), RepeatedWork::kKeptMax + 20);
  EXPECT_EQ(watch.repeated_work().kept().size(), RepeatedWork::kKeptMax);
}

TEST(RepeatedWork, AProfileWithoutStepsHasNone) {
  Profile profile;
  const RepeatedWork work(profile);
  for (unsigned type = 0; type < 3; ++type) {
    EXPECT_FALSE(work.wants(static_cast<std::uint8_t>(type), ~std::uint64_t{0}, ~std::uint64_t{0}));
  }
}

}  // namespace
}  // namespace dupwatch::core
