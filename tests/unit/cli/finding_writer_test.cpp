#include "daemon/cli/finding_writer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "findings_samples.hpp"

namespace dupwatch::cli::finding_writer_test {
namespace {

using namespace findings_samples;

TEST(CsvField, IsQuotedWhereItMustBeAndNeverAFormula) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain", "plain"},
      {"a,b", "\"a,b\""},
      {"a\"b", "\"a\"\"b\""},
      {"a\nb", "\"a\nb\""},
      {"a\rb", "\"a\rb\""},
      {"=1+1", "'=1+1"},
      {"+1", "'+1"},
      {"-1", "'-1"},
      {"@x", "'@x"},
      {"\tx", "'\tx"},
      {"=a,b", "\"'=a,b\""},
      {"a=b", "a=b"},
      {"ä", "ä"},
  };
  for (const auto& [text, field] : cases) EXPECT_EQ(csv_field(text), field);
}

TEST(Columns, AreThoseOfTheScreenAndNotBytes) {
  EXPECT_EQ(screen_columns(""), 0U);
  EXPECT_EQ(screen_columns("abc"), 3U);
  EXPECT_EQ(screen_columns("läuft…"), 6U);
  EXPECT_EQ(padded("ä", 3), "ä  ");
  EXPECT_EQ(padded("abc", 2), "abc");
}

TEST(IdentityText, NamesNull) {
  auto one = finding(1, Severity::kFatal);
  EXPECT_EQ(identity_text(one), "step_1");
  one.identity = {"a", std::nullopt, ""};
  EXPECT_EQ(identity_text(one), "a NULL ");
  one.identity.clear();
  EXPECT_EQ(identity_text(one), "");
}

TEST(Colours, AreThereOnlyWhereTheyAreSeen) {
  for (std::size_t i = 0; i < core::kSeverities; ++i) {
    const auto severity = static_cast<Severity>(i);
    EXPECT_EQ(colour_of(severity, false), "");
    EXPECT_TRUE(colour_of(severity, true).starts_with("\x1b["));
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_NE(colour_of(severity, true), colour_of(static_cast<Severity>(j), true));
  }
  EXPECT_EQ(colour_end(false), "");
  EXPECT_EQ(colour_end(true), "\x1b[0m");
}

/// What a writer prints of these findings.
std::string written(OutputFormat format, const std::vector<core::Finding>& findings,
                    const FindingWriter::Summary& summary) {
  testing::internal::CaptureStdout();
  FindingWriter writer(format, " --config x.yaml");
  for (const auto& each : findings) writer.write(each);
  writer.finish(summary);
  EXPECT_EQ(writer.written(), findings.size());
  (void)std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

core::Finding hostile() {
  auto one = finding(3, Severity::kFatal);
  one.run_id = "\x1b[2J";
  one.type = "a\nb";
  one.identity = {"\x1b]0;x\a"};
  one.closing.emplace().id = "wevt_c";
  return one;
}

TEST(FindingWriter, TextHasALineForEachPartThatThereIs) {
  const auto text = written(OutputFormat::kText, {finding(1, Severity::kHarmless)},
                            {.rows = 2, .runs = 1, .complete = true, .next_after = {}});
  EXPECT_TRUE(
      text.starts_with("harmless  duplicate_created  run wrun_1  finding 0000000000000001\n"
                       "          step_created step_1, row wevt_2\n"
                       "          canonical row wevt_1\n"
                       "          "))
      << text;
  EXPECT_TRUE(says(text, {"\n\n1 finding in 2 rows of 1 run\n          1  harmless  duplicate_created\nlook "
                          "at one: dupwatch explain --config x.yaml RUN; take a fatal row out: dupwatch "
                          "quarantine apply --config x.yaml RUN FINDING\n"}));
  auto bare = finding(1, Severity::kUnknown, FindingState::kRunEnded);
  bare.type.clear();
  bare.canonical.id.clear();
  bare.duplicate.id.clear();
  const auto of_bare =
      written(OutputFormat::kText, {bare}, {.rows = 1, .runs = 2, .complete = false, .next_after = "wrun_1"});
  EXPECT_TRUE(says(of_bare, {"          - step_1, row -\n", " (the run has ended)\n",
                             "1 finding in 1 row of 2 runs, not complete\n"}));
  EXPECT_EQ(of_bare.find("canonical row"), std::string::npos);
}

TEST(FindingWriter, TextOfTheTableDoesNotReachTheTerminal) {
  const auto text =
      written(OutputFormat::kText, {hostile()}, {.rows = 1, .runs = 1, .complete = true, .next_after = {}});
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_EQ(text.find('\a'), std::string::npos) << text;
  EXPECT_TRUE(says(text, {", closed by wevt_c\n"}));
}

TEST(FindingWriter, TheSummaryCountsByRuleAndSeverity) {
  auto other = finding(4, Severity::kFatal);
  other.rule = core::Rule::kSecondTerminal;
  const std::vector<core::Finding> all = {finding(1, Severity::kFatal), finding(2, Severity::kFatal),
                                          finding(3, Severity::kHarmless), other};
  const FindingWriter::Summary summary{.rows = 9, .runs = 4, .complete = false, .next_after = "wrun_\"4"};
  const auto json = written(OutputFormat::kJson, all, summary);
  EXPECT_TRUE(json.ends_with(
      R"({"event":"audit","complete":false,"rows":9,"runs":4,"findings":4,"by_rule":[)"
      R"({"rule":"duplicate_created","severity":"fatal","findings":2},{"rule":"duplicate_created","severity":"harmless","findings":1},)"
      R"({"rule":"second_terminal","severity":"fatal","findings":1}],"next_after":"wrun_\"4"})"
      "\n"))
      << json;
  EXPECT_EQ(std::ranges::count(json, '\n'), 5);
  const auto csv = written(OutputFormat::kCsv, all, summary);
  EXPECT_EQ(std::ranges::count(csv, '\n'), 5) << "headings and a line for each, and no summary";
  EXPECT_EQ(written(OutputFormat::kText, {}, {.rows = 1, .runs = 1, .complete = true, .next_after = {}}),
            "0 findings in 1 row of 1 run\n");
}

TEST(CsvLine, HasAFieldForEachHeading) {
  auto one = hostile();
  one.run_id = "=wrun,1";
  const auto line = csv_line(one);
  EXPECT_TRUE(line.starts_with("0000000000000003,fatal,duplicate_created,open,")) << line;
  EXPECT_TRUE(says(line, {",\"'=wrun,1\",", ",wevt_1,wevt_2,wevt_c,false,2023-11-14T22:13:20"}));
  EXPECT_EQ(std::ranges::count(csv_header(), ','), 13);
}

}  // namespace
}  // namespace dupwatch::cli::finding_writer_test
