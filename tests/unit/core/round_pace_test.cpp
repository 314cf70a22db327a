#include "daemon/core/round_pace.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart = Instant{} + 1h;

TEST(RoundPace, AsksAtIntervalsWhileAnswersCome) {
  RoundPace pace(3s);
  EXPECT_FALSE(pace.due(kStart + 24h)) << "no stream yet";
  pace.started(kStart, 0s);
  EXPECT_TRUE(pace.due(kStart));
  pace.asked(kStart);
  pace.answered(kStart + 1s);
  EXPECT_FALSE(pace.due(kStart + 2999ms));
  EXPECT_TRUE(pace.due(kStart + 3s));
  EXPECT_EQ(pace.deadline(), kStart + 3s);
}

TEST(RoundPace, AQuestionThatTakesItsSessionIsAskedLessAndLessOften) {
  RoundPace pace(3s);
  pace.started(kStart, 0s);
  auto now = kStart;
  for (const auto pause : {6s, 12s, 24s, 48s, 60s, 60s}) {
    pace.asked(now);
    pace.failed(now, "no", true);
    EXPECT_EQ(pace.deadline(), now + pause);
    now = pace.deadline();
  }
  pace.answered(now);
  pace.asked(now);
  EXPECT_EQ(pace.deadline(), now + 3s);
  pace.failed(now, "no", true);
  EXPECT_EQ(pace.deadline(), now + 6s) << "from the beginning again";
}

TEST(RoundPace, AQuestionThatIsAnsweredWithAnErrorKeepsItsInterval) {
  RoundPace pace(3s);
  pace.started(kStart, 0s);
  pace.asked(kStart);
  pace.failed(kStart + 1s, "lock timeout", false);
  EXPECT_EQ(pace.deadline(), kStart + 3s);
  pace.hurry(kStart + 2s);
  EXPECT_TRUE(pace.due(kStart + 2s));
  pace.hurry(kStart + 4s);
  EXPECT_EQ(pace.deadline(), kStart + 2s) << "hurrying puts nothing off";
  pace.failed(kStart + 2s, "the session is gone", true);
  pace.hurry(kStart + 3s);
  EXPECT_EQ(pace.deadline(), kStart + 8s);
}

TEST(RoundPace, ALongIntervalIsNotCutByALostSession) {
  RoundPace pace(5min);
  pace.started(kStart, 0s);
  pace.asked(kStart);
  pace.failed(kStart, "no", true);
  EXPECT_EQ(pace.deadline(), kStart + 5min);
}

TEST(RoundPace, AStreamThatStartsAgainDoesNotAskWhatFailedAtOnce) {
  RoundPace pace(3s);
  pace.started(kStart, 0s);
  pace.asked(kStart);
  pace.failed(kStart, "the server died of it", true);
  pace.started(kStart + 1s, 0s);
  EXPECT_EQ(pace.deadline(), kStart + 6s);
  pace.answered(kStart + 7s);
  pace.started(kStart + 8s, 0s);
  EXPECT_TRUE(pace.due(kStart + 8s));
}

TEST(RoundPace, SaysForHowLongThereWasNoAnswer) {
  RoundPace pace(3s);
  pace.started(kStart, 0s);
  EXPECT_FALSE(pace.silence(kStart + 1h, 5min)) << "nothing has failed";
  pace.failed(kStart + 1s, "", false);
  EXPECT_EQ(pace.why(), "no reason is given");
  EXPECT_FALSE(pace.silence(kStart + 5min, 5min));
  EXPECT_EQ(pace.silence(kStart + 5min + 1s, 5min), 301s);
  pace.answered(kStart + 6min);
  EXPECT_TRUE(pace.why().empty());
  EXPECT_FALSE(pace.silence(kStart + 1h, 5min));
}

}  // namespace
}  // namespace dupwatch::core
