#include "daemon/web/http_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/web/http_client.hpp"
#include "tests/unit/web/samples.hpp"

namespace dupwatch::web::http_server_test {
namespace {

std::unique_ptr<HttpServer> started(StatusStore& store, const std::string& host = "127.0.0.1") {
  auto result = HttpServer::start({.host = host, .port = 0}, store, core::workflow_devkit_profile());
  if (const auto* failure = std::get_if<HttpServer::Failure>(&result)) {
    ADD_FAILURE() << failure->messages.front();
    return nullptr;
  }
  return std::get<0>(std::move(result));
}

class Server : public testing::Test {
 protected:
  void SetUp() override {
    store_.publish(streaming());
    store_.beat(StatusStore::Clock::now());
    server_ = started(store_);
    ASSERT_NE(server_, nullptr);
    ASSERT_NE(server_->port(), 0);
  }

  StatusStore store_{100};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Server, ServesMetricsWithTheVersionedType) {
  const auto answer = call(server_->port(), "GET", "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(answer.headers.at("content-length"), std::to_string(answer.body.size()));
  EXPECT_NE(answer.body.find("# TYPE dupwatch_commit_to_flag_seconds histogram\n"), std::string::npos);
}

TEST_F(Server, EveryAnswerCarriesTheSecurityHeaders) {
  for (const auto* target : {"/", "/metrics", "/api/status", "/nothing", "/api/findings?limit=0"}) {
    const auto answer = call(server_->port(), "GET", target);
    EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff") << target;
    EXPECT_EQ(answer.headers.at("content-security-policy").find("default-src 'none'"), 0U) << target;
    EXPECT_EQ(answer.headers.at("cache-control"), "no-store") << target;
    EXPECT_EQ(answer.headers.at("connection"), "close") << target;
    EXPECT_EQ(answer.headers.count("access-control-allow-origin"), 0U) << target;
  }
}

TEST_F(Server, HeadHasTheHeadersAlone) {
  const auto get = call(server_->port(), "GET", "/api/status");
  const auto head = call(server_->port(), "HEAD", "/api/status");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.headers.at("content-length"), get.headers.at("content-length"));
}

TEST_F(Server, OtherMethodsAreRefusedWithAllow) {
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const auto answer = call(server_->port(), method, "/metrics");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.headers.at("allow"), "GET, HEAD") << method;
  }
}

TEST_F(Server, PassesTheQueryOn) {
  EXPECT_EQ(call(server_->port(), "GET", "/api/findings?limit=1").status, 200);
  EXPECT_EQ(call(server_->port(), "GET", "/api/findings?limit=101").status, 400);
}

TEST_F(Server, CrossOriginPreflightGetsNoPermission) {
  const auto answer =
      exchange(server_->port(),
               "OPTIONS /api/status HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.com\r\n"
               "Access-Control-Request-Method: GET\r\n\r\n");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.count("access-control-allow-origin"), 0U);
}

TEST_F(Server, MalformedRequestsDoNotHurtTheNext) {
  for (const auto* request :
       {"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\r\n\r\n", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://other/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"}) {
    const auto answer = exchange(server_->port(), request);
    EXPECT_NE(answer.status, 500) << request;
    EXPECT_EQ(answer.body.find("root:"), std::string::npos) << request;
  }
  const auto huge =
      exchange(server_->port(), "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(huge.status, 200);
  EXPECT_EQ(call(server_->port(), "GET", "/healthz").status, 200);
}

TEST_F(Server, ServesManyClientsWhileTheBoardChanges) {
  constexpr int kClients = 8;
  constexpr int kRequests = 100;
  std::atomic<bool> done = false;
  std::thread writer{[&] {
    for (std::uint64_t id = 1; !done; ++id) {
      store_.add(finding(id));
      store_.publish(streaming());
      store_.beat(StatusStore::Clock::now());
      std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
  }};
  std::atomic<int> ok = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      constexpr const char* kTargets[] = {"/metrics", "/healthz", "/api/status", "/api/findings?limit=5",
                                          "/"};
      for (int i = 0; i < kRequests; ++i) {
        if (call(server_->port(), "GET", kTargets[(client + i) % 5]).status == 200) ++ok;
      }
    });
  }
  for (auto& client : clients) client.join();
  done = true;
  writer.join();
  EXPECT_EQ(ok, kClients * kRequests);
}

