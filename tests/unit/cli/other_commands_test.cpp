#include <gtest/gtest.h>

#include <sys/socket.h>

#include <string>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/config/builtin_profiles.hpp"
#include "daemon/monitoring/dashboards.hpp"
#include "daemon/monitoring/runbooks.hpp"
#include "daemon/web/metric_table.hpp"
#include "over_a_log.hpp"
#include "tests/unit/web/canned_http.hpp"

/// The commands that need no server, those that try a profile, and what the command line refuses.
namespace dupwatch::cli::other_commands_test {
namespace {

using namespace over_a_log;

/// As expect(), for commands that read no configuration.
void expect_alone(Program& program, const Case& each) {
  const auto ran = program.run(each.words);
  EXPECT_EQ(ran.code, each.code) << ran.err;
  EXPECT_EQ(ran.out, each.out);
  EXPECT_EQ(ran.err.substr(0, each.err.size()), each.err);
}

TEST(CommandLine, AnOptionOfAGroupIsKnownWhereAnotherIsNot) {
  Program program;
  expect_alone(
      program,
      {{"alerts", "--print", "--config", "x.yaml"}, 2, "", "error: alerts has no option \"--config\"\n"});
  expect_alone(
      program,
      {{"alerts", "--prnt"}, 2, "", "error: alerts has no option \"--prnt\"; did you mean --print?\n"});
}

TEST(CommandLine, AMistakeIsNamedWithWhatWasMeant) {
  Program program;
  const std::vector<Case> cases = {
      {{"audti"},
       2,
       "",
       "error: dupwatch has no command \"audti\"; did you mean audit?\nRun with --help for more "
       "information.\n"},
      {{"audit", "--severty", "fatal"},
       2,
       "",
       "error: audit has no option \"--severty\"; did you mean --severity?\n"},
      {{"quarantine", "aply"}, 2, "", "error: quarantine has no command \"aply\"; did you mean apply?\n"},
      {{"quarantine", "list", "--jsonn"},
       2,
       "",
       "error: list has no option \"--jsonn\"; did you mean --json?\n"},
      {{"\x1b[2J"}, 2, "", "error: dupwatch has no command \"\\x1b[2J\""},
      {{"audit", "--max-rate", "many"}, 2, "", "--max-rate: "},
  };
  for (const auto& each : cases) expect(program, each);
  EXPECT_EQ(program.run({}).code, 2);
}

TEST(CommandLine, EachCommandHasHelpWithItsCodesAndExamples) {
  Program program;
  for (const auto& row : commands()) {
    const auto ran = program.run({row.name, "--help"});
    EXPECT_EQ(ran.code, 0) << row.name;
    EXPECT_TRUE(says(ran.out, {"Exit codes: ", row.exit_codes, "Examples:\n", "dupwatch"})) << row.name;
    const auto help = program.run({"help", row.name});
    EXPECT_EQ(help.out, ran.out) << row.name;
  }
  expect_alone(program,
               {{"help", "audti"}, 2, "", "error: dupwatch has no command \"audti\"; did you mean audit?\n"});
  EXPECT_TRUE(says(program.run({"help", "findings", "ack"}).out, {"--comment", "--until"}));
  EXPECT_TRUE(says(program.run({"--help"}).out, {"audit", "quarantine", "Exit codes: 0 clean"}));
}

TEST(CommandLine, AConfigurationIsRefusedWithAllItsMistakes) {
  Program program("indx: {}\nfindings:\n  keep: -1\n");
  const auto ran = program.with_config({"audit"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(
      says(ran.err, {"indx", "findings.keep", "configuration: " + program.config_file() + " (--config)\n"}));
  const auto none = program.run({"audit", "--config", program.path("none.yaml")});
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(says(none.err, {program.path("none.yaml")}));
  EXPECT_EQ(program.run({"drop", "--config", program.config_file(), "--slot", "No Slot"}).code, 2)
      << "an option is checked as the key is";
}

TEST(CommandLine, WhatPsShowsOfADsnIsOverwritten) {
  Server server;
  Program program;
  std::vector<std::string> words{"dupwatch",
                                 "drop",
                                 "--config",
                                 program.config_file(),
                                 "--dsn",
                                 "host=x password=s3cret",
                                 "--dsn=password=s3cret"};
  words.pop_back();
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  server.answers("pg_replication_slots", answering::rows({}));
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_program(static_cast<int>(words.size()), argv.data()), 0);
  (void)std::fflush(stdout);
  EXPECT_NE(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(words[5], std::string(22, '*'));

  words = {
      "dupwatch", "config", "set", "connection.dsn=password=s3cret", "--config", program.path("new.yaml")};
  argv.clear();
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_program(static_cast<int>(words.size()), argv.data()), 0);
  (void)std::fflush(stdout);
  EXPECT_NE(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(words[3], "connection.dsn=" + std::string(15, '*'));
  EXPECT_EQ(words[5], program.path("new.yaml"));
}

TEST(VersionCommand, SaysWhatWasBuilt) {
  Program program;
  const auto text = program.run({"version"});
  EXPECT_EQ(text.out, version_line() + "\n");
  EXPECT_EQ(program.run({"--version"}).out, text.out);
  EXPECT_TRUE(says(program.run({"version", "--json"}).out,
                   {R"({"version":")", R"(","revision":")", R"(","compiler":")"}));
}

TEST(MetricsCommand, DescribesInEachFormat) {
  Program program;
  using web::DescriptionFormat;
  const std::vector<std::pair<std::string, DescriptionFormat>> formats = {
      {"text", DescriptionFormat::kText},
      {"json", DescriptionFormat::kJson},
      {"markdown", DescriptionFormat::kMarkdown}};
  for (const auto& [name, format] : formats)
    EXPECT_EQ(program.run({"metrics", "--describe", "--format", name}).out, web::describe_metrics(format))
        << name;
  EXPECT_EQ(program.run({"metrics", "--describe", "--json"}).out,
            web::describe_metrics(DescriptionFormat::kJson));
  EXPECT_EQ(program.run({"metrics"}).code, 2);
}

TEST(AlertsCommand, PrintsRulesNamesAndRunbooks) {
  Program program;
  const auto names = monitoring::runbook_names();
  ASSERT_FALSE(names.empty());
  const std::string first(names.front());
  EXPECT_EQ(program.run({"alerts", "--runbook", first}).out, monitoring::runbook(first));
  EXPECT_TRUE(says(program.run({"alerts", "--list"}).out, {first + "\n", std::string(names.back()) + "\n"}));
  EXPECT_TRUE(says(program.run({"alerts", "--print"}).out, {"groups:", "alert: " + first}));
  EXPECT_TRUE(says(program.run({"alerts", "--print", "--format", "operator"}).out, {"kind: PrometheusRule"}));
  const auto before = program.run({"alerts", "--print"}).out.size();
  EXPECT_GT(program.run({"alerts", "--print", "--exporters"}).out.size(), before);
  auto near = first;
  near.pop_back();
  expect_alone(program, {{"alerts", "--runbook", near},
                         2,
                         "",
                         "error: there is no alert " + near + "; did you mean " + first + "?\n"});
  expect_alone(program,
               {{"alerts", "--runbook", "nothing-like-it"},
                2,
                "",
                "error: there is no alert nothing-like-it; dupwatch alerts --list names them all\n"});
  expect_alone(program, {{"alerts", "--print", "--threshold", "hold"},
                         2,
                         "",
                         "error: --threshold: found hold, expected NAME=VALUE such as hold=10m\n"});
  expect_alone(program, {{"alerts", "--print", "--threshold", "hld=10m"}, 2, "", "error: "});
  EXPECT_EQ(program.run({"alerts"}).code, 2);
  EXPECT_NE(program.run({"alerts", "--print", "--threshold", "hold=17m"}).out.find("17m"), std::string::npos);
}

TEST(DashboardsCommand, PrintsOneWithItsAddresses) {
  Program program;
  for (const auto* name : {"overview", "internals"})
    EXPECT_EQ(program.run({"dashboards", "--print", name}).out, monitoring::dashboard(name, {})) << name;
  EXPECT_NE(program.run({"dashboards", "--print", "overview", "--runbook-url", "https://w/{name}.md"})
                .out.find("https://w/"),
            std::string::npos);
  EXPECT_EQ(program.run({"dashboards", "--print", "other"}).code, 2);
  EXPECT_EQ(program.run({"dashboards", "--print", "overview", "--page-url", "a\"b"}).code, 2);
}

using Profile = OverALog;

TEST_F(Profile, IsListedAndShown) {
  const auto text = program_.with_config({"profile", "list"});
  const auto json = program_.with_config({"profile", "list", "--json"});
  EXPECT_TRUE(text.out.starts_with("workflow-devkit  ")) << text.out;
  EXPECT_TRUE(json.out.starts_with(R"({"profiles":[{"name":"workflow-devkit","summary":")")) << json.out;
  for (const auto& builtin : config::builtin_profiles()) {
    const std::string name(builtin.name);
    EXPECT_NE(text.out.find("\n" + name), std::string::npos) << name;
    EXPECT_NE(json.out.find("{\"name\":\"" + name + "\""), std::string::npos) << name;
    EXPECT_EQ(program_.with_config({"profile", "show", name}).out, builtin.text) << name;
  }
  EXPECT_EQ(program_.with_config({"profile", "show", "workflow-devkit"}).out, "profile: workflow-devkit\n");
  EXPECT_EQ(program_.with_config({"profile", "show", "workflow-devkit", "--json"}).out,
            "{\"name\":\"workflow-devkit\",\"text\":\"profile: workflow-devkit\\n\"}\n");
  expect(program_, {{"profile", "show", "devkit"},
                    2,
                    "",
                    "error: no built-in profile has the name devkit; there are workflow-devkit, "});
  expect(program_, {{"profile"}, 2, "", "error: one of list, show and test is needed\n"});
}

TEST_F(Profile, IsTriedOnTheRowsThatAreThere) {
  server_.answers("OFFSET", answering::rows({}))
      .answers("IS NOT NULL", answering::rows(table::served::run_rows("wrun_a", late_copy())));
  const auto text = program_.with_config({"profile", "test", program_.config_file()});
  EXPECT_EQ(text.code, 1) << text.err;
  EXPECT_TRUE(says(
      text.out, {config_.profile.qualified_name() + " by profile workflow-devkit: 7 events in 1 runs, ",
                 "         1  duplicate_created\n", "            fatal run wrun_a, row " + id_of(6) + "\n"}));
  const auto json = program_.with_config({"profile", "test", program_.config_file(), "--json"});
  EXPECT_TRUE(
      says(json.out, {R"({"profile":"workflow-devkit","table":")" + config_.profile.qualified_name(),
                      R"("rows":7,"runs":1,)",
                      R"("findings":1,"rules":[{"name":"duplicate_created","findings":1,"examples":[{)"}));
  EXPECT_EQ(program_.with_config({"profile", "test", program_.path("none.yaml")}).code, 2);
  server_.answers("OFFSET", answering::failure("42501", "permission denied"));
  EXPECT_EQ(program_.with_config({"profile", "test", program_.config_file()}).code, 3);
}

/// check --offline: what this host says of a configuration.
class Check : public ::testing::Test {
 protected:
  Ran check(const std::string& yaml, const Words& more = {}) {
    program_.configure(yaml);
    Words words{"check", "--offline"};
    words.insert(words.end(), more.begin(), more.end());
    return program_.with_config(words);
  }
  Program program_;
};

TEST_F(Check, TheFindingsFileIsTriedAndNothingIsLeftBehind) {
  const auto in_folder = [&](const std::string& name) {
    return "findings:\n  file: " + program_.path(name) + "\n";
  };
  put(program_.path("there"), "");
  struct One {
    std::string yaml;
    int code;
    std::string line;
  };
  for (const auto& each : std::vector<One>{
           {"", 0, "findings_file            findings.file is empty: findings go to the log alone\n"},
           {in_folder("there"), 0, program_.path("there") + " can be written by "},
           {in_folder("new"), 0, program_.path("new") + " can be written by "},
           {in_folder("none/new"), 1,
            "the folder " + program_.path("none") + " of findings.file does not exist\n"},
           {in_folder("there/new"), 1, program_.path("there/new") + ": Not a directory\n"},
           {in_folder(""), 1, program_.path("") + " is a folder\n"},
           {"findings:\n  file: relative.jsonl\n", 0,
            "relative.jsonl is relative: a service begins in another folder\n"}}) {
    const auto ran = check(each.yaml);
    EXPECT_EQ(ran.code, each.code) << ran.out << ran.err;
    EXPECT_TRUE(
        says(ran.out, {each.line, each.code == 0 ? "ready\n" : "not ready: fix the checks marked fail\n"}));
  }
  EXPECT_FALSE(std::filesystem::exists(program_.path("new")));
}

TEST_F(Check, TheAddressIsTakenForAMoment) {
  web::CannedHttp daemon([](const auto& request) {
    return web::CannedHttp::Answer{.status = request.line == "GET /startupz" ? 503 : 404};
  });
  web::CannedHttp other([](const auto&) { return web::CannedHttp::Answer{.status = 404}; });
  std::uint16_t free = 0;
  {
    const web::CannedHttp gone([](const auto&) { return web::CannedHttp::Answer{}; });
    free = gone.port();
  }
  const auto at = [](std::uint16_t port) {
    return "http:\n  listen: 127.0.0.1:" + std::to_string(port) + "\n";
  };
  EXPECT_TRUE(says(check(at(free)).out, {"http_listen", "127.0.0.1:" + std::to_string(free) + " is free\n"}));
  const auto own = check(at(daemon.port()));
  EXPECT_EQ(own.code, 0);
  EXPECT_TRUE(says(own.out, {"a running dupwatch answers at 127.0.0.1:"}));
  const auto taken = check(at(other.port()));
  EXPECT_EQ(taken.code, 1);
  EXPECT_TRUE(says(taken.out, {"is taken, and no dupwatch answers there\n",
                               "fix: another address in http.listen; ss -ltnp 'sport = :"}));
  const auto elsewhere = check("http:\n  listen: 192.0.2.1:9788\n");
  EXPECT_EQ(elsewhere.code, 1);
  EXPECT_TRUE(says(elsewhere.out, {"192.0.2.1:9788 can't be listened at: ",
                                   "fix: name an address of this host in http.listen\n"}));
}

TEST_F(Check, InJsonEachLineHasItsVerdict) {
  const auto ran = check("findings:\n  file: " + program_.path("none/new") + "\n", {"--json"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(says(
      ran.out,
      {R"({"ok":false,"lines":[)", R"({"name":"findings_file","verdict":"fail","found":"the folder )",
       R"(","fix":"install -d -o )",
       R"({"name":"http_listen","verdict":"skip","found":"http.listen is empty: no page, no metrics, no probes","fix":""}]})"
       "\n"}));
}

TEST_F(Check, AServerThatIsGoneStopsIt) {
  Server server;
  server.refuses("connection to server failed: Connection refused");
  program_.configure("");
  const auto ran = program_.with_config({"check"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(says(ran.out, {"fail", "Connection refused"}));
}

}  // namespace
}  // namespace dupwatch::cli::other_commands_test
