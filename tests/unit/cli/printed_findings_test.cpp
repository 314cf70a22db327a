#include "daemon/cli/printed_findings.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "findings_samples.hpp"

namespace dupwatch::cli::printed_findings_test {
namespace {

using namespace findings_samples;

constexpr decoder::Timestamp kNow{1'800'000'000'000'000};

WatchOptions options(bool json) {
  WatchOptions out;
  out.json = json;
  (void)out.filter.only_severities("fatal");
  return out;
}

TEST(PrintedFindings, TheFirstListIsATableAndALaterOneWhatIsNewInIt) {
  const auto wanted = options(false);
  PrintedFindings printed(wanted, false);
  const auto first = printed.list({finding(2, Severity::kFatal), finding(1, Severity::kFatal)}, kNow);
  EXPECT_TRUE(says(first, {"SEVERITY", "wrun_2", "wrun_1"}));
  EXPECT_EQ(printed.list({finding(2, Severity::kFatal), finding(1, Severity::kFatal)}, kNow), "")
      << "after a reconnect";
  const auto later = printed.list(
      {finding(4, Severity::kFatal), finding(3, Severity::kFatal), finding(2, Severity::kFatal)}, kNow);
  EXPECT_TRUE(says(later, {"wrun_3", "wrun_4"})) << "as they were reported";
  EXPECT_EQ(later.find("SEVERITY"), std::string::npos);
  EXPECT_EQ(later.find("wrun_2"), std::string::npos);
}

TEST(PrintedFindings, AReportIsPrintedOnceUntilItChanges) {
  const auto wanted = options(true);
  PrintedFindings printed(wanted, false);
  const auto one = finding(1, Severity::kFatal);
  EXPECT_EQ(printed.one(one, kNow), core::to_json(one) + "\n");
  EXPECT_EQ(printed.one(one, kNow), "");
  auto changed = one;
  changed.state = FindingState::kRunEnded;
  EXPECT_EQ(printed.one(changed, kNow), core::to_json(changed) + "\n");
  EXPECT_EQ(printed.one(one, kNow), core::to_json(one) + "\n") << "and back";
}

TEST(PrintedFindings, WhatNobodyAskedForIsSilentUnlessItWasShown) {
  const auto wanted = options(true);
  PrintedFindings printed(wanted, false);
  EXPECT_EQ(printed.one(finding(1, Severity::kHarmless), kNow), "");
  (void)printed.one(finding(1, Severity::kFatal), kNow);
  EXPECT_NE(printed.one(finding(1, Severity::kHarmless), kNow), "") << "what was shown is no longer true";
}

TEST(PrintedFindings, InJsonTheListIsALineForEach) {
  const auto wanted = options(true);
  PrintedFindings printed(wanted, false);
  EXPECT_EQ(printed.list({finding(2, Severity::kFatal), finding(1, Severity::kFatal)}, kNow),
            core::to_json(finding(2, Severity::kFatal)) + "\n" + core::to_json(finding(1, Severity::kFatal)) +
                "\n");
}

}  // namespace
}  // namespace dupwatch::cli::printed_findings_test
