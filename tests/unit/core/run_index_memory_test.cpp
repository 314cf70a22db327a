#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "daemon/core/run_index.hpp"
#include "tests/unit/core/event_rows.hpp"
#include "tests/unit/core/live_heap.hpp"

namespace dupwatch::core::run_index_memory_test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kRoomy = std::uint64_t{1} << 30U;

TEST(RunIndexMemory, CountsWhatTheAllocatorGave) {
  const auto before = live_heap_bytes();
  RunIndex index(kRoomy, 10s, 1);
  Prng random(1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  std::vector<std::string> names;
  const auto expect_counted = [&] {
    const auto counted = static_cast<double>(index.bytes());
    const auto allocated = static_cast<double>(live_heap_bytes() - before);
    EXPECT_NEAR(counted / allocated, 1.0, 0.1) << counted << " counted, " << allocated << " allocated";
  };
  for (std::uint64_t n = 0; n < 20'000; ++n) {
    const auto name = n % 7 == 0 ? "odd run " + std::to_string(n) : ulid("wrun_", n);
    const auto handle = index.insert_pending(name);
    for (std::uint64_t row = random.below(n % 100 == 0 ? 300 : 12); row != 0; --row) {
      const auto id = ulid("wevt_", n * 1000 + row);
      (void)index.add_row(handle, EventRow{.run_id = name, .id = id, .identity = identity});
    }
    index.complete(handle);
  }
  expect_counted();
  EXPECT_EQ(index.open_runs(), RunIndex::kOpenRunsMax);
  while (index.size() > 10'000) {
    const auto run = index.run_id(index.oldest());
    index.forget(run);
  }
  expect_counted();
}

TEST(RunIndexMemory, PackingALargeRunLeavesNoBufferBehind) {
  const auto before = live_heap_bytes();
  RunIndex index(kRoomy, 10s, 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  for (const std::uint64_t rows : {50'000U, 1U}) {
    const auto name = ulid("wrun_", rows);
    const auto handle = index.insert_pending(name);
    for (std::uint64_t row = 0; row < rows; ++row) {
      const auto id = ulid("wevt_", row * 0x123456789ABULL);
      (void)index.add_row(handle, EventRow{.run_id = name, .id = id, .identity = identity});
    }
    index.complete(handle);
  }
  // One more than may be open.
  for (std::uint64_t n = 0; n < RunIndex::kOpenRunsMax; ++n) {
    index.complete(index.insert_pending(ulid("xrun_", n)));
  }
  const auto counted = static_cast<double>(index.bytes());
  EXPECT_NEAR(counted / static_cast<double>(live_heap_bytes() - before), 1.0, 0.2);
}

TEST(RunIndexMemory, ManyRunsThatWereOpenAtOnceLeaveLittleMemoryBehind) {
  RunIndex index(kRoomy, 10s, 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  std::vector<RunIndex::Handle> runs;
  for (std::uint64_t n = 0; n < 10'000; ++n) {
    const auto name = ulid("wrun_", n);
    runs.push_back(index.insert_pending(name));
    for (std::uint64_t row = 0; row < 8; ++row) {
      const auto id = ulid("wevt_", n * 1000 + row);
      (void)index.add_row(runs.back(), EventRow{.run_id = name, .id = id, .identity = identity});
    }
  }
  const auto of_one = index.open_bytes() / runs.size();
  for (const auto run : runs) index.complete(run);
  EXPECT_EQ(index.open_runs(), RunIndex::kOpenRunsMax);
  // Those that are open, and as many places for the next ones.
  EXPECT_LE(index.open_bytes(), 2 * RunIndex::kOpenRunsMax * of_one);
}

TEST(RunIndexMemory, ARunIsOpenedWhenAllThatWereUsedSinceHaveLeft) {
  // No log but the newest may be open.
  RunIndex index(0, 10s, 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  for (const auto* run : {"a", "b"}) {
    const auto handle = index.insert_pending(run);
    (void)index.add_row(handle, EventRow{.run_id = run, .id = "e", .identity = identity});
    index.complete(handle);
  }
  EXPECT_EQ(index.open_runs(), 1U);
  index.forget("b");
  const auto a = index.find("a");
  index.touch(a);
  EXPECT_EQ(index.log(a).rows(), 1U);
}

TEST(RunIndexMemory, CommitsAreKeptOfRunsThatAFindingToldOf) {
  RunIndex index(0, 10s, 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  const CommitInfo commit{.lsn = decoder::Lsn{8}, .time = {9}, .xid = 7};
  for (const auto* run : {"told", "untold", "newest"}) {
    const auto handle = index.insert_pending(run);
    (void)index.add_row(handle, EventRow{.run_id = run, .id = "e", .identity = identity, .commit = commit});
    index.complete(handle);
    if (std::string(run) == "told") index.keep_commits(handle, RecentCommits{});
  }
  for (const auto* run : {"told", "untold"}) {
    const auto handle = index.find(run);
    index.touch(handle);
    const auto& kept = index.log(handle).row(0).commit;
    const bool told = std::string(run) == "told";
    EXPECT_EQ(kept.xid, 7U);
    EXPECT_EQ(kept.lsn.value, told ? 8U : 0U);
    EXPECT_EQ(kept.time.micros, told ? 9 : 0);
  }
}

TEST(RunIndexMemory, ManyRowsInFewRunsAreNotAllOpen) {
  constexpr std::uint64_t kBound = std::uint64_t{4} << 20U;
  RunIndex index(kBound, 10s, 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  std::vector<RunIndex::Handle> runs;
  for (std::uint64_t n = 0; n < 40; ++n) {
    const auto name = ulid("wrun_", n);
    runs.push_back(index.insert_pending(name));
    for (std::uint64_t row = 0; row < 1000; ++row) {
      const auto id = ulid("wevt_", n * 1000 + row);
      (void)index.add_row(runs.back(), EventRow{.run_id = name, .id = id, .identity = identity});
    }
    index.complete(runs.back());
  }
  EXPECT_EQ(index.size(), 40U);
  EXPECT_LT(index.open_runs(), 10U);
  EXPECT_FALSE(index.over_bound()) << "open logs of 40,000 rows would take 4 MB and more";
  for (const auto run : runs) {
    index.touch(run);
    EXPECT_EQ(index.log(run).rows(), 1000U);
  }
}

}  // namespace
}  // namespace dupwatch::core::run_index_memory_test
