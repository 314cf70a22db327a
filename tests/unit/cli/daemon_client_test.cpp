#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/cli/daemon_client.hpp"
#include "findings_samples.hpp"

/// What asks the running daemon: findings, their acknowledgement, and health.
namespace dupwatch::cli::daemon_client_test {
namespace {

using namespace findings_samples;

TEST(DaemonClient, KnowsWhereItsDaemonIsReachedFromTheSameHost) {
  struct Case {
    std::string host;
    std::string url;
    std::string base;
  };
  for (const auto& each : std::vector<Case>{
           {"127.0.0.1", "", "http://127.0.0.1:9788"},
           {"0.0.0.0", "", "http://127.0.0.1:9788"},
           {"::1", "", "http://[::1]:9788"},
           {"[::1]", "", "http://[::1]:9788"},
           {"localhost", "", "http://localhost:9788"},
           {"0.0.0.0", "https://elsewhere.example/dupwatch//", "https://elsewhere.example/dupwatch"}}) {
    core::Config config;
    config.http.host = each.host;
    config.http.port = 9788;
    const auto made = DaemonClient::of(config, each.url);
    ASSERT_TRUE(std::holds_alternative<DaemonClient>(made)) << each.host;
    EXPECT_EQ(std::get<DaemonClient>(made).base(), each.base);
  }
}

TEST(DaemonClient, SaysWhyThereIsNothingToAsk) {
  core::Config config;
  const auto why = [&] {
    const auto made = DaemonClient::of(config, "");
    const auto* failure = std::get_if<DaemonClient::Failure>(&made);
    return failure != nullptr ? failure->what : std::string{};
  };
  config.http.host.clear();
  EXPECT_TRUE(says(why(), {"http.listen is empty"}));
  config.http.host = "127.0.0.1";
  config.http.port = 0;
  EXPECT_TRUE(says(why(), {"http.listen is on port 0"}));
  config.http.port = 9788;
  config.http.web_config_file = "/nonexistent/web.yml";
  EXPECT_TRUE(says(why(), {"/nonexistent/web.yml"}));
}

TEST(DaemonClient, ALongerAnswerThanItWantsIsAFailure) {
  CannedHttp daemon([](const auto&) { return CannedHttp::Answer{.body = std::string(100, 'x')}; });
  const auto made = DaemonClient::of(core::Config{}, daemon.url());
  const auto& client = std::get<DaemonClient>(made);
  const auto enough = client.get("/x", 100);
  EXPECT_TRUE(std::holds_alternative<DaemonClient::Answer>(enough));
  const auto short_of_one = client.get("/x", 99);
  EXPECT_TRUE(std::holds_alternative<DaemonClient::Failure>(short_of_one));
}

TEST(DaemonClient, HandsAStreamOnPieceByPieceAndSaysWhereItWasBefore) {
  CannedHttp daemon([](const auto&) { return CannedHttp::Answer{.body = "event: a\n\n"}; });
  const auto made = DaemonClient::of(core::Config{}, daemon.url());
  std::string heard;
  const auto end = std::get<DaemonClient>(made).stream("/api/events", "7-9",
                                                       [&](std::string_view bytes) { heard += bytes; });
  EXPECT_EQ(heard, "event: a\n\n");
  EXPECT_EQ(end.what, daemon.url() + "/api/events: the stream of events ended");
  EXPECT_NE(daemon.requests().at(0).head.find("Last-Event-ID: 7-9\r\n"), std::string::npos);
}

/// A daemon that has two findings, one on each page.
TEST(FromDaemon, ReadsPageAfterPage) {
  Program program;
  CannedHttp daemon([](const auto& request) {
    const bool second = request.line.find("cursor=c-1") != std::string::npos;
    return CannedHttp::Answer{.body = second ? page_of({finding(1, Severity::kHarmless)}, "null", 9)
                                             : page_of({finding(2, Severity::kFatal)}, "\"c-1\"", 9)};
  });
  const auto ran = program.with_config({"findings", "--url", daemon.url() + "/", "--limit", "0", "--severity",
                                        "fatal,harmless", "--run", "a b"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(says(ran.out, {"wrun_2", "wrun_1"}));
  EXPECT_TRUE(says(
      ran.err, {"from the daemon at " + daemon.url() + "\n", "the daemon keeps the newest findings.keep"}));
  const auto requests = daemon.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].line, "GET /api/findings?severity=fatal%2Charmless&run_id=a%20b");
  EXPECT_EQ(requests[1].line, requests[0].line + "&cursor=c-1");
}

TEST(FromDaemon, ARefusalIsSaidWithItsCode) {
  struct Case {
    CannedHttp::Answer answer;
    int code;
    std::string text;
  };
  Program program;
  for (const auto& each : std::vector<Case>{
           {{.status = 401}, 3, " wants a user and a password that the configuration does not have"},
           {{.status = 500, .body = "no\n"}, 4, ": status 500: no\n"},
           {{.status = 200, .body = "<html>"}, 4, " gives no findings: is it dupwatch?"}}) {
    CannedHttp daemon([&](const auto&) { return each.answer; });
    const auto ran = program.with_config({"findings", "--url", daemon.url()});
    EXPECT_EQ(ran.code, each.code);
    EXPECT_TRUE(says(ran.err, {"error: " + daemon.url(), each.text}));
  }
}

TEST(FromDaemon, OneIsAskedForByItsId) {
  Program program;
  CannedHttp daemon([](const auto& request) {
    if (request.line == "GET /api/findings/0000000000000002")
      return CannedHttp::Answer{.body = core::to_json(finding(2, Severity::kFatal))};
    return CannedHttp::Answer{.status = 404, .body = "{}"};
  });
  EXPECT_TRUE(
      says(program.with_config({"findings", "show", "2", "--url", daemon.url()}).out +
               program.with_config({"findings", "show", "0000000000000002", "--url", daemon.url()}).out,
           {"finding 0000000000000002"}));
  EXPECT_EQ(program.with_config({"findings", "show", "00000000000000ff", "--url", daemon.url()}).code, 2);
}

/// What the daemon answers to a change: the finding as it is now.
std::string changed(const core::Finding& finding, bool durable) {
  return R"({"durable":)" + std::string(durable ? "true" : "false") + R"(,"finding":)" +
         core::to_json(finding) + "}";
}

TEST(Acknowledge, AsksTheDaemonForOneAfterTheOther) {
  auto known = finding(2, Severity::kFatal, FindingState::kAcknowledged);
  known.acknowledgement = core::Acknowledgement{.by = "alice",
                                                .comment = "fixed in 42",
                                                .at = {1'795'497'698'000'000},
                                                .until = {1'795'497'698'000'000}};
  CannedHttp daemon([&](const auto& request) {
    if (request.line.find("0000000000000009") != std::string::npos)
      return CannedHttp::Answer{.status = 404, .body = R"({"error":"no such finding"})"};
    return CannedHttp::Answer{
        .body =
            changed(request.line.ends_with("/unacknowledge") ? finding(2, Severity::kFatal) : known, true)};
  });
  Program program;
  const auto ran =
      program.with_config({"findings", "ack", "0000000000000009", "0000000000000002", "--comment",
                           "fixed \"in\" 42", "--by", "alice", "--until", "8h", "--url", daemon.url()});
  EXPECT_EQ(ran.code, 2) << "of the one that failed";
  EXPECT_EQ(ran.err, "error: 0000000000000009: no such finding\n");
  EXPECT_TRUE(says(
      ran.out, {"0000000000000002 (fatal duplicate_created in run wrun_2): acknowledged by alice until 2026-",
                ": fixed in 42\n"}));
  const auto requests = daemon.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1].line, "POST /api/findings/0000000000000002/acknowledge");
  EXPECT_EQ(requests[1].body, R"({"comment":"fixed \"in\" 42","until":"8h","by":"alice"})");
  EXPECT_NE(requests[1].head.find("Content-Type: application/json"), std::string::npos);
  const auto back =
      program.with_config({"findings", "unack", "0000000000000002", "--url", daemon.url(), "-o", "json"});
  EXPECT_EQ(back.code, 0);
  EXPECT_TRUE(back.out.starts_with("{\"durable\":true,\"findings\":[\n{\"event\":\"finding\"")) << back.out;
  EXPECT_EQ(daemon.requests().back().body, "{}");
}

TEST(Acknowledge, WhatARestartWouldForgetAndWhatFailsIsSaid) {
  struct Case {
    CannedHttp::Answer answer;
    int code;
    std::string text;
  };
  Program program;
  for (const auto& each : std::vector<Case>{
           {{.body = changed(finding(2, Severity::kFatal), false)},
            0,
            "not durable yet: a restart of the daemon forgets it"},
           {{.status = 200, .body = "<html>"}, 4, "gives no finding: is it dupwatch?"},
           {{.status = 401}, 3, "wants a user and a password"},
           {{.status = 403, .body = R"({"error":"read only"})"}, 3, "error: 0000000000000002: read only"},
           {{.status = 400, .body = R"({"error":"until: too long"})"},
            2,
            "error: 0000000000000002: until: too long"},
           {{.status = 503, .body = "busy"}, 4, ": status 503: busy"}}) {
    CannedHttp daemon([&](const auto&) { return each.answer; });
    const auto ran =
        program.with_config({"findings", "ack", "0000000000000002", "--comment", "x", "--url", daemon.url()});
    EXPECT_EQ(ran.code, each.code) << ran.err;
    EXPECT_TRUE(says(ran.err, {each.text}));
  }
  EXPECT_EQ(
      program.with_config({"findings", "ack", "../status", "--comment", "x", "--url", "http://127.0.0.1:1"})
          .code,
      2)
      << "it becomes part of a path";
}

TEST(Watch, WhereNothingIsHeardItEnds) {
  Program program;
  CannedHttp daemon([](const auto&) { return CannedHttp::Answer{.status = 503, .body = "too many\n"}; });
  const auto ran = program.with_config({"findings", "watch", "--url", daemon.url()});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(says(ran.err, {"error: " + daemon.url() + "/api/events: status 503: too many; remedy: "}));
}

TEST(Health, IsTheDaemonsOwnWord) {
  Program program;
  CannedHttp daemon([](const auto& request) {
    return request.line == "GET /readyz" ? CannedHttp::Answer{.status = 503, .body = "starting\n"}
                                         : CannedHttp::Answer{.body = "alive\n"};
  });
  struct Case {
    Words words;
    int code;
    std::string out;
    std::string err;
  };
  for (const auto& each : std::vector<Case>{
           {{}, 0, "alive\n", ""},
           {{"--json"},
            0,
            R"({"healthy":true,"asked":")" + daemon.url() +
                R"(/healthz","status":200,"said":"alive"})"
                "\n",
            ""},
           {{"--ready"}, 1, "", "dupwatch: " + daemon.url() + "/readyz: status 503: starting\n"},
           {{"--ready", "--json"},
            1,
            R"({"healthy":false,"asked":")" + daemon.url() +
                R"(/readyz","status":503,"said":"starting"})"
                "\n",
            "dupwatch: " + daemon.url() + "/readyz: status 503: starting\n"}}) {
    Words words{"health", "--url", daemon.url()};
    words.insert(words.end(), each.words.begin(), each.words.end());
    const auto ran = program.with_config(words);
    EXPECT_EQ(ran.code, each.code);
    EXPECT_EQ(ran.out, each.out);
    EXPECT_EQ(ran.err, each.err);
  }
  const auto none = program.with_config({"health"});
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(says(none.err, {"dupwatch: http.listen is empty"}));
}

