#include "daemon/app/stream_pace.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dupwatch::app {
namespace {

using std::chrono::milliseconds;

/// How many bytes wake a reader.
class Pace : public testing::Test {
 protected:
  ~Pace() override { close(socket_); }

  int wakes_at() const {
    int bytes = 0;
    socklen_t size = sizeof bytes;
    EXPECT_EQ(getsockopt(socket_, SOL_SOCKET, SO_RCVLOWAT, &bytes, &size), 0);
    return bytes;
  }

  /// So many messages of one size within the next five milliseconds.
  void come(StreamPace& pace, int messages, std::size_t bytes) {
    for (int i = 0; i < messages; ++i) pace.received(bytes);
    now_ += milliseconds{5};
    pace.look(now_);
  }

  Instant now_ = Instant{} + std::chrono::hours{1};
  int socket_ = socket(AF_INET, SOCK_STREAM, 0);
};

TEST_F(Pace, WakesForEveryMessageAtTheRateOfAnApplication) {
  StreamPace pace{socket_};
  come(pace, 0, 0);
  come(pace, 15, 980);  // 1,000 events a second, each a transaction of three messages
  EXPECT_FALSE(pace.backlog());
  EXPECT_EQ(wakes_at(), 1);
}

TEST_F(Pace, GathersWhileABacklogDrainsAndNoLonger) {
  StreamPace pace{socket_};
  come(pace, 0, 0);
  come(pace, 1000, 160);
  EXPECT_TRUE(pace.backlog());
  EXPECT_GT(wakes_at(), 1000);
  come(pace, 5, 160);
  EXPECT_FALSE(pace.backlog());
  EXPECT_EQ(wakes_at(), 1);
}

TEST_F(Pace, DoesNotHoldBackAFewRowsHoweverLarge) {
  StreamPace pace{socket_};
  come(pace, 0, 0);
  come(pace, 4, 40'000);
  EXPECT_FALSE(pace.backlog());
  EXPECT_FALSE(pace.empties());
  EXPECT_EQ(wakes_at(), 1);
}

TEST_F(Pace, KeepsTheSocketFullOfTinyMessagesAndEmptiesItOfOthers) {
  StreamPace pace{socket_};
  come(pace, 0, 0);
  come(pace, 1000, 160);
  EXPECT_FALSE(pace.empties());
  const auto tiny = wakes_at();
  come(pace, 1000, 400);
  EXPECT_TRUE(pace.backlog());
  EXPECT_TRUE(pace.empties());
  EXPECT_GT(wakes_at(), tiny);
  come(pace, 1000, 40'000);
  EXPECT_TRUE(pace.empties());
  come(pace, 1000, 160);
  EXPECT_FALSE(pace.empties());
  EXPECT_EQ(wakes_at(), tiny);
}

TEST_F(Pace, WhatIsGatheredIsReadAMillisecondAfterTheLastRead) {
  StreamPace pace{socket_};
  EXPECT_EQ(pace.deadline(), Instant::max());
  come(pace, 0, 0);
  pace.reads(now_);
  come(pace, 1000, 160);
  pace.reads(now_);
  EXPECT_EQ(pace.deadline(), now_ + milliseconds{1});
  come(pace, 5, 160);
  EXPECT_EQ(pace.deadline(), Instant::max());
}

TEST_F(Pace, LeavesTheSocketAsItWas) {
  {
    StreamPace pace{socket_};
    come(pace, 0, 0);
    come(pace, 1000, 160);
    EXPECT_GT(wakes_at(), 1);
    pace.rest();
    EXPECT_EQ(wakes_at(), 1);
    come(pace, 1000, 160);
    EXPECT_GT(wakes_at(), 1);
  }
  EXPECT_EQ(wakes_at(), 1);
}

}  // namespace
}  // namespace dupwatch::app
