#include "daemon/core/run_index.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::run_index_test {
namespace {

using namespace std::chrono_literals;
using oracle::Event;

constexpr std::uint64_t kRoomy = std::uint64_t{1} << 30U;
/// Before any run is in it.
const std::uint64_t kEmptyBytes = RunIndex(0, 0ms, 1).bytes();
Instant at(std::chrono::milliseconds time) {
  return Instant{} + std::chrono::hours{1} + time;
}

class RunIndexTest : public ::testing::Test {
 protected:
  RunIndex::Handle add_complete(const std::string& run_id) {
    const auto handle = index.insert_pending(run_id);
    add_row(handle, run_id, ulid("wevt_", 1));
    index.complete(handle);
    return handle;
  }
  void add_row(RunIndex::Handle handle, const std::string& run_id, const std::string& id) {
    const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
    (void)index.add_row(handle, EventRow{.run_id = run_id, .id = id, .identity = identity});
  }
  RunIndex index{kRoomy, 10s, 42};
};

TEST_F(RunIndexTest, FindsRunsWhoseIdsCanAndCannotBePacked) {
  const std::vector<std::string> ids = {
      ulid("wrun_", 1), ulid("wrun_", 2), "", "short", ulid("xrun_", 1), "wrun_01jz00000000000000000000aa"};
  std::vector<RunIndex::Handle> handles;
  for (const auto& id : ids) {
    EXPECT_EQ(index.find(id), RunIndex::kNone);
    handles.push_back(index.insert_pending(id));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(index.find(ids[i]), handles[i]);
    EXPECT_EQ(index.run_id(handles[i]), ids[i]);
  }
  EXPECT_EQ(index.size(), ids.size());
}

TEST_F(RunIndexTest, TheGenerationOfARunSurvivesPacking) {
  const auto own = [](std::size_t i) {
    return i == kEngines ? std::nullopt : std::optional(static_cast<Engine>(i));
  };
  std::vector<RunIndex::Handle> handles;
  for (std::size_t i = 0; i <= kEngines; ++i) {
    const auto id = ulid("wrun_", i);
    handles.push_back(index.insert_pending(id));
    add_row(handles.back(), id, ulid("wevt_", 1));
    index.shown(handles.back(), 0, own(i));
    index.complete(handles.back());
  }
  for (std::size_t i = 0; i < 2 * RunIndex::kOpenRunsMax; ++i) add_complete(ulid("wrun_", 100 + i));
  for (std::size_t i = 0; i <= kEngines; ++i) {
    EXPECT_EQ(index.own_engine(handles[i]), own(i));
    index.touch(handles[i]);
    EXPECT_EQ(index.log(handles[i]).own_engine(), own(i));
  }
}

TEST_F(RunIndexTest, TheEventThatEndsARunIsNotTakenIntoAPackedLog) {
  const auto run = ulid("wrun_", 1);
  const auto step = ulid("step_", 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of(step)};
  const auto handle = index.insert_pending(run);
  const auto first = ulid("wevt_", 1);
  (void)index.add_row(handle, EventRow{.run_id = run, .id = first, .identity = identity});
  index.complete(handle);
  for (std::size_t i = 0; i < 2 * RunIndex::kOpenRunsMax; ++i) add_complete(ulid("wrun_", 100 + i));
  const auto id = ulid("wevt_", 2);
  EventRow row{.run_id = run, .id = id, .identity = identity};
  EXPECT_TRUE(index.peek(handle, row)) << "any other is";
  row.ends_run = true;
  EXPECT_FALSE(index.peek(handle, row)) << "nothing in a packed log says that the run is over";
}

TEST_F(RunIndexTest, AnEndedRunLeavesAfterItsGraceAndNotBefore) {
  const auto handle = add_complete("r");
  EXPECT_EQ(index.next_expiry(), Instant::max());
  index.end_run(handle, at(0s));
  index.end_run(handle, at(5s));  // a second terminal event does not prolong it
  EXPECT_EQ(index.next_expiry(), at(10s));
  index.evict(at(9999ms));
  EXPECT_EQ(index.find("r"), handle);
  index.evict(at(10s));
  EXPECT_EQ(index.find("r"), RunIndex::kNone);
  EXPECT_EQ(index.next_expiry(), Instant::max());
  EXPECT_EQ(index.evictions()[static_cast<std::size_t>(Eviction::kRunEnded)], 1U);
  EXPECT_EQ(index.rows(), 0U);
}

TEST_F(RunIndexTest, AnEndedRunThatIsPendingStaysAndGetsANewGrace) {
  const auto handle = index.insert_pending("r");
  index.end_run(handle, at(0s));
  index.evict(at(10s));
  EXPECT_EQ(index.find("r"), handle);
  EXPECT_EQ(index.next_expiry(), at(20s));
  index.complete(handle);
  index.evict(at(20s));
  EXPECT_EQ(index.find("r"), RunIndex::kNone);
}

TEST_F(RunIndexTest, TheEndOfARunThatLeftDoesNotEndTheRunThatTookItsPlace) {
  const auto ended = add_complete("ended");
  index.end_run(ended, at(0s));
  index.clear_complete();
  const auto next = add_complete("next");
  EXPECT_EQ(next, ended) << "the place is used again";
  index.evict(at(10s));
  EXPECT_EQ(index.find("next"), next);
  EXPECT_FALSE(index.ended(next));
  EXPECT_EQ(index.log(next).rows(), 1U);
}

TEST_F(RunIndexTest, ClearForgetsCompleteRunsAndKeepsPendingOnes) {
  (void)add_complete("a");
  (void)add_complete("b");
  const auto pending = index.insert_pending("c");
  index.clear_complete();
  EXPECT_EQ(index.find("a"), RunIndex::kNone);
  EXPECT_EQ(index.find("b"), RunIndex::kNone);
  EXPECT_EQ(index.find("c"), pending);
  EXPECT_EQ(index.evictions()[static_cast<std::size_t>(Eviction::kInvalidated)], 2U);
}

TEST_F(RunIndexTest, ForgetTakesOneCompleteRunAndNoPendingOne) {
  (void)add_complete("a");
  const auto b = add_complete("b");
  const auto pending = index.insert_pending("c");
  for (const auto* run : {"a", "c", "unknown", "a"}) index.forget(run);
  EXPECT_EQ(index.find("a"), RunIndex::kNone);
  EXPECT_EQ(index.find("b"), b);
  EXPECT_EQ(index.find("c"), pending) << "its read-back is under way";
  EXPECT_EQ(index.rows(), 1U);
  EXPECT_EQ(index.evictions()[static_cast<std::size_t>(Eviction::kInvalidated)], 1U);
}

TEST_F(RunIndexTest, AnEndedRunThatWasForgottenIsNotEndedWhenItComesBack) {
  index.end_run(add_complete("a"), at(0s));
  index.forget("a");
  const auto again = add_complete("a");
  index.evict(at(10s));
  EXPECT_EQ(index.find("a"), again);
}

TEST(RunIndexBound, TheLeastRecentlyUsedRunsGoFirstAndPendingOnesNever) {
  RunIndex index(kEmptyBytes + 20'000, 10s, 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  const auto pending = index.insert_pending("pending");
  std::vector<std::string> names;
  while (!index.over_bound()) {
    names.push_back(ulid("wrun_", names.size()));
    const auto handle = index.insert_pending(names.back());
    (void)index.add_row(handle, EventRow{.run_id = names.back(), .id = "e", .identity = identity});
    index.complete(handle);
  }
  ASSERT_GE(names.size(), 20U);
  index.touch(index.find(names[0]));
  index.evict(at(0s));
  EXPECT_FALSE(index.over_bound());
  EXPECT_EQ(index.find("pending"), pending);
  EXPECT_NE(index.find(names[0]), RunIndex::kNone);
  EXPECT_EQ(index.find(names[1]), RunIndex::kNone);
  std::size_t gone = 1;
  while (index.find(names[gone]) == RunIndex::kNone) ++gone;
  EXPECT_LT(gone, 8U) << "a few make room for one";
  for (auto n = gone; n < names.size(); ++n) EXPECT_NE(index.find(names[n]), RunIndex::kNone) << n;
}

TEST(RunIndexBound, PlacesOfRunsThatLeftStillCount) {
  RunIndex index(kRoomy, 10s, 1);
  for (std::uint64_t n = 0; n < 500; ++n) index.complete(index.insert_pending(ulid("wrun_", n)));
  const auto full = index.bytes();
  index.clear_complete();
  EXPECT_EQ(index.bytes(), full) << "no row was in them; the places are kept for runs to come";
  for (std::uint64_t n = 500; n < 1000; ++n) index.complete(index.insert_pending(ulid("wrun_", n)));
  EXPECT_EQ(index.bytes(), full);
}

}  // namespace
}  // namespace dupwatch::core::run_index_test