TEST(Health, AsksWhereTheDaemonListensWithItsUser) {
  CannedHttp daemon([](const auto&) { return CannedHttp::Answer{.body = "alive\n"}; });
  Program program("http:\n  listen: 0.0.0.0:" + std::to_string(daemon.port()) +
                  "\n  basic_auth:\n    user: ops\n    password: s3cret\n");
  const auto ran = program.with_config({"health"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  // "ops:s3cret" in Base64.
  EXPECT_NE(daemon.requests().at(0).head.find("Authorization: Basic b3BzOnMzY3JldA=="), std::string::npos)
      << daemon.requests().at(0).head;
  const auto elsewhere = program.with_config({"health", "--url", daemon.url()});
  EXPECT_EQ(elsewhere.code, 0);
  EXPECT_EQ(daemon.requests().at(1).head.find("Authorization"), std::string::npos)
      << "a password goes to the daemon alone";
}

TEST(Health, WhereNobodyAnswersItIsNotHealthy) {
  std::string gone;
  {
    const CannedHttp daemon([](const auto&) { return CannedHttp::Answer{}; });
    gone = daemon.url();
  }
  Program program;
  const auto ran = program.with_config({"health", "--url", gone, "--json"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(
      says(ran.out, {R"({"healthy":false,"asked":")" + gone + R"(/healthz","status":null,"said":")"}));
}

}  // namespace
}  // namespace dupwatch::cli::daemon_client_test
