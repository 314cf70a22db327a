#include "daemon/core/heartbeat.hpp"

#include <gtest/gtest.h>

#include <set>

namespace dupwatch::core::heartbeat_test {
namespace {

using namespace std::chrono_literals;
using decoder::Lsn;
using Loss = Heartbeat::Loss;

class HeartbeatTest : public ::testing::Test {
 protected:
  HeartbeatTest() { heartbeat.stream_started(now); }

  /// The next beat, written to the WAL up to `end`.
  std::string emit(std::uint64_t end = 0x2000) {
    const auto content = heartbeat.next(now);
    if (!content) {
      ADD_FAILURE() << "no beat is due";
      return {};
    }
    heartbeat.emitted(*content, Lsn{end});
    return *content;
  }
  /// A stream in which something has just been heard.
  [[nodiscard]] std::optional<Loss> lost(std::uint64_t received,
                                         std::optional<bool> slot_active = true) const {
    return heartbeat.lost({.received = Lsn{received}, .heard = now, .slot_active = slot_active}, now);
  }

  core::Instant now = core::Instant{} + 1h;
  HeartbeatConfig config{.interval = 30s, .timeout = 60s, .dsn = {}};
  Heartbeat heartbeat{config, 1};
};

TEST_F(HeartbeatTest, IsDueAtOnceAndThenEveryInterval) {
  auto content = emit();
  EXPECT_EQ(heartbeat.next(now), std::nullopt);
  now += 1s;
  EXPECT_TRUE(heartbeat.returned(content, now));
  EXPECT_EQ(heartbeat.last_returned(), now);
  EXPECT_EQ(heartbeat.round_trip().buckets[9], 1U) << "one second";
  EXPECT_EQ(heartbeat.deadline(), now + 29s);
  now += 28s;
  EXPECT_EQ(heartbeat.next(now), std::nullopt);
  now += 1s;
  EXPECT_TRUE(heartbeat.next(now).has_value());
}

TEST_F(HeartbeatTest, AnotherConfigurationCountsForTheBeatOnItsWay) {
  const auto content = emit();
  now += 10s;
  EXPECT_EQ(heartbeat.overdue(now).count(), 0);
  heartbeat.configure({.interval = 5s, .timeout = 10s, .dsn = {}}, now);
  EXPECT_EQ(heartbeat.overdue(now), 10s);
  EXPECT_EQ(lost(0x2000), Loss::kPassed);
  EXPECT_TRUE(heartbeat.returned(content, now));
  EXPECT_EQ(heartbeat.deadline(), now + 5s) << "not after what was left of 30 s";
  heartbeat.configure({.interval = 1h, .timeout = 10s, .dsn = {}}, now);
  EXPECT_EQ(heartbeat.deadline(), now + 5s) << "one is due already; the longer pause follows it";
  now += 5s;
  EXPECT_TRUE(heartbeat.next(now).has_value());
  heartbeat.switch_off();
  heartbeat.configure(config, now);
  EXPECT_EQ(heartbeat.deadline(), core::Instant::max()) << "the server's refusal stands";
}

TEST_F(HeartbeatTest, NobodyElsesBeatAndNoOldOneCounts) {
  const auto content = emit();
  EXPECT_FALSE(heartbeat.returned("beat 0000000000000000", now));
  EXPECT_FALSE(heartbeat.returned("", now));
  heartbeat.stream_started(now);
  EXPECT_FALSE(heartbeat.returned(content, now)) << "of the stream before";
  Heartbeat other{config, 2};
  other.stream_started(now);
  EXPECT_NE(other.next(now), content);
  EXPECT_TRUE(heartbeat.returned(*heartbeat.next(now), now));
}

TEST_F(HeartbeatTest, NoTwoBeatsAreAlike) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i, now += 30s) {
    const auto content = emit();
    EXPECT_TRUE(seen.insert(content).second);
    EXPECT_TRUE(heartbeat.returned(content, now));
  }
}

TEST_F(HeartbeatTest, OverdueIsTheAgeOfABeatBeyondTheTimeout) {
  (void)emit();
  now += 59s;
  EXPECT_EQ(heartbeat.overdue(now).count(), 0);
  now += 2s;
  EXPECT_EQ(heartbeat.overdue(now).count(), 61);
  EXPECT_EQ(heartbeat.next(now), std::nullopt) << "one at a time";
}

