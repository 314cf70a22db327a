#include "daemon/web/event_feed.hpp"

#include <gtest/gtest.h>

#include "tests/unit/web/samples.hpp"

namespace dupwatch::web::event_feed_test {
namespace {

using std::chrono::seconds;

constexpr EventFeed::Clock::time_point kNow{seconds{1000}};

class Feed : public testing::Test {
 protected:
  void SetUp() override {
    store_.beat(kNow);
    store_.publish(streaming(), kNow);
  }
  [[nodiscard]] std::string id(std::uint64_t number) const {
    return store_.origin() + "-" + std::to_string(number);
  }

  StatusStore store_{3};
};

TEST_F(Feed, ANewClientIsToldToLoadTheListAndThenWhatComes) {
  store_.add(finding(1));
  EventFeed feed{store_, ""};
  const auto first = feed.next(kNow);
  EXPECT_EQ(first.find("id: " + id(1) + "\nevent: list\ndata: {}\n\nevent: status\ndata: {"), 0U) << first;
  EXPECT_EQ(first.find("run_1"), std::string::npos);
  store_.add(finding(2));
  const auto second = feed.next(kNow);
  EXPECT_EQ(second.find("event: finding\ndata: {"), 0U) << second;
  EXPECT_NE(second.find("\"run_id\":\"run_2\""), std::string::npos);
  EXPECT_TRUE(second.ends_with("\nid: " + id(2) + "\n\n")) << second;
  EXPECT_EQ(feed.last(), 2U);
}

TEST_F(Feed, AClientThatComesBackGoesOnWhereItWas) {
  for (std::uint64_t number = 1; number <= 3; ++number) store_.add(finding(number));
  const auto text = EventFeed{store_, id(1)}.next(kNow);
  EXPECT_EQ(text.find("event: list"), std::string::npos);
  EXPECT_EQ(text.find("run_1"), std::string::npos);
  EXPECT_LT(text.find("run_2"), text.find("run_3"));
}

TEST_F(Feed, WhatIsNoLongerKeptMakesTheClientLoadTheList) {
  for (std::uint64_t number = 1; number <= 5; ++number) store_.add(finding(number));
  EXPECT_EQ(EventFeed(store_, id(1)).next(kNow).find("id: " + id(5) + "\nevent: list"), 0U);
  EXPECT_EQ(EventFeed(store_, id(2)).next(kNow).find("event: finding"), 0U);
}

TEST_F(Feed, AnIdOfAnotherProcessOrNoIdAtAllMakesTheClientLoadTheList) {
  store_.add(finding(1));
  for (const auto& strange : {std::string{"0-1"}, store_.origin(), store_.origin() + "-", id(2), id(1) + "x",
                              store_.origin() + "--1", store_.origin() + "-99999999999999999999"}) {
    EXPECT_NE(EventFeed(store_, strange).next(kNow).find("event: list"), std::string::npos) << strange;
  }
}

TEST_F(Feed, ManyFindingsComeInPieces) {
  StatusStore store{1000};
  store.publish(streaming(), kNow);
  EventFeed feed{store, ""};
  (void)feed.next(kNow);
  for (std::uint64_t number = 1; number <= EventFeed::kFindingsMax + 1; ++number) store.add(finding(number));
  (void)feed.next(kNow);
  EXPECT_EQ(feed.last(), EventFeed::kFindingsMax);
  EXPECT_NE(feed.next(kNow).find("\"run_id\":\"run_65\""), std::string::npos);
}

TEST_F(Feed, TheStatusIsToldWhenItChangesAndOnceASecondAtMost) {
  EventFeed feed{store_, ""};
  (void)feed.next(kNow);
  auto status = streaming();
  status.index.runs = 7;
  store_.publish(status, kNow);
  EXPECT_EQ(feed.next(kNow), "");
  EXPECT_NE(feed.next(kNow + seconds{1}).find("\"runs\":7"), std::string::npos);
  EXPECT_EQ(feed.next(kNow + seconds{2}), "");
}

TEST_F(Feed, ASilentDaemonIsToldOfByTheFeedItself) {
  EventFeed feed{store_, ""};
  (void)feed.next(kNow);
  EXPECT_NE(feed.next(kNow + seconds{10}).find("the event loop is stuck"), std::string::npos);
  EXPECT_EQ(feed.next(kNow + seconds{24}), "");
  EXPECT_EQ(feed.next(kNow + seconds{25}), ": keepalive\n\n");
  EXPECT_LE(feed.deadline(), kNow + seconds{40});
}

TEST(History, KeepsTheWorstOfEachIntervalAndForgetsTheOldest) {
  History history;
  auto status = streaming();
  status.stream.lag_seconds = 3;
  history.note(status, kNow);
  status.stream.lag_seconds = 1;
  status.slot.retained_bytes = 16;
  history.note(status, kNow + seconds{4});
  ASSERT_EQ(history.points().size(), 1U);
  EXPECT_EQ(history.points().front().lag_seconds, 3);
  EXPECT_EQ(history_json(history.points(), kNow + seconds{6}),
            R"({"interval_seconds":5,"points":[{"age_seconds":6,"lag_seconds":3.000,)"
            R"("slot_retained_bytes":16}]})");
  for (int i = 1; i <= 300; ++i) history.note(status, kNow + i * History::kInterval);
  EXPECT_EQ(history.points().size(), History::kPointsMax);
  EXPECT_EQ(history.points().front().at, seconds{1000 + 61 * 5});
}

TEST(History, WhatIsNotKnownIsNull) {
  History history;
  history.note({}, kNow);
  EXPECT_NE(history_json(history.points(), kNow).find(R"("slot_retained_bytes":null)"), std::string::npos);
}

}  // namespace
}  // namespace dupwatch::web::event_feed_test
