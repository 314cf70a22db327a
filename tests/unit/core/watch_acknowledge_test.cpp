#include <string>
#include <vector>

#include "tests/unit/core/watch_fixture.hpp"

namespace dupwatch::core::watch_acknowledge_test {
namespace {

using Acknowledged = Watch::Acknowledged;

const std::string kRun = ulid("wrun_", 1);
constexpr decoder::Timestamp kWall{1'795'497'698'000'000};
constexpr std::int64_t kHour = 3'600'000'000;

/// A run with a harmless duplicate, whose entity is still open.
class AcknowledgeTest : public WatchTest {
 protected:
  AcknowledgeTest() {
    (void)transaction({event(1), event(2)});
    (void)read_back();
    auto found = findings();
    EXPECT_EQ(found.size(), 1U);
    if (!found.empty()) known = found[0];
    EXPECT_EQ(known.severity, Severity::kHarmless);
  }
  [[nodiscard]] static Acknowledgement said(std::int64_t hours = 1) {
    return {.by = "alice", .comment = "known", .at = kWall, .until = {kWall.micros + hours * kHour}};
  }
  [[nodiscard]] std::uint64_t open(Severity severity) const {
    std::uint64_t sum = 0;
    for (const auto& rule : watch.reported().open()) sum += rule[static_cast<std::size_t>(severity)];
    return sum;
  }
  [[nodiscard]] std::uint64_t acknowledged(Severity severity) const {
    return watch.reported().acknowledged()[static_cast<std::size_t>(severity)];
  }
  Finding known;
};
INSTANTIATE_TEST_SUITE_P(Plugins, AcknowledgeTest, ::testing::Values(decoder::Plugin::kPgoutput),
                         plugin_name);

TEST_P(AcknowledgeTest, AFindingIsToldWithWhoAndWhyAndIsNotCountedAsOpen) {
  ASSERT_EQ(watch.acknowledge(known.id, said(), now), Acknowledged::kDone);
  const auto told = findings();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].state, FindingState::kAcknowledged);
  EXPECT_EQ(told[0].change, FindingChange::kChanged);
  EXPECT_EQ(told[0].table, known.table);
  ASSERT_TRUE(told[0].acknowledgement);
  EXPECT_EQ(told[0].acknowledgement->comment, "known");
  EXPECT_EQ(told[0].acknowledgement->severity, Severity::kHarmless) << "the finding's";
  EXPECT_EQ(open(Severity::kHarmless), 0U);
  EXPECT_EQ(acknowledged(Severity::kHarmless), 1U);
  EXPECT_EQ(watch.acknowledged().size(), 1U);

  auto other = said();
  other.at.micros += 1;
  other.comment = "known better";
  ASSERT_EQ(watch.acknowledge(known.id, other, now), Acknowledged::kDone);
  const auto again = findings();
  ASSERT_EQ(again.size(), 1U) << "said anew is told anew";
  EXPECT_EQ(again[0].acknowledgement->comment, "known better");
  EXPECT_EQ(acknowledged(Severity::kHarmless), 1U);
}

TEST_P(AcknowledgeTest, ItEndsWhenItIsTakenBackOrItsTimeHasCome) {
  EXPECT_EQ(watch.unacknowledge(known.id, now), Acknowledged::kNot);
  ASSERT_EQ(watch.acknowledge(known.id, said(), now), Acknowledged::kDone);
  (void)findings();
  ASSERT_EQ(watch.unacknowledge(known.id, now), Acknowledged::kDone);
  auto told = findings();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].state, FindingState::kOpen);
  EXPECT_FALSE(told[0].acknowledgement);
  EXPECT_EQ(open(Severity::kHarmless), 1U);
  EXPECT_EQ(acknowledged(Severity::kHarmless), 0U);

  ASSERT_EQ(watch.acknowledge(known.id, said(2), now), Acknowledged::kDone);
  (void)findings();
  watch.expire_acknowledgements({kWall.micros + kHour}, now);
  EXPECT_TRUE(findings().empty());
  watch.expire_acknowledgements({kWall.micros + 2 * kHour}, now);
  told = findings();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].state, FindingState::kOpen);
  EXPECT_EQ(open(Severity::kHarmless), 1U);
}