TEST_F(HeartbeatTest, AStreamThatIsOnlyBehindIsLeftAlone) {
  (void)emit(0x2000);
  for (int minute = 0; minute < 600; ++minute, now += 1min) EXPECT_EQ(lost(0x1FFF), std::nullopt) << minute;
}

TEST_F(HeartbeatTest, ABeatThatTheServerHasPassedIsLost) {
  (void)emit(0x2000);
  now += 59s;
  EXPECT_EQ(lost(0x9000), std::nullopt) << "it may be in our own buffers";
  now += 1s;
  EXPECT_EQ(lost(0x1FFF), std::nullopt);
  EXPECT_EQ(lost(0x2000), Loss::kPassed);
}

TEST_F(HeartbeatTest, ASlotWithoutAReaderLosesASilentStream) {
  (void)emit(0x2000);
  const auto heard = now;
  now += 60s;
  EXPECT_EQ(heartbeat.lost({.received = {}, .heard = heard, .slot_active = true}, now), std::nullopt);
  EXPECT_EQ(heartbeat.lost({.received = {}, .heard = heard, .slot_active = std::nullopt}, now), std::nullopt);
  EXPECT_EQ(heartbeat.lost({.received = {}, .heard = heard, .slot_active = false}, now), Loss::kNoReader);
  EXPECT_EQ(heartbeat.lost({.received = {}, .heard = heard + 1s, .slot_active = false}, now), std::nullopt);
}

TEST_F(HeartbeatTest, LongSilenceIsALossAndEachRestartDoublesIt) {
  for (int restart = 0; restart < 4; ++restart) {
    (void)emit(0x2000);
    const auto heard = now;
    const auto most = 600s * (1 << restart);
    EXPECT_EQ(heartbeat.lost({.received = {}, .heard = heard, .slot_active = true}, now + most - 1s),
              std::nullopt);
    EXPECT_EQ(heartbeat.lost({.received = {}, .heard = heard, .slot_active = true}, now + most),
              Loss::kSilent);
    now += most;
    heartbeat.restarting();
    heartbeat.stream_started(now);
  }
}

TEST_F(HeartbeatTest, ABeatThatComesBackEndsTheDoubling) {
  heartbeat.restarting();
  heartbeat.stream_started(now);
  const auto content = emit(0x2000);
  now += 60s;
  EXPECT_EQ(lost(0x2000), std::nullopt) << "twice the timeout by now";
  EXPECT_TRUE(heartbeat.returned(content, now));
  (void)emit(0x3000);
  now += 60s;
  EXPECT_EQ(lost(0x3000), Loss::kPassed);
}

TEST_F(HeartbeatTest, TheDoublingHasAnEnd) {
  for (int i = 0; i < 100; ++i) heartbeat.restarting();
  (void)emit(0x2000);
  now += 60s * 256;
  EXPECT_EQ(lost(0x2000), Loss::kPassed);
}

TEST_F(HeartbeatTest, ABeatThatWasNotWrittenIsNeverLost) {
  const auto content = heartbeat.next(now);
  ASSERT_TRUE(content);
  now += 2h;
  EXPECT_EQ(lost(0x9000), std::nullopt) << "the server has not answered";
  heartbeat.not_emitted(*content);
  EXPECT_EQ(heartbeat.overdue(now).count(), 0);
  EXPECT_TRUE(heartbeat.next(now).has_value()) << "the next one instead";
  heartbeat.not_emitted(*content);
  heartbeat.emitted(*content, Lsn{0x10});
  EXPECT_EQ(heartbeat.next(now), std::nullopt) << "an answer about the one before is no news";
}

TEST_F(HeartbeatTest, OffMeansNoBeatUntilTheNextStream) {
  heartbeat.switch_off();
  now += 1h;
  EXPECT_EQ(heartbeat.next(now), std::nullopt);
  EXPECT_FALSE(heartbeat.on());
  EXPECT_EQ(heartbeat.deadline(), core::Instant::max());
  heartbeat.stream_started(now);
  EXPECT_TRUE(heartbeat.next(now).has_value());

  config.interval = 0s;
  Heartbeat off{config, 1};
  off.stream_started(now);
  EXPECT_FALSE(off.on());
  EXPECT_EQ(off.next(now + 1h), std::nullopt);
}

}  // namespace
}  // namespace dupwatch::core::heartbeat_test