TEST_F(Server, StopsAtOnce) {
  const auto begin = StatusStore::Clock::now();
  server_.reset();
  EXPECT_LT(StatusStore::Clock::now() - begin, std::chrono::seconds{1});
}

TEST_F(Server, SilentClientsDoNotKeepItFromStopping) {
  const auto port = server_->port();
  std::vector<std::thread> silent;
  for (int i = 0; i < 2; ++i) silent.emplace_back([port] { (void)exchange(port, "GET / HT"); });
  std::this_thread::sleep_for(std::chrono::milliseconds{50});
  const auto begin = StatusStore::Clock::now();
  server_.reset();
  EXPECT_LT(StatusStore::Clock::now() - begin, std::chrono::seconds{8});
  for (auto& client : silent) client.join();
}

TEST_F(Server, APortInUseIsAnErrorThatNamesIt) {
  const core::HttpConfig taken{.host = "127.0.0.1", .port = server_->port()};
  const auto result = HttpServer::start(taken, store_, core::workflow_devkit_profile());
  const auto* failure = std::get_if<HttpServer::Failure>(&result);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->kind, HttpServer::Failure::Kind::kListen);
  EXPECT_EQ(failure->messages.front(),
            "cannot listen on 127.0.0.1:" + std::to_string(server_->port()) + ": Address already in use");
  EXPECT_EQ(call(server_->port(), "GET", "/healthz").status, 200);
}

/// A request with further header lines.
Answer with_headers(std::uint16_t port, std::string_view target, const std::string& headers) {
  std::string request{"GET "};
  request.append(target).append(" HTTP/1.1\r\nHost: localhost\r\n").append(headers).append("\r\n");
  return web::exchange(port, request);
}

// prom:right
const std::string kRight = "Authorization: Basic cHJvbTpyaWdodA==\r\n";
const std::string kWrong = "Authorization: Basic cHJvbTp3cm9uZw==\r\n";

class Guarded : public Server {
 protected:
  void SetUp() override {
    Server::SetUp();
    server_->set_basic_auth({.user = "prom", .password = "right"});
  }
};

TEST_F(Guarded, EveryPathButTheProbesWantsThePassword) {
  std::uint64_t refused = 0;
  for (const auto* path : {"/", "/metrics", "/api/status", "/api/findings", "/api/events", "/api/history",
                           "/app.js", "/app.css", "/icon.svg", "/nothing", "/readyz/", "/%72eadyz/x"}) {
    for (const auto& headers : {std::string{}, kWrong, std::string{"Authorization: Bearer x\r\n"}}) {
      const auto answer = with_headers(server_->port(), path, headers);
      ASSERT_EQ(answer.status, 401) << path << " " << headers;
      EXPECT_EQ(answer.headers.at("www-authenticate"), R"(Basic realm="dupwatch", charset="UTF-8")") << path;
      EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff") << path;
      EXPECT_EQ(answer.body, "a user and a password are needed\n") << path;
      EXPECT_EQ(server_->stats().unauthorized, ++refused);
    }
  }
  for (const auto* path : {"/healthz", "/readyz", "/startupz", "/%72eadyz"}) {
    EXPECT_EQ(with_headers(server_->port(), path, "").status, 200) << path;
    EXPECT_EQ(with_headers(server_->port(), path, kWrong).status, 200) << path;
  }
  for (const auto* path : {"/", "/metrics", "/api/status", "/app.js"}) {
    EXPECT_EQ(with_headers(server_->port(), path, kRight).status, 200) << path;
  }
  EXPECT_EQ(server_->stats().unauthorized, refused);
}

TEST_F(Guarded, AMethodDoesNotGoRoundIt) {
  for (const auto* method : {"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"}) {
    const auto answer = call(server_->port(), method, "/metrics");
    EXPECT_NE(answer.status, 200) << method;
    EXPECT_EQ(answer.body.find("dupwatch_"), std::string::npos) << method;
  }
}

