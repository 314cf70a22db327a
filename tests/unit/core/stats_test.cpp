#include "daemon/core/stats.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace dupwatch::core::stats_test {
namespace {

template <class E>
std::set<std::string_view> labels(std::size_t count) {
  std::set<std::string_view> out;
  for (std::size_t i = 0; i < count; ++i) out.insert(to_string(static_cast<E>(i)));
  return out;
}

TEST(Labels, EachValueHasItsOwn) {
  EXPECT_EQ(labels<Eviction>(kEvictions), (std::set<std::string_view>{"run_ended", "memory", "invalidated"}));
  EXPECT_EQ(labels<StreamState>(kStreamStates).size(), kStreamStates);
  EXPECT_EQ(labels<BaselineState>(kBaselineStates).size(), kBaselineStates);
  EXPECT_EQ(labels<Disconnect>(kDisconnects).size(), kDisconnects);
  EXPECT_EQ(labels<Rule>(kRules),
            (std::set<std::string_view>{"duplicate", "duplicate_created", "second_terminal",
                                        "lifecycle_after_close", "delivery_after_disposal", "id_scheme",
                                        "slot_gap", "duplicate_run_event", "hook_self_conflict", "run_lost",
                                        "after_run_end", "stuck_step", "orphan", "profile_rule"}));
  EXPECT_EQ(labels<Origin>(kOrigins),
            (std::set<std::string_view>{"stream", "read_back", "baseline", "recheck"}));
  EXPECT_EQ(labels<Severity>(kSeverities),
            (std::set<std::string_view>{"fatal", "conflict", "harmless", "unknown"}));
  EXPECT_EQ(labels<Engine>(kEngines),
            (std::set<std::string_view>{"v4", "v5-before-class-skip", "v5-before-attribute-skip", "v5",
                                        "v5-single-orchestrator", "unknown"}));
  EXPECT_EQ(labels<FindingState>(kFindingStates).size(), kFindingStates);
  EXPECT_EQ(labels<Confidence>(3), (std::set<std::string_view>{"measured", "read", "hint"}));
}

TEST(LatencyHistogram, CountsEachObservationInTheFirstBucketThatHoldsIt) {
  LatencyHistogram histogram;
  histogram.observe(-1);  // the server's clock is ahead of ours
  histogram.observe(0);
  histogram.observe(kLatencyBounds[0]);
  histogram.observe(kLatencyBounds[3]);
  histogram.observe(kLatencyBounds[3] + 1e-9);
  histogram.observe(1e9);
  EXPECT_EQ(histogram.buckets[0], 3U);
  EXPECT_EQ(histogram.buckets[3], 1U);
  EXPECT_EQ(histogram.buckets[4], 1U);
  EXPECT_EQ(histogram.buckets[kLatencyBounds.size()], 1U);
}

}  // namespace
}  // namespace dupwatch::core::stats_test
