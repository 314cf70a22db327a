#include "daemon/cli/findings_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/findings_source.hpp"

namespace dupwatch::cli::findings_view_test {
namespace {

using core::FindingState;
using core::Severity;

constexpr std::int64_t kMinute = 60'000'000;
constexpr decoder::Timestamp kNow{1'000 * kMinute};

core::Finding finding(std::uint64_t id, Severity severity, FindingState state = FindingState::kOpen) {
  core::Finding out;
  out.id = id;
  out.rule = core::Rule::kDuplicateCreated;
  out.shape = core::Shape::kAfterClose;
  out.severity = severity;
  out.state = state;
  out.run_id = "wrun_01KRPCM1M08Q2V5D6HXK3T9WN" + std::to_string(id % 10);
  out.identity = {"step_1"};
  out.type = "step_created";
  out.canonical.id = "wevt_1";
  out.duplicate.id = "wevt_2";
  out.flagged_at = {kNow.micros - static_cast<std::int64_t>(id) * kMinute};
  return out;
}

std::string order(std::vector<core::Finding> findings) {
  sort_for_action(findings);
  std::string ids;
  for (const auto& one : findings) ids += std::to_string(one.id) + " ";
  return ids;
}

std::size_t longest(const std::string& text) {
  std::istringstream in(text);
  std::size_t most = 0;
  for (std::string line; std::getline(in, line);) most = std::max(most, screen_columns(line));
  return most;
}

TEST(FindingsView, WhatIsUrgentComesFirstAndTheNewestOfIt) {
  EXPECT_EQ(order({finding(1, Severity::kHarmless), finding(5, Severity::kFatal),
                   finding(2, Severity::kFatal, FindingState::kRunEnded), finding(4, Severity::kConflict),
                   finding(3, Severity::kFatal)}),
            "3 5 4 1 2 ");
}

TEST(FindingsView, ATableOfRealIds) {
  EXPECT_EQ(
      findings_table({finding(3, Severity::kFatal), finding(150, Severity::kHarmless, FindingState::kGone)},
                     TableWidth::kNarrow, kNow, false),
      "SEVERITY  STATE  RULE               RUN                              FINDING           AGE\n"
      "fatal     open   duplicate_created  wrun_01KRPCM1M08Q2V5D6HXK3T9WN3  0000000000000003  3m\n"
      "harmless  gone   duplicate_created  wrun_01KRPCM1M08Q2V5D6HXK3T9WN0  0000000000000096  2h\n");
}

TEST(FindingsView, NoLineIsWiderThanAHundredColumnsAndNoFindingIdIsCut) {
  for (std::size_t rule = 0; rule < core::kRules; ++rule) {
    for (std::size_t state = 0; state < core::kFindingStates; ++state) {
      auto one = finding(1, Severity::kConflict, static_cast<FindingState>(state));
      one.rule = static_cast<core::Rule>(rule);
      one.id = 0xfedcba9876543210;
      for (const auto* run : {"r", "wrun_01KRPCM1M08Q2V5D6HXK3T9WNB",
                              "a-run-of-another-engine/with-a-very-long-id-that-does-not-end-0123456789",
                              "läuft-ünd-läuft-ünd-läuft-ünd-läuft-ünd-läuft-ünd-läuft"}) {
        one.run_id = run;
        for (const auto& text : {findings_table({one}, TableWidth::kNarrow, kNow, false),
                                 findings_line(one, TableWidth::kNarrow, kNow, false)}) {
          EXPECT_LE(longest(text), kTableColumnsMax) << text;
          EXPECT_NE(text.find("fedcba9876543210"), std::string::npos) << text;
          EXPECT_EQ(text.find('\xC3') == std::string::npos, std::string_view(run).front() != 'l') << text;
        }
        if (std::string_view(run).size() <= 31) {
          EXPECT_NE(findings_line(one, TableWidth::kNarrow, kNow, false).find(run), std::string::npos);
        }
        EXPECT_LE(longest(runs_table({one}, false)), kTableColumnsMax);
        EXPECT_NE(findings_table({one}, TableWidth::kWide, kNow, false).find(run), std::string::npos);
      }
    }
  }
}

TEST(FindingsView, TextOfTheTableDoesNotReachTheTerminal) {
  auto one = finding(1, Severity::kFatal);
  one.run_id = "\x1b[2J";
  one.type = "\x1b]0;x\a";
  for (const auto& text : {findings_table({one}, TableWidth::kWide, kNow, false), runs_table({one}, false),
                           finding_text(one, "", false)}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  }
}

TEST(FindingsView, OnlyWhatIsOpenHasAColour) {
  EXPECT_NE(
      findings_line(finding(1, Severity::kFatal), TableWidth::kNarrow, kNow, true).find("\x1b[1;31mfatal"),
      std::string::npos);
  EXPECT_EQ(findings_line(finding(1, Severity::kFatal, FindingState::kGone), TableWidth::kNarrow, kNow, true)
                .find('\x1b'),
            std::string::npos);
}

TEST(FindingsView, RunsAreCounted) {
  EXPECT_EQ(
      runs_table({finding(1, Severity::kFatal), finding(11, Severity::kHarmless),
                  finding(2, Severity::kFatal), finding(21, Severity::kFatal, FindingState::kGone)},
                 false),
      "RUN                              FATAL  CONFLICT  HARMLESS  UNKNOWN  CLOSED  NEWEST\n"
      "wrun_01KRPCM1M08Q2V5D6HXK3T9WN1  1      0         1         0        1       1970-01-01T16:39:00Z\n"
      "wrun_01KRPCM1M08Q2V5D6HXK3T9WN2  1      0         0         0        0       1970-01-01T16:38:00Z\n");
}

TEST(FindingsView, OneSaysWhatToDoNext) {
  const auto text = finding_text(finding(1, Severity::kFatal), " --config x.yaml", false);
  EXPECT_TRUE(text.starts_with("finding 0000000000000001: fatal duplicate_created, open\n")) << text;
  EXPECT_TRUE(text.ends_with(
      "\nNext:\n  dupwatch explain --config x.yaml wrun_01KRPCM1M08Q2V5D6HXK3T9WN1\n"
      "  dupwatch quarantine apply --config x.yaml wrun_01KRPCM1M08Q2V5D6HXK3T9WN1 0000000000000001\n"))
      << text;
  EXPECT_EQ(finding_text(finding(1, Severity::kFatal, FindingState::kGone), "", false).find("quarantine"),
            std::string::npos);
}

TEST(FindingsView, Ages) {
  EXPECT_EQ(age_text(-5), "0s");
  EXPECT_EQ(age_text(59'999'999), "59s");
  EXPECT_EQ(age_text(60'000'000), "1m");
  EXPECT_EQ(age_text(3'600'000'000), "1h");
  EXPECT_EQ(age_text(std::int64_t{86'400} * 3 * 1'000'000 - 1), "2d");
}

TEST(FindingsSource, AFilterIsTheQueryOfTheApi) {
  core::FindingFilter filter;
  EXPECT_EQ(query_of(filter), "");
  EXPECT_EQ(filter.only_severities("conflict,fatal"), "");
  EXPECT_EQ(filter.only_states("open"), "");
  filter.run_id = "a b&c";
  filter.since = decoder::Timestamp{1'500'000};
  EXPECT_EQ(query_of(filter),
            "severity=fatal%2Cconflict&state=open&run_id=a%20b%26c&"
            "since=1970-01-01T00%3A00%3A01.500000Z");
}

TEST(FindingsSource, APageIsRead) {
  const auto page = read_page(R"({"findings":[)" + core::to_json(finding(7, Severity::kFatal)) +
                              R"(],"total":9,"kept":8,"matched":3,"next":"a-1"})");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->findings.size(), 1U);
  EXPECT_EQ(page->findings[0].id, 7U);
  EXPECT_EQ(page->matched, 3U);
  EXPECT_EQ(page->kept, 8U);
  EXPECT_EQ(page->total, 9U);
  EXPECT_EQ(page->next, "a-1");
  EXPECT_EQ(read_page(R"({"findings":[],"total":0,"kept":0,"matched":0,"next":null})")->next, "");
  for (const auto* text : {"", "<html>", R"({"findings":[]})", R"({"findings":[],"total":0})"}) {
    EXPECT_FALSE(read_page(text)) << text;
  }
}

}  // namespace
}  // namespace dupwatch::cli::findings_view_test
