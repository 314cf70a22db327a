#include "daemon/core/backoff.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace dupwatch::core::backoff_test {
namespace {

using namespace std::chrono_literals;

std::vector<std::chrono::milliseconds> delays(Backoff backoff, int count) {
  std::vector<std::chrono::milliseconds> out;
  for (int i = 0; i < count; ++i) out.push_back(backoff.next());
  return out;
}

TEST(Backoff, DelayNLiesInTheUpperHalfOfItsCeiling) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(100ms, 30s, seed);
    auto ceiling = 100ms;
    for (std::uint32_t n = 0; n < 40; ++n) {
      EXPECT_EQ(backoff.attempts(), n);
      const auto delay = backoff.next();
      EXPECT_GE(delay, ceiling / 2);
      EXPECT_LE(delay, ceiling);
      ceiling = std::min(ceiling * 2, std::chrono::milliseconds{30s});
    }
  }
}

TEST(Backoff, TheSameSeedGivesTheSameDelaysAndAnotherSeedOthers) {
  EXPECT_EQ(delays(Backoff(100ms, 30s, 1), 20), delays(Backoff(100ms, 30s, 1), 20));
  EXPECT_NE(delays(Backoff(100ms, 30s, 1), 20), delays(Backoff(100ms, 30s, 2), 20));
}

TEST(Backoff, ResetStartsAtTheShortestDelay) {
  Backoff backoff(100ms, 30s, 1);
  for (int i = 0; i < 10; ++i) (void)backoff.next();
  backoff.reset();
  EXPECT_EQ(backoff.attempts(), 0U);
  EXPECT_LE(backoff.next(), 100ms);
}

TEST(Backoff, IsNeverZeroAndSurvivesAMaximumBelowTheMinimum) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Backoff none(0ms, 0ms, seed);
    Backoff crossed(10s, 1s, seed);
    for (int i = 0; i < 10; ++i) {
      EXPECT_LE(none.next(), 1ms);
      const auto delay = crossed.next();
      EXPECT_GE(delay, 5s);
      EXPECT_LE(delay, 10s);
    }
  }
}

TEST(Prng, GivesTheReferenceSequenceOfSplitMix64) {
  Prng random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317ULL);
  EXPECT_EQ(random.next(), 3203168211198807973ULL);
  EXPECT_EQ(random.next(), 9817491932198370423ULL);
}

TEST(Prng, BelowStaysBelowAndReachesEveryValue) {
  Prng random(7);
  std::vector<int> seen(10);
  for (int i = 0; i < 1000; ++i) ++seen.at(random.below(10));
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 50);
}

}  // namespace
}  // namespace dupwatch::core::backoff_test
