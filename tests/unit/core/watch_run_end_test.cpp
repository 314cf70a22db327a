#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/core/watch_fixture.hpp"

namespace dupwatch::core::watch_run_end_test {
namespace {

const std::string kRun = ulid("wrun_", 1);

using RunEndTest = WatchTest;
INSTANTIATE_TEST_SUITE_P(Plugins, RunEndTest,
                         ::testing::Values(decoder::Plugin::kWal2json, decoder::Plugin::kPgoutput),
                         plugin_name);

TEST_P(RunEndTest, TheEndOfAColdRunTellsItsFindingsAsOfAnEndedRun) {
  (void)transaction({event(1), event(2)});
  (void)read_back();
  ASSERT_EQ(findings().size(), 1U);
  evict_all();
  (void)transaction({event(3, "run_completed", std::nullopt)});
  EXPECT_EQ(read_back(), std::vector<std::string>{kRun});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].change, FindingChange::kChanged);
  EXPECT_EQ(found[0].state, FindingState::kRunEnded);
  EXPECT_EQ(open(Rule::kDuplicateCreated, Severity::kHarmless), 0U);
}

TEST_P(RunEndTest, AFailureBehindAFatalFindingIsALostRunAlsoWhenItsCauseIsReadBack) {
  table = {event(1), event(2, "step_completed"), event(3)};
  (void)transaction({event(4, "run_failed", std::nullopt)});
  (void)read_back();
  const auto found = findings();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].rule, Rule::kRunLost);
  EXPECT_EQ(found[1].severity, Severity::kFatal);
  EXPECT_EQ(found[1].state, FindingState::kRunEnded);
  EXPECT_EQ(found[1].duplicate.xid, xid);
}

TEST_P(RunEndTest, WhatIsCreatedAfterTheEndIsHarmlessAndWhatEndsThenIsNothing) {
  (void)transaction({event(1), event(2, "run_completed", std::nullopt)});
  (void)read_back();
  (void)transaction({event(3, "step_completed"), event(4, "run_cancelled", std::nullopt)});
  EXPECT_TRUE(findings().empty());
  (void)transaction({event(5, "hook_created", "hook_1")});
  const auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rule, Rule::kAfterRunEnd);
  EXPECT_EQ(found[0].severity, Severity::kHarmless);
  EXPECT_EQ(found[0].state, FindingState::kRunEnded);
}

/// A ULID of that many milliseconds.
std::string id_at(std::uint64_t millis) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string time(10, '0');
  for (auto i = time.size(); millis != 0; millis /= 32) time[--i] = kDigits[millis % 32];
  return "wevt_" + time + "0000000000000001";
}

TEST_P(RunEndTest, AnEventBehindTheNewestIdOfItsRunIsACommitOrderInversion) {
  const auto at = [](std::uint64_t millis) {
    return Event{kRun, id_at(millis), {"c" + std::to_string(millis)}, "step_created"};
  };
  (void)transaction({at(1'763'000'000'500)});
  (void)read_back();
  const auto& inversions = watch.counters().commit_order_inversion;
  const auto count = [&] {
    std::uint64_t all = 0;
    for (const auto bucket : inversions.buckets) all += bucket;
    return all;
  };
  (void)transaction({at(1'763'000'001'000)});
  EXPECT_EQ(count(), 0U) << "in order";
  (void)transaction({at(1'763'000'000'852)});
  EXPECT_EQ(count(), 1U);
  EXPECT_DOUBLE_EQ(inversions.sum_seconds, 0.148);
  --xid;  // The same transaction once more.
  (void)transaction({at(1'763'000'000'852)});
  EXPECT_EQ(count(), 1U) << "a redelivery is none";
  (void)transaction({at(1'763'000'000'852)});
  EXPECT_EQ(count(), 1U) << "nor is a row that was put back";
  (void)transaction({Event{kRun, slot_id(1), {"d"}, "step_created"}});
  EXPECT_EQ(count(), 1U) << "a slot number has no time";
}

}  // namespace
}  // namespace dupwatch::core::watch_run_end_test
