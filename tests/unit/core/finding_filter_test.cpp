#include "daemon/core/finding_filter.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::finding_filter_test {
namespace {

Finding sample() {
  Finding out;
  out.id = 0xab;
  out.rule = Rule::kSecondTerminal;
  out.severity = Severity::kFatal;
  out.run_id = "wrun_1";
  out.identity = {"step_1", std::nullopt};
  out.flagged_at = {1'000'000};
  return out;
}

TEST(FindingFilter, AdmitsAllAsItIsMade) {
  for (std::size_t i = 0; i < kSeverities * kRules * kFindingStates; ++i) {
    auto finding = sample();
    finding.severity = static_cast<Severity>(i % kSeverities);
    finding.rule = static_cast<Rule>(i / kSeverities % kRules);
    finding.state = static_cast<FindingState>(i / kSeverities / kRules);
    EXPECT_TRUE(FindingFilter{}.admits(finding));
  }
}

TEST(FindingFilter, EachPartNarrowsIt) {
  const auto finding = sample();
  const auto admits = [&](auto change) {
    FindingFilter filter;
    change(filter);
    return filter.admits(finding);
  };
  EXPECT_TRUE(admits([](auto& f) { EXPECT_EQ(f.only_severities("harmless,fatal"), ""); }));
  EXPECT_FALSE(admits([](auto& f) { EXPECT_EQ(f.only_severities("harmless"), ""); }));
  EXPECT_TRUE(admits([](auto& f) { EXPECT_EQ(f.only_rules("second_terminal"), ""); }));
  EXPECT_FALSE(admits([](auto& f) { EXPECT_EQ(f.only_rules("orphan"), ""); }));
  EXPECT_TRUE(admits([](auto& f) { EXPECT_EQ(f.only_states("open"), ""); }));
  EXPECT_FALSE(admits([](auto& f) { EXPECT_EQ(f.only_states("gone,run_ended"), ""); }));
  for (const auto* part : {"wrun_1", "run", "tep_", "00000000000000ab"}) {
    EXPECT_TRUE(admits([&](auto& f) { f.search = part; })) << part;
  }
  for (const auto* part : {"wrun_2", "Run", "second_terminal", "ab", "00000000000000ac"}) {
    EXPECT_FALSE(admits([&](auto& f) { f.search = part; })) << part;
  }
  EXPECT_TRUE(admits([](auto& f) { f.run_id = "wrun_1"; }));
  EXPECT_FALSE(admits([](auto& f) { f.run_id = "wrun_"; }));
  EXPECT_TRUE(admits([](auto& f) { f.correlation_id = "step_1"; }));
  EXPECT_FALSE(admits([](auto& f) { f.correlation_id = "step_2"; }));
  EXPECT_TRUE(admits([](auto& f) { f.since = decoder::Timestamp{1'000'000}; }));
  EXPECT_FALSE(admits([](auto& f) { f.since = decoder::Timestamp{1'000'001}; }));
}

TEST(FindingFilter, AWrongNameChangesNothingAndIsAnsweredWithTheRightOnes) {
  FindingFilter filter;
  for (const auto* names : {"", "Fatal", "fatal,", ",fatal", "fatal,x", "fatal conflict"}) {
    EXPECT_EQ(filter.only_severities(names),
              "expected one or more of fatal, conflict, harmless, unknown, with commas")
        << names;
  }
  EXPECT_TRUE(filter.admits(sample()));
  EXPECT_NE(filter.only_rules("duplicated"), "");
  EXPECT_NE(filter.only_states("closed"), "");
}

TEST(FindingFilter, AnIdIsSixteenHexadecimalDigits) {
  EXPECT_EQ(parse_finding_id("00000000000000fF"), 255U);
  for (const auto* text : {"", "ff", "00000000000000fg", "0x000000000000ff", "-0000000000000ff",
                           "00000000000000ff0", "+0000000000000ff"}) {
    EXPECT_EQ(parse_finding_id(text), std::nullopt) << text;
  }
}

TEST(FindingFilter, ATimeHasItsZone) {
  const auto micros = [](std::string_view text) {
    const auto time = parse_rfc3339(text);
    return time ? time->micros : -1;
  };
  EXPECT_EQ(micros("1970-01-01T00:00:01Z"), 1'000'000);
  EXPECT_EQ(micros("1970-01-01T01:00:01.5+01:00"), 1'500'000);
  EXPECT_EQ(micros("1970-01-01t00:00:01z"), 1'000'000);
  for (const auto* text : {"", "1970-01-01", "1970-01-01T00:00:01", "1970-01-01 00:00:01Z",
                           "1970-13-01T00:00:01Z", "now", "1970-01-01T00:00:01ZZ"}) {
    EXPECT_EQ(micros(text), -1) << text;
  }
}

}  // namespace
}  // namespace dupwatch::core::finding_filter_test
