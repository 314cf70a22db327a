#include "daemon/run/stream_pace.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dupwatch::run {
namespace {

using std::chrono::milliseconds;

/// SOCK_RCVBUF_LOCK of the kernel, which <sys/socket.h> does not give.
constexpr int kReceiveLock = 2;

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

  core::Instant now_ = core::Instant{} + std::chrono::hours{1};
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
  EXPECT_EQ(pace.deadline(), core::Instant::max());
  come(pace, 0, 0);
  pace.reads(now_);
  come(pace, 1000, 160);
  pace.reads(now_);
  EXPECT_EQ(pace.deadline(), now_ + milliseconds{1});
  come(pace, 5, 160);
  EXPECT_EQ(pace.deadline(), core::Instant::max());
}

/// Both ends of a connection to this machine.
struct Connected {
  Connected() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener, any, size), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    EXPECT_EQ(getsockname(listener, any, &size), 0);
    EXPECT_EQ(connect(client, any, size), 0);
  }
  ~Connected() {
    close(client);
    close(listener);
  }
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;

  int option(int name) const {
    int value = -1;
    socklen_t size = sizeof value;
    (void)getsockopt(client, SOL_SOCKET, name, &value, &size);
    return value;
  }

  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int client = socket(AF_INET, SOCK_STREAM, 0);
};

TEST_F(Pace, BoundsTheRoomForTinyMessagesOfAServerThatIsNear) {
  const Connected connection;
  if (connection.option(SO_BUF_LOCK) < 0) GTEST_SKIP() << "Linux before 5.14";
  const auto room = connection.option(SO_RCVBUF);
  StreamPace pace{connection.client};
  come(pace, 0, 0);
  come(pace, 1000, 160);
  EXPECT_EQ(connection.option(SO_BUF_LOCK), kReceiveLock);
  EXPECT_NE(connection.option(SO_RCVBUF), room);
  come(pace, 1000, 4000);
  EXPECT_EQ(connection.option(SO_BUF_LOCK), 0) << "the kernel makes room again";
  come(pace, 1000, 160);
  EXPECT_EQ(connection.option(SO_BUF_LOCK), kReceiveLock);
  pace.rest();
  EXPECT_EQ(connection.option(SO_BUF_LOCK), 0);
}

TEST_F(Pace, LeavesTheRoomToTheKernelWhereTheDistanceIsNotKnown) {
  StreamPace pace{socket_};
  come(pace, 0, 0);
  come(pace, 1000, 160);
  int lock = 0;
  socklen_t size = sizeof lock;
  if (getsockopt(socket_, SOL_SOCKET, SO_BUF_LOCK, &lock, &size) != 0) GTEST_SKIP() << "Linux before 5.14";
  EXPECT_EQ(lock, 0);
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
}  // namespace dupwatch::run
