#include "daemon/web/eviction.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dupwatch::web::eviction_test {
namespace {

using std::chrono::seconds;

constexpr ConnectionLimits kLimits{.total = 6, .per_peer = 4, .streams = 2};

class Crowd {
 public:
  void add(Peer peer, Phase phase, int since) {
    held_.push_back(
        {.peer = peer, .phase = phase, .since = std::chrono::steady_clock::time_point{seconds{since}}});
    ++counts_[peer];
  }
  [[nodiscard]] bool is_full_for(Peer peer) const {
    return web::is_full_for(peer, held_.size(), counts_, kLimits);
  }
  [[nodiscard]] std::optional<std::size_t> victim_for(Peer peer) const {
    std::vector<const Held*> all;
    for (const auto& one : held_) all.push_back(&one);
    return web::victim_for(peer, all, counts_, kLimits);
  }

 private:
  std::vector<Held> held_;
  PeerCounts counts_;
};

TEST(Eviction, APeerWithItsShareMakesRoomItself) {
  Crowd crowd;
  crowd.add(2, Phase::kReading, 0);
  crowd.add(1, Phase::kReading, 3);
  crowd.add(1, Phase::kReading, 1);
  crowd.add(1, Phase::kWriting, 0);
  EXPECT_FALSE(crowd.is_full_for(1));
  crowd.add(1, Phase::kStreaming, 0);
  EXPECT_TRUE(crowd.is_full_for(1));
  EXPECT_FALSE(crowd.is_full_for(2));
  EXPECT_EQ(crowd.victim_for(1), 2U) << "the oldest that has not asked";
}

TEST(Eviction, WhoeverHoldsTheMostMakesRoomForANewPeer) {
  Crowd crowd;
  crowd.add(2, Phase::kReading, 0);
  crowd.add(1, Phase::kWriting, 0);
  crowd.add(1, Phase::kReading, 5);
  crowd.add(1, Phase::kClosing, 4);
  crowd.add(3, Phase::kReading, 0);
  crowd.add(3, Phase::kReading, 0);
  EXPECT_TRUE(crowd.is_full_for(9));
  EXPECT_EQ(crowd.victim_for(9), 3U);
}

TEST(Eviction, OneThatTakesItsAnswerGoesLast) {
  Crowd crowd;
  for (int i = 0; i < 4; ++i) crowd.add(1, Phase::kWriting, 10 - i);
  EXPECT_EQ(crowd.victim_for(1), 3U);
}

TEST(Eviction, WorkAndStreamsAreLeftAlone) {
  Crowd crowd;
  for (int i = 0; i < 3; ++i) crowd.add(1, Phase::kWorking, 0);
  for (int i = 0; i < 3; ++i) crowd.add(2, Phase::kStreaming, 0);
  EXPECT_TRUE(crowd.is_full_for(3));
  EXPECT_EQ(crowd.victim_for(3), std::nullopt);
}

TEST(Eviction, TheLimitsFollowWhatTheProcessMayOpen) {
  for (const std::size_t descriptors : {0U, 64U, 256U, 1024U, 1'000'000U}) {
    const auto limits = limits_for(descriptors);
    EXPECT_GE(limits.total, 16U);
    EXPECT_LE(limits.total, 768U);
    EXPECT_LT(limits.per_peer, limits.total);
    EXPECT_LT(limits.streams, limits.per_peer);
  }
  EXPECT_GE(limits_for(1024).streams, 170U);
  EXPECT_GE(limits_for(65'536).streams, 200U);
}

}  // namespace
}  // namespace dupwatch::web::eviction_test