TEST_P(AcknowledgeTest, AFindingThatGetsWorseIsOpenAgain) {
  ASSERT_EQ(watch.acknowledge(known.id, said(), now), Acknowledged::kDone);
  (void)findings();
  // The closing event comes to stand between the two rows: replay fails on the second.
  (void)transaction({event(1, "step_completed")});
  (void)read_back();
  auto told = findings();
  std::erase_if(told, [&](const Finding& finding) { return finding.id != known.id; });
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().severity, Severity::kFatal);
  EXPECT_EQ(told.back().state, FindingState::kOpen);
  EXPECT_FALSE(told.back().acknowledgement);
  EXPECT_EQ(open(Severity::kFatal), 1U);
  EXPECT_EQ(acknowledged(Severity::kHarmless) + acknowledged(Severity::kFatal), 0U);
  EXPECT_TRUE(watch.acknowledged().empty());
}

TEST_P(AcknowledgeTest, OnlyWhatStandsIsAcknowledged) {
  EXPECT_EQ(watch.acknowledge(12345, said(), now), Acknowledged::kNotKnown);
  watch.quarantined(known.id, now);
  (void)findings();
  EXPECT_EQ(watch.acknowledge(known.id, said(), now), Acknowledged::kDoesNotStand);
  EXPECT_EQ(watch.unacknowledge(known.id, now), Acknowledged::kDoesNotStand);
  EXPECT_TRUE(findings().empty());
}

TEST_P(AcknowledgeTest, ARowThatLeavesTheLogTakesItAlong) {
  ASSERT_EQ(watch.acknowledge(known.id, said(), now), Acknowledged::kDone);
  watch.quarantined(known.id, now);
  ASSERT_EQ(findings().back().state, FindingState::kQuarantined);
  EXPECT_TRUE(watch.acknowledged().empty());
  EXPECT_EQ(acknowledged(Severity::kHarmless), 0U);
}

TEST_P(AcknowledgeTest, ANewProcessKnowsItFromTheRecordAndEndsItInTime) {
  ASSERT_EQ(watch.acknowledge(known.id, said(), now), Acknowledged::kDone);
  auto record = findings().back();
  Watch next(config, 7);
  ASSERT_TRUE(next.restore(record));
  EXPECT_EQ(record.state, FindingState::kAcknowledged);
  ASSERT_TRUE(record.acknowledgement);
  EXPECT_EQ(next.reported().acknowledged()[static_cast<std::size_t>(Severity::kHarmless)], 1U);
  next.expire_acknowledgements({kWall.micros + kHour}, now);
  const auto told = next.take_findings();
  ASSERT_EQ(told.size(), 1U) << "it ended while no process ran, or since";
  EXPECT_EQ(told[0].state, FindingState::kOpen);
}

TEST_P(AcknowledgeTest, TheConfigurationsWordStandsBesideAPersons) {
  config.findings.acknowledged = {known.id};
  watch.acknowledged_changed({});
  ASSERT_EQ(findings().back().state, FindingState::kAcknowledged);
  ASSERT_EQ(watch.acknowledge(known.id, said(), now), Acknowledged::kDone);
  ASSERT_TRUE(findings().back().acknowledgement);
  EXPECT_EQ(watch.unacknowledge(known.id, now), Acknowledged::kConfiguration) << "it stays acknowledged";
  const auto told = findings();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].state, FindingState::kAcknowledged);
  EXPECT_FALSE(told[0].acknowledgement);
}

}  // namespace
}  // namespace dupwatch::core::watch_acknowledge_test