TEST_F(Guarded, AHeaderThatIsTooLongIsRefusedAndTheNextRequestServed) {
  for (const auto bytes : {7'000U, 9'000U, 200'000U}) {
    const auto answer =
        with_headers(server_->port(), "/metrics", "Authorization: Basic " + std::string(bytes, 'A') + "\r\n");
    EXPECT_NE(answer.status, 200) << bytes;
  }
  std::string many;
  for (int i = 0; i < 200; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  EXPECT_NE(with_headers(server_->port(), "/metrics", many).status, 200);
  EXPECT_EQ(with_headers(server_->port(), "/metrics", kRight).status, 200);
}

TEST_F(Guarded, AnotherPasswordCountsAtOnceAndNoneOpens) {
  server_->set_basic_auth({.user = "prom", .password = "wrong"});
  EXPECT_EQ(with_headers(server_->port(), "/metrics", kRight).status, 401);
  EXPECT_EQ(with_headers(server_->port(), "/metrics", kWrong).status, 200);
  server_->set_basic_auth({});
  EXPECT_EQ(with_headers(server_->port(), "/metrics", "").status, 200);
}

TEST_F(Guarded, AnOpenStreamOfEventsEndsWithThePassword) {
  std::atomic<bool> over = false;
  std::thread client{[&] {
    EXPECT_EQ(with_headers(server_->port(), "/api/events", kRight).status, 200);
    over = true;
  }};
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  EXPECT_FALSE(over);
  server_->set_basic_auth({.user = "prom", .password = "other"});
  const auto begin = StatusStore::Clock::now();
  client.join();
  EXPECT_LT(StatusStore::Clock::now() - begin, std::chrono::seconds{5});
}

TEST_F(Server, ReloadIsForbiddenUnlessItIsWanted) {
  const auto answer = call(server_->port(), "POST", "/-/reload");
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("set http.reload: true"), std::string::npos) << answer.body;
}

TEST(HttpServer, ReloadIsForPostAndForWhoKnowsThePassword) {
  StatusStore store{1};
  std::atomic<int> asked = 0;
  const auto reload = [&]() -> Response {
    ++asked;
    return {500, kJsonContentType, "what came of it"};
  };
  auto result =
      HttpServer::start({.host = "127.0.0.1", .port = 0, .basic_auth = {.user = "prom", .password = "right"}},
                        store, {}, {.reload = reload});
  const auto server = std::get<0>(std::move(result));
  EXPECT_EQ(call(server->port(), "POST", "/-/reload").status, 401);
  const auto with = [&](const std::string& method) {
    return web::exchange(server->port(), method + " /-/reload HTTP/1.1\r\nHost: x\r\n" + kRight + "\r\n");
  };
  for (const auto* method : {"GET", "HEAD", "PUT", "DELETE"}) {
    const auto answer = with(method);
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.headers.at("allow"), "POST") << method;
  }
  EXPECT_EQ(asked, 0);
  const auto answer = with("POST");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "what came of it");
  EXPECT_EQ(asked, 1);
}

TEST(HttpServer, AnAddressOfAnotherHostIsAnError) {
  StatusStore store{1};
  const auto result = HttpServer::start({.host = "192.0.2.1", .port = 0}, store, {});
  ASSERT_TRUE(std::holds_alternative<HttpServer::Failure>(result));
  EXPECT_EQ(std::get<HttpServer::Failure>(result).messages.front(),
            "cannot listen on 192.0.2.1:0: Cannot assign requested address");
}

TEST(HttpServer, ListensOnIpv6) {
  StatusStore store{1};
  auto result = HttpServer::start({.host = "::1", .port = 0}, store, {});
  ASSERT_FALSE(std::holds_alternative<HttpServer::Failure>(result));
  const auto server = std::get<0>(std::move(result));
  EXPECT_EQ(call(server->port(), "GET", "/readyz", true).status, 503);
  EXPECT_EQ(call(server->port(), "GET", "/readyz", false).status, 0);
}

TEST(HttpServer, TwoServersLiveSideBySideAndStopInAnyOrder) {
  StatusStore store{1};
  auto first = started(store);
  auto second = started(store);
  ASSERT_TRUE(first && second);
  first.reset();
  EXPECT_EQ(call(second->port(), "GET", "/readyz").status, 503);
  second.reset();
  auto third = started(store);
  EXPECT_EQ(call(third->port(), "GET", "/readyz").status, 503);
}

}  // namespace
}  // namespace dupwatch::web::http_server_test
