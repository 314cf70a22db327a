#include "daemon/core/run_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "daemon/core/backoff.hpp"

namespace dupwatch::core {
namespace {

constexpr std::uint32_t kGreatest = 0xFFFFFFFF;

/// All runs that find() offers for a hash.
std::set<std::uint32_t> offered(const RunTable& table, std::uint32_t hash) {
  std::set<std::uint32_t> runs;
  EXPECT_EQ(table.find(hash,
                       [&](std::uint32_t run) {
                         runs.insert(run);
                         return false;
                       }),
            RunTable::kNone);
  return runs;
}

/// Runs come and go with hashes that `hash` draws; the table holds what the model holds.
template <typename Hash>
void expect_like_the_model(std::uint64_t seed, std::uint32_t runs, Hash hash) {
  Prng random(seed);
  RunTable table;
  std::map<std::uint32_t, std::set<std::uint32_t>> model;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> there;
  for (std::uint32_t step = 0; step < 2 * runs; ++step) {
    // It grows at first, and then shrinks.
    if (there.empty() || random.below(10) < (step < runs ? 8U : 2U)) {
      there.emplace_back(step, hash(random));
      table.insert(step, there.back().second);
      model[there.back().second].insert(step);
    } else {
      std::swap(there[random.below(there.size())], there.back());
      const auto [run, of_run] = there.back();
      there.pop_back();
      table.erase(run, of_run);
      model[of_run].erase(run);
    }
    if (step % 64 != 0) continue;
    const auto asked = hash(random);
    ASSERT_EQ(offered(table, asked), model[asked]) << asked << " at " << step;
  }
  for (const auto& [asked, expected] : model) ASSERT_EQ(offered(table, asked), expected) << asked;
}

TEST(RunTable, HoldsWhatWasPutIn) {
  expect_like_the_model(1, 20'000, [](Prng& random) { return static_cast<std::uint32_t>(random.next()); });
}

TEST(RunTable, ManyRunsOfFewHashesCrowdEachOther) {
  expect_like_the_model(
      2, 4000, [](Prng& random) { return static_cast<std::uint32_t>(random.below(50)) * 0x01000000U; });
}

TEST(RunTable, ManyRunsBehindTheLastHome) {
  expect_like_the_model(3, 4000,
                        [](Prng& random) { return kGreatest - static_cast<std::uint32_t>(random.below(3)); });
}

TEST(RunTable, TakesOneOfTheRunsWithAHash) {
  RunTable table;
  for (const std::uint32_t run : {7U, 3U, 5U}) table.insert(run, kGreatest);
  EXPECT_EQ(table.find(kGreatest, [](std::uint32_t run) { return run == 5; }), 5U);
  EXPECT_EQ(table.find(kGreatest, [](std::uint32_t run) { return run == 4; }), RunTable::kNone);
  EXPECT_EQ(table.find(kGreatest - 1, [](std::uint32_t /*run*/) { return true; }), RunTable::kNone);
}

}  // namespace
}  // namespace dupwatch::core
