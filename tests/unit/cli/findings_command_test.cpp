#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "findings_samples.hpp"
#include "tests/unit/postgres/answering/answering_libpq.hpp"

/// The findings that a daemon left in its file and in its table.
namespace dupwatch::cli::findings_command_test {
namespace {

using namespace findings_samples;

/// A findings file with an open fatal finding and one whose run has ended.
class FromFile : public ::testing::Test {
 protected:
  FromFile() {
    const auto file = program_.path("findings.jsonl");
    put(file, core::to_json(finding(1, Severity::kHarmless, FindingState::kRunEnded)) + "\nnot a record\n" +
                  core::to_json(finding(2, Severity::kFatal)) + "\n");
    program_.configure("findings:\n  file: " + file + "\n");
  }
  Ran list(Words more = {}) {
    Words words{"findings", "--source", "file"};
    words.insert(words.end(), more.begin(), more.end());
    return program_.with_config(words);
  }

  Program program_;
};

TEST_F(FromFile, ListsWhatIsUrgentFirstAndSaysWhereItIsFrom) {
  const auto ran = list();
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(says(ran.out, {"SEVERITY", "fatal ", "wrun_2", "harmless ", "run_ended", "wrun_1"}));
  EXPECT_TRUE(
      says(ran.err, {"from " + program_.path("findings.jsonl") + "\n", "next: dupwatch explain --config "}));
}

TEST_F(FromFile, EachFilterLeavesOutTheOthers) {
  struct Case {
    Words words;
    std::vector<std::string> runs;
  };
  for (const auto& each : std::vector<Case>{{{}, {"wrun_2", "wrun_1"}},
                                            {{"--open"}, {"wrun_2"}},
                                            {{"--severity", "harmless,unknown"}, {"wrun_1"}},
                                            {{"--rule", "second_terminal"}, {}},
                                            {{"--state", "run_ended"}, {"wrun_1"}},
                                            {{"--run", "wrun_1"}, {"wrun_1"}},
                                            {{"--correlation-id", "step_2"}, {}},
                                            {{"--since", "1h"}, {}},
                                            {{"--since", "2023-11-14T22:13:20.000002Z"}, {"wrun_2"}},
                                            {{"--limit", "1"}, {"wrun_2"}}}) {
    Words words = each.words;
    words.insert(words.end(), {"-o", "csv"});
    const auto ran = list(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    std::vector<std::string> runs;
    for (const auto* run : {"wrun_2", "wrun_1"}) {
      if (ran.out.find(run) != std::string::npos) runs.emplace_back(run);
    }
    EXPECT_EQ(runs, each.runs) << (each.words.empty() ? "all" : each.words[0]);
  }
}

TEST_F(FromFile, EachFormatIsWhatItIsCalled) {
  const auto json = list({"-o", "json"});
  EXPECT_TRUE(json.out.starts_with(R"({"source":"file","from":")" + program_.path("findings.jsonl") +
                                   R"(","matched":2,"findings":[)"
                                   "\n"))
      << json.out;
  EXPECT_TRUE(json.out.ends_with("]}\n"));
  const auto csv = list({"-o", "csv"});
  EXPECT_EQ(std::ranges::count(csv.out, '\n'), 3);
  EXPECT_TRUE(says(csv.out, {"finding_id,severity,", "0000000000000002,fatal,duplicate_created,open,"}));
  EXPECT_TRUE(says(list({"-o", "wide"}).out, {"PENDING", "IDENTITY", "step_1"}));
  EXPECT_TRUE(says(list({"--group-by", "run"}).out, {"RUN", "FATAL", "wrun_2", "1", "wrun_1"}));
  const auto lines = program_.with_config({"findings", "export", "--source", "file"});
  EXPECT_EQ(std::ranges::count(lines.out, '\n'), 2);
  EXPECT_TRUE(lines.out.starts_with("{\"event\":\"finding\"")) << lines.out;
  EXPECT_TRUE(
      says(list({"--limit", "1"}).err, {"1 of 2 findings, what is urgent first; --limit 0 shows all\n"}));
  EXPECT_EQ(list({"--run", "none"}).out, "no findings\n");
}

TEST_F(FromFile, ShowsOneAndSaysWhereThereIsNone) {
  const auto ran = program_.with_config({"findings", "show", "0000000000000002", "--source", "file"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(
      says(ran.out, {"finding 0000000000000002: fatal duplicate_created, open\n", "  run            wrun_2\n",
                     "  canonical row  wevt_1", "  row at fault   wevt_2", "\nNext:\n  dupwatch explain"}));
  EXPECT_TRUE(program_.with_config({"findings", "show", "0000000000000002", "--source", "file", "-o", "json"})
                  .out.starts_with("{\"event\":\"finding\""));
  const auto none = program_.with_config({"findings", "show", "00000000000000ff", "--source", "file"});
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.err, "error: there is no finding 00000000000000ff; remedy: see dupwatch findings\n");
  const auto wrong = program_.with_config({"findings", "show", "\x1b[2J", "--source", "file"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(says(wrong.err, {" is no finding id; remedy: "}));
  EXPECT_EQ(wrong.err.find('\x1b'), std::string::npos);
}

TEST_F(FromFile, AMistakeInAFilterIsNamed) {
  EXPECT_TRUE(says(list({"--severity", "deadly"}).err, {"--severity: "}));
  EXPECT_TRUE(says(list({"--rule", "fatal"}).err, {"--rule: "}));
  EXPECT_TRUE(says(list({"--state", "closed"}).err, {"--state: "}));
  EXPECT_TRUE(says(list({"--since", "yesterday"}).err, {"--since: expected a time such as "}));
  for (const Words& words : std::vector<Words>{{"--severity", "deadly"},
                                               {"--since", "x"},
                                               {"--open", "--state", "gone"},
                                               {"--limit", "-1"},
                                               {"-o", "yaml"}}) {
    EXPECT_EQ(list(words).code, 2) << words[0];
  }
}

TEST_F(FromFile, WhatOnlyTheDaemonCanDoIsNotReadFromAFile) {
  EXPECT_TRUE(says(
      program_.with_config({"findings", "ack", "0000000000000002", "--comment", "x", "--source", "file"}).err,
      {"the daemon alone can do that"}));
  EXPECT_TRUE(says(program_.with_config({"findings", "watch", "--source", "file"}).err,
                   {"watch: the daemon tells of single findings"}));
}

TEST(FindingsSource, WhatIsNotSetOrCannotBeReadIsSaid) {
  answering::Server server;
  Program program;
  struct Case {
    std::string yaml;
    std::string source;
    int code;
    std::string text;
  };
  for (const auto& each : std::vector<Case>{
           {"", "file", 2, "error: findings.file is not set"},
           {"", "table", 2, "error: findings.table is not set"},
           {"", "daemon", 2, "error: http.listen is empty, so there is no fixed address to ask"},
           {"findings:\n  file: " + program.path("none") + "\n", "file", 3,
            "error: " + program.path("none") + " can't be read: No such file or directory"}}) {
    program.configure(each.yaml);
    const auto ran = program.with_config({"findings", "--source", each.source});
    EXPECT_EQ(ran.code, each.code) << ran.err;
    EXPECT_TRUE(says(ran.err, {each.text}));
  }
}

TEST(FindingsSource, TheTableIsReadWhereItIsAskedForAndItsErrorsHaveTheirCodes) {
  answering::Server server;
  Program program("findings:\n  table: ops.findings\n");
  server.answers("\"ops\".\"findings\"",
                 answering::rows({{core::to_json(finding(2, Severity::kFatal))}, {std::nullopt}}));
  const auto ran = program.with_config({"findings", "--source", "table", "-o", "json"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(says(ran.out, {R"({"source":"table","from":"table ops.findings","matched":1,)", "wrun_2"}));
  server.answers("\"ops\".\"findings\"", answering::failure("42501", "permission denied for table findings"));
  EXPECT_EQ(program.with_config({"findings", "--source", "table"}).code, 3);
  server.refuses("connection refused");
  EXPECT_EQ(program.with_config({"findings", "--source", "table"}).code, 4);
}

TEST(FindingsSource, ByItselfItTakesTheFirstThatAnswersAndSaysWhyNotTheOthers) {
  answering::Server server;
  Program program;
  program.configure("findings:\n  table: ops.findings\n  file: " + program.path("none") + "\n");
  server.answers("\"ops\".\"findings\"", answering::rows({{core::to_json(finding(2, Severity::kFatal))}}));
  const auto ran = program.with_config({"findings"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(says(ran.err, {"http.listen is empty", program.path("none") + " can't be read",
                             "from table ops.findings\n"}));
  EXPECT_TRUE(
      says(program.with_config({"findings", "show", "0000000000000002"}).out, {"finding 0000000000000002"}));
  // A finding alone names the row to take out.
  EXPECT_TRUE(says(program.with_config({"quarantine", "apply", "00000000000000ff", "--yes"}).err,
                   {"there is no finding 00000000000000ff"}));
}

}  // namespace
}  // namespace dupwatch::cli::findings_command_test
