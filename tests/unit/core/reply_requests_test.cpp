#include "daemon/core/reply_requests.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace dupwatch::core {
namespace {

constexpr std::int64_t kMillisecond = 1000;

TEST(ReplyRequests, ARequestIsAnsweredOnce) {
  ReplyRequests requests;
  EXPECT_FALSE(requests.take());
  requests.asked({.micros = 1});
  EXPECT_TRUE(requests.take());
  EXPECT_FALSE(requests.take());
}

TEST(ReplyRequests, AServerThatAsksAgainAtOnceWaitsForAPosition) {
  ReplyRequests requests;
  for (const std::int64_t at : {0, 100, 200}) {
    EXPECT_FALSE(requests.insistent());
    requests.asked({.micros = at * kMillisecond});
  }
  EXPECT_TRUE(requests.insistent());
  requests.stream_started();
  EXPECT_FALSE(requests.insistent());
}

TEST(ReplyRequests, AServerThatMissesASignOfLifeAsksAtIntervals) {
  ReplyRequests requests;
  for (std::int64_t at = 0; at < 60'000; at += 500) {
    requests.asked({.micros = at * kMillisecond});
    EXPECT_FALSE(requests.insistent()) << at;
  }
}

TEST(ReplyRequests, AClockMaySayAnything) {
  ReplyRequests requests;
  requests.asked({.micros = std::numeric_limits<std::int64_t>::min()});
  requests.asked({.micros = std::numeric_limits<std::int64_t>::max()});
  requests.asked({.micros = 0});
  EXPECT_FALSE(requests.insistent());
}

}  // namespace
}  // namespace dupwatch::core
