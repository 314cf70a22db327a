#include "daemon/core/acknowledgement.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/core/finding.hpp"
#include "daemon/core/finding_record.hpp"

namespace dupwatch::core::acknowledgement_test {
namespace {

using decoder::Timestamp;

constexpr std::int64_t kSecond = 1'000'000;
// 2026-11-24T05:21:38Z
constexpr Timestamp kNow{1'795'497'698 * kSecond};

Acknowledgement until(std::int64_t seconds) {
  return {.by = "alice",
          .comment = "known",
          .at = kNow,
          .until = {kNow.micros + seconds * kSecond},
          .severity = Severity::kHarmless};
}

TEST(ParseUntil, TakesATimeToComeOrHowLong) {
  const std::vector<std::pair<std::string, std::int64_t>> cases = {
      {"90s", 90},
      {"90m", 5400},
      {"8h", 28'800},
      {"7d", 604'800},
      {"2w", 1'209'600},
      {"366d", 31'622'400},
      {"2026-11-24T05:21:39Z", 1},
      {"2026-11-24T07:21:38+01:00", 3600},
  };
  for (const auto& [text, seconds] : cases) {
    const auto end = parse_until(text, kNow);
    ASSERT_TRUE(end) << text;
    EXPECT_EQ((end->micros - kNow.micros) / kSecond, seconds) << text;
  }
}

TEST(ParseUntil, RefusesThePastAndTheFarFuture) {
  for (const auto* text :
       {"", "0h", "8", "h", "-1h", "8 h", "1.5h", "8h ", "8y", "367d", "99999999999h", "tomorrow",
        "2026-11-24T05:21:38Z", "2026-11-24T05:21:37Z", "2026-11-25T05:21:38", "2028-01-01T00:00:00Z"}) {
    EXPECT_FALSE(parse_until(text, kNow)) << text;
  }
}

TEST(IsWorse, GoesFromHarmlessToFatal) {
  const std::vector order = {Severity::kHarmless, Severity::kUnknown, Severity::kConflict, Severity::kFatal};
  for (std::size_t a = 0; a < order.size(); ++a) {
    for (std::size_t b = 0; b < order.size(); ++b) EXPECT_EQ(is_worse(order[a], order[b]), a > b);
  }
}

TEST(Acknowledgements, EndInTheOrderOfTheirTimes) {
  Acknowledgements all;
  ASSERT_TRUE(all.put(1, until(30)));
  ASSERT_TRUE(all.put(2, until(10)));
  ASSERT_TRUE(all.put(3, until(20)));
  ASSERT_TRUE(all.put(2, until(40))) << "said again";
  EXPECT_EQ(all.size(), 3U);
  EXPECT_TRUE(all.take_expired({kNow.micros + 19 * kSecond}).empty());
  EXPECT_EQ(all.take_expired({kNow.micros + 30 * kSecond}), (std::vector<std::uint64_t>{3, 1}));
  EXPECT_EQ(all.find(1), nullptr);
  ASSERT_NE(all.find(2), nullptr);
  EXPECT_EQ(*all.find(2), until(40));
  EXPECT_TRUE(all.remove(2));
  EXPECT_FALSE(all.remove(2));
  EXPECT_TRUE(all.take_expired(Timestamp{kNow.micros * 2}).empty());
}

TEST(Acknowledgements, AreBounded) {
  Acknowledgements all;
  for (std::uint64_t id = 0; id < Acknowledgements::kMax; ++id) ASSERT_TRUE(all.put(id, until(1)));
  EXPECT_FALSE(all.put(Acknowledgements::kMax, until(1)));
  EXPECT_TRUE(all.put(7, until(2))) << "takes the place of an earlier one";
  EXPECT_EQ(all.size(), Acknowledgements::kMax);
}

TEST(AcknowledgementRecord, IsReadBackFromTheFindings) {
  Finding finding;
  finding.state = FindingState::kAcknowledged;
  EXPECT_FALSE(read_finding(to_json(finding))->acknowledgement);
  auto said = until(60);
  said.by = "ops (\"al\")";
  said.comment = "line\nwith \\ and \u00e9";
  said.severity = Severity::kConflict;
  finding.acknowledgement = said;
  const auto read = read_finding(to_json(finding));
  ASSERT_TRUE(read);
  ASSERT_TRUE(read->acknowledgement);
  EXPECT_EQ(*read->acknowledgement, said);
}

TEST(AcknowledgementRecord, AFindingOfAnEarlierVersionHasNone) {
  const auto now = to_json(Finding{});
  const std::string field = R"(,"acknowledgement":null)";
  const auto at = now.find(field);
  ASSERT_NE(at, std::string::npos);
  const auto read = read_finding(std::string(now).erase(at, field.size()));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->acknowledgement);
  const auto broken =
      std::string(now).replace(at, field.size(), R"(,"acknowledgement":{"by":"a","until":"x"})");
  ASSERT_TRUE(read_finding(broken)) << "a finding is not lost for what is said of it";
  EXPECT_FALSE(read_finding(broken)->acknowledgement);
}

}  // namespace
}  // namespace dupwatch::core::acknowledgement_test
