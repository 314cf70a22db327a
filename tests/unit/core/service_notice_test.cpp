#include "daemon/core/service_notice.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::service_notice_test {
namespace {

using namespace std::chrono_literals;

core::Instant at(std::chrono::milliseconds time) {
  return core::Instant{} + 1h + time;
}

/// The message that is due, taken by the manager.
std::string tell(ServiceNotice& notice, std::chrono::milliseconds time) {
  auto message = notice.due(at(time));
  notice.sent(at(time));
  return message;
}

TEST(ServiceNotice, IsReadyOnceItStreamsAndNotTwice) {
  ServiceNotice notice(0s);
  EXPECT_EQ(tell(notice, 0s), "");
  EXPECT_EQ(notice.deadline(), core::Instant::max());
  notice.streaming();
  EXPECT_LE(notice.deadline(), at(1s));
  EXPECT_EQ(tell(notice, 1s), "READY=1\n");
  notice.streaming();
  EXPECT_EQ(tell(notice, 2s), "");
}

TEST(ServiceNotice, WhatWasNotSentStaysDue) {
  ServiceNotice notice(4s);
  notice.streaming();
  notice.status("Watching.");
  const auto message = notice.due(at(0s));
  EXPECT_EQ(message, "READY=1\nSTATUS=Watching.\nWATCHDOG=1\n");
  EXPECT_EQ(notice.due(at(1s)), message);
  notice.sent(at(1s));
  EXPECT_EQ(notice.due(at(1s)), "");
}

TEST(ServiceNotice, PingsAtHalfOfTheLimit) {
  ServiceNotice notice(4s);
  notice.streaming();
  (void)tell(notice, 0s);
  EXPECT_EQ(notice.deadline(), at(2s));
  EXPECT_EQ(tell(notice, 1999ms), "");
  EXPECT_EQ(tell(notice, 2s), "WATCHDOG=1\n");
  EXPECT_EQ(notice.deadline(), at(4s));
}

TEST(ServiceNotice, ExtendsTheStartUntilItStreams) {
  ServiceNotice notice(4s);
  EXPECT_EQ(tell(notice, 0s), "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=4000000\n");
  EXPECT_EQ(tell(notice, 2s), "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=4000000\n");
  notice.streaming();
  EXPECT_EQ(tell(notice, 4s), "READY=1\nWATCHDOG=1\n");
}

TEST(ServiceNotice, AStatusThatChangesAllTheTimeIsOneMessageASecond) {
  ServiceNotice notice(0s);
  int messages = 0;
  for (auto time = 0ms; time < 10s; time += 10ms) {
    notice.status("Not watching: catching up: " + std::to_string(time.count()));
    if (!tell(notice, time).empty()) ++messages;
  }
  EXPECT_EQ(messages, 10);
  EXPECT_EQ(notice.deadline(), at(10s));
  EXPECT_EQ(tell(notice, 10s), "STATUS=Not watching: catching up: 9990\n");
  EXPECT_EQ(tell(notice, 20s), "");
}

TEST(ServiceNotice, ReadinessBringsItsStatusAlong) {
  ServiceNotice notice(0s);
  notice.status("Not watching.");
  (void)tell(notice, 0s);
  notice.status("Watching.");
  notice.streaming();
  EXPECT_EQ(tell(notice, 1ms), "READY=1\nSTATUS=Watching.\n");
}

TEST(ServiceNotice, AServersMessageCantBeginAnAssignment) {
  ServiceNotice notice(0s);
  notice.status("ERROR: no\nMAINPID=1\r\nREADY=1\tx");
  EXPECT_EQ(tell(notice, 0s), "STATUS=ERROR: no MAINPID=1  READY=1 x\n");
  EXPECT_EQ(ServiceNotice::farewell("bye\nREADY=1"), "STOPPING=1\nSTATUS=bye READY=1\n");
}

TEST(ServiceNotice, ALongStatusEndsWithAWholeCharacter) {
  constexpr auto kMost = ServiceNotice::kStatusBytesMax;
  for (std::size_t before = kMost - 5; before <= kMost; ++before) {
    ServiceNotice notice(0s);
    std::string text(before, 'x');
    for (int i = 0; i < 4; ++i) text += "\xe2\x82\xac";  // the euro sign
    notice.status(text);
    const auto whole = before + (kMost - before) / 3 * 3;
    EXPECT_EQ(tell(notice, 0s), "STATUS=" + text.substr(0, whole) + "\n") << before;
  }
}

TEST(ServiceNotice, TheWatchdogIsOursWhenItNamesThisProcessOrNone) {
  EXPECT_EQ(ServiceNotice::watchdog_of("30000000", "42", "42"), 30s);
  EXPECT_EQ(ServiceNotice::watchdog_of("30000000", "", "42"), 30s);
  EXPECT_EQ(ServiceNotice::watchdog_of("30000000", "41", "42"), 0s);
  for (const auto* bad : {"", "0", "-1", "x", "3x", "99999999999999999999"}) {
    EXPECT_EQ(ServiceNotice::watchdog_of(bad, "", "42"), 0s) << bad;
  }
}

}  // namespace
}  // namespace dupwatch::core::service_notice_test
