// What the server makes of requests of every kind, over sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "daemon/web/http_server.hpp"
#include "tests/unit/web/http_client.hpp"
#include "tests/unit/web/samples.hpp"

namespace dupwatch::web::http_requests_test {
namespace {

class Requests : public testing::Test {
 protected:
  void SetUp() override {
    store_.publish(streaming());
    store_.beat(StatusStore::Clock::now());
    HttpHooks hooks;
    hooks.reload = []() -> Response { return {200, kJsonContentType, "reloaded"}; };
    hooks.acknowledge = [](const AcknowledgeRequest& wish) -> Response {
      return {200, kJsonContentType, wish.acknowledgement ? wish.acknowledgement->comment : "taken back"};
    };
    auto result = HttpServer::start({.host = "127.0.0.1", .port = 0, .allowed_hosts = {"*.corp.example"}},
                                    store_, core::workflow_devkit_profile(), std::move(hooks));
    ASSERT_TRUE(std::holds_alternative<std::unique_ptr<HttpServer>>(result));
    server_ = std::get<0>(std::move(result));
  }

  [[nodiscard]] Answer send(const std::string& request) const { return exchange(server_->port(), request); }
  [[nodiscard]] Answer get(const std::string& target,
                           const std::string& headers = "Host: localhost\r\n") const {
    return send("GET " + target + " HTTP/1.1\r\n" + headers + "\r\n");
  }

  StatusStore store_{100};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Requests, WhatIsWrongIsSaid) {
  const std::string host = "Host: localhost\r\n";
  const std::vector<std::pair<int, std::string>> cases = {
      {400, "GET /healthz HTTP/1.1\r\n\r\n"},
      {400, "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {400, "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n" + host + "Authorization: a\r\nAuthorization: b\r\n\r\n"},
      {400, "GET /%zz HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /%00 HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET metrics HTTP/1.1\r\n" + host + "\r\n"},
      {400, "G E T / HTTP/1.1\r\n" + host + "\r\n"},
      {400, "GET /healthz HTTP/1.1\n" + host + "\n"},
      {400, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\1b\r\n\r\n"},
      {400, std::string("\x16\x03\x01\x00\xa5\x01\x00", 7) + std::string(100, 'x') + "\r\n\r\n"},
      {400,
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n"},
      {404, "GET /../../etc/passwd HTTP/1.1\r\n" + host + "\r\n"},
      {404, "GET * HTTP/1.1\r\n" + host + "\r\n"},
      {405, "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc"},
      {405, "BREW / HTTP/1.1\r\n" + host + "\r\n"},
      {413, "POST / HTTP/1.1\r\n" + host + "Content-Length: 10485760\r\n\r\n"},
      {414, "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host + "\r\n"},
      {431, "GET / HTTP/1.1\r\n" + host + "X: " + std::string(9000, 'a') + "\r\n\r\n"},
      {505, "GET / HTTP/9.9\r\n" + host + "\r\n"},
      {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
  };
  for (const auto& [status, request] : cases) {
    const auto answer = send(request);
    EXPECT_EQ(answer.status, status) << request.substr(0, 80);
    EXPECT_EQ(answer.headers.count("x-content-type-options"), 1U) << request.substr(0, 80);
  }
}

TEST_F(Requests, OldAndAbsoluteFormsAreAnswered) {
  EXPECT_EQ(send("GET /healthz HTTP/1.0\r\n\r\n").body, "ok\n");
  EXPECT_EQ(get("http://127.0.0.1:9788/healthz").body, "ok\n");
  EXPECT_EQ(get("http://a.corp.example/api/status", "Host: a.corp.example\r\n").status, 200);
  EXPECT_EQ(get("http://evil.example/api/status").status, 403) << "the target's name counts";
  EXPECT_EQ(send("HEAD /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").headers.at("content-type"),
            "text/event-stream; charset=utf-8");
}

TEST_F(Requests, AForeignNameReadsNothingButTheProbes) {
  std::uint64_t refused = 0;
  for (const auto* path :
       {"/", "/metrics", "/api/status", "/api/findings", "/api/events", "/api/history", "/app.js"}) {
    for (const auto* host : {"evil.example", "evil.example:9788", "localhost.evil.example", "x"}) {
      const auto answer = get(path, std::string{"Host: "} + host + "\r\n");
      EXPECT_EQ(answer.status, 403) << path << " " << host;
      EXPECT_EQ(answer.body.find("evil"), std::string::npos);
      EXPECT_EQ(server_->stats().foreign, ++refused);
    }
  }
  EXPECT_EQ(get("/healthz", "Host: evil.example\r\n").status, 200);
  for (const auto* host : {"localhost:1", "127.0.0.1", "[::1]:9788", "10.0.0.7", "a.corp.example"}) {
    EXPECT_EQ(get("/api/status", std::string{"Host: "} + host + "\r\n").status, 200) << host;
  }
  server_->set_allowed_hosts({"evil.example"});
  EXPECT_EQ(get("/api/status", "Host: evil.example\r\n").status, 200);
  EXPECT_EQ(get("/api/status", "Host: a.corp.example\r\n").status, 403);
}

TEST_F(Requests, AForeignNameGetsNoReason) {
  auto status = streaming();
  status.ready = false;
  status.not_ready_reason = "table public.secret is gone";
  store_.publish(status);
  EXPECT_EQ(get("/readyz", "Host: evil.example\r\n").body, "not ready\n");
  EXPECT_EQ(get("/readyz").body, "table public.secret is gone\n");
}

TEST_F(Requests, AForeignPageChangesNothing) {
  const auto post = [&](const std::string& headers) {
    return send("POST /-/reload HTTP/1.1\r\nHost: localhost:9788\r\n" + headers + "\r\n").status;
  };
  for (const auto* headers : {"Origin: https://evil.example\r\n", "Origin: null\r\n",
                              "Sec-Fetch-Site: cross-site\r\n", "Origin: http://localhost:9789\r\n",
                              "Origin: http://localhost:9788\r\nSec-Fetch-Site: same-site\r\n"}) {
    EXPECT_EQ(post(headers), 403) << headers;
  }
  EXPECT_EQ(post("Origin: http://localhost:9788\r\nSec-Fetch-Site: same-origin\r\n"), 200);
  EXPECT_EQ(post(""), 200);
  // A browser sends the password that it knows to whoever asks, so that proves nothing.
  server_->set_basic_auth({.user = "prom", .password = "right"});
  const std::string right = "Authorization: Basic cHJvbTpyaWdodA==\r\n";
  EXPECT_EQ(post(right + "Origin: https://evil.example\r\n"), 403);
  EXPECT_EQ(post(right), 200);
  EXPECT_EQ(get("/api/status", "Host: evil.example\r\n" + right).status, 200)
      << "a foreign page has no password to show";
}

/// A POST with a JSON body.
std::string acknowledging(const std::string& headers, const std::string& body,
                          const std::string& act = "acknowledge") {
  return "POST /api/findings/0123456789abcdef/" + act + " HTTP/1.1\r\nHost: localhost:9788\r\n" + headers +
         "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}
const std::string kWish = R"({"comment":"known","until":"8h"})";

TEST_F(Requests, AnAcknowledgementIsTakenWithItsBody) {
  auto answer = send(acknowledging("", kWish));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "known");
  EXPECT_EQ(send(acknowledging("", "", "unacknowledge")).body, "taken back");
  const auto longest = R"({"comment":")" + std::string(1000, 'c') + R"(","until":"8h"})";
  EXPECT_EQ(send(acknowledging("", longest)).body, std::string(1000, 'c'));
  EXPECT_EQ(send(acknowledging("", kWish.substr(1))).status, 400);
  EXPECT_EQ(send(acknowledging("", kWish + std::string(9000, ' '))).status, 400) << "too long to be taken";
  EXPECT_EQ(get("/api/findings/0123456789abcdef/acknowledge").status, 405);
  EXPECT_EQ(get("/api/findings/0123456789abcdef/acknowledge").headers.at("allow"), "POST");
}

TEST_F(Requests, NobodyAcknowledgesForSomebodyElse) {
  for (const auto* headers :
       {"Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"}) {
    EXPECT_EQ(send(acknowledging(headers, kWish)).status, 403) << headers;
  }
  EXPECT_EQ(
      send(acknowledging("Origin: http://localhost:9788\r\nSec-Fetch-Site: same-origin\r\n", kWish)).status,
      200);
  server_->set_basic_auth({.user = "prom", .password = "right"});
  EXPECT_EQ(send(acknowledging("", kWish)).status, 401);
  EXPECT_EQ(send(acknowledging("Authorization: Basic cHJvbTpyaWdodA==\r\n", kWish)).status, 200);
}

TEST_F(Requests, AnAcknowledgementOverTheNetworkNeedsAPassword) {
  HttpHooks hooks;
  hooks.acknowledge = [](const AcknowledgeRequest&) -> Response { return {200, kJsonContentType, "done"}; };
  auto result = HttpServer::start({.host = "0.0.0.0", .port = 0}, store_, core::workflow_devkit_profile(),
                                  std::move(hooks));
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<HttpServer>>(result));
  const auto server = std::get<0>(std::move(result));
  const auto refused = exchange(server->port(), acknowledging("", kWish));
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("set http.basic_auth"), std::string::npos) << refused.body;
  server->set_basic_auth({.user = "prom", .password = "right"});
  EXPECT_EQ(
      exchange(server->port(), acknowledging("Authorization: Basic cHJvbTpyaWdodA==\r\n", kWish)).status,
      200);
}

TEST_F(Requests, MetricsComeAsTheyAreAskedFor) {
  const auto open =
      get("/metrics",
          "Host: localhost\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
  EXPECT_EQ(open.headers.at("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open.body.ends_with("\n# EOF\n"));
  EXPECT_NE(open.body.find("# TYPE dupwatch_findings counter\n"), std::string::npos);
  EXPECT_NE(open.body.find("\ndupwatch_commit_to_flag_seconds_bucket{le=\"1.0\"} "), std::string::npos);
  EXPECT_NE(open.body.find("\ndupwatch_commit_to_flag_seconds_bucket{le=\"+Inf\"} "), std::string::npos);
  const auto packed = get("/metrics", "Host: localhost\r\nAccept-Encoding: gzip\r\n");
  EXPECT_EQ(packed.headers.at("content-encoding"), "gzip");
  EXPECT_LT(packed.body.size(), get("/metrics").body.size() / 2);
  EXPECT_EQ(
      get("/api/findings", "Host: localhost\r\nAccept-Encoding: gzip\r\n").headers.count("content-encoding"),
      0U);
}

TEST_F(Requests, ABodyOfAnySizeDoesNotTakeTheAnswerAway) {
  const auto answer = send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194304\r\n\r\n" +
                           std::string(4'194'304, 'x'));
  EXPECT_EQ(answer.status, 413);
}

TEST_F(Requests, ManyReadersHearOfAFindingAndCostNoThread) {
  constexpr int kReaders = 150;
  std::vector<std::thread> readers;
  std::atomic<int> heard = 0;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      const auto answer = get("/api/events");
      if (answer.body.find("event: finding") != std::string::npos) ++heard;
    });
  }
  const auto until = StatusStore::Clock::now() + std::chrono::seconds{20};
  while (server_->stats().connections < kReaders && StatusStore::Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(server_->stats().connections, kReaders);
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  store_.add(finding(7));
  std::this_thread::sleep_for(std::chrono::milliseconds{1500});
  EXPECT_EQ(call(server_->port(), "GET", "/healthz").status, 200);
  // Other users: the streams end.
  server_->set_basic_auth({.user = "prom", .password = "right"});
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(heard, kReaders);
}

TEST_F(Requests, AHalfSentRequestEndsWith408) {
  const auto begin = StatusStore::Clock::now();
  EXPECT_EQ(send("GET / HTTP/1.1\r\nHost: loc").status, 408);
  const auto took = StatusStore::Clock::now() - begin;
  EXPECT_GT(took, std::chrono::seconds{4});
  EXPECT_LT(took, std::chrono::seconds{9});
}

}  // namespace
}  // namespace dupwatch::web::http_requests_test
