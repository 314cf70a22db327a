#include "daemon/findings/webhook_worker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/findings/webhook_sender.hpp"
#include "daemon/findings/webhook_signature.hpp"
#include "tests/unit/web/canned_http.hpp"
#include "tests/unit/web/samples.hpp"

namespace dupwatch::findings::webhook_worker_test {
namespace {

using core::Severity;
using web::CannedHttp;

core::WebhookConfig config_for(const CannedHttp& server) {
  core::WebhookConfig config;
  config.url = server.url() + "/hook";
  return config;
}

bool never() {
  return false;
}

TEST(WebhookSender, SendsTheDeliveryOnceWithItsIdAndItsSignature) {
  CannedHttp server([](const auto&) { return CannedHttp::Answer{.status = 204}; });
  auto config = config_for(server);
  config.secret = "s3cret";
  Sender sender(config);
  const Delivery delivery{.id = "5bd1e995-7", .body = R"({"version":1})"};
  const auto attempt = sender.send(delivery, 1'795'497'698, never);
  EXPECT_EQ(attempt.answer.http_status, 204);
  EXPECT_EQ(attempt.error, "");
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].line, "POST /hook");
  EXPECT_EQ(requests[0].body, delivery.body);
  for (const auto& header :
       {std::string("Content-Type: application/json"), std::string("X-Dupwatch-Delivery: 5bd1e995-7"),
        "X-Dupwatch-Signature: " + signature("s3cret", 1'795'497'698, delivery.body)}) {
    EXPECT_NE(requests[0].head.find(header + "\r\n"), std::string::npos) << requests[0].head;
  }
  EXPECT_EQ(requests[0].head.find("Expect:"), std::string::npos) << "nobody waits for \"100 Continue\"";
}

TEST(WebhookSender, SaysWhatTheReceiverAnsweredAndNeverItsAddress) {
  struct Case {
    CannedHttp::Answer given;
    long status;
    std::string error;
    std::int64_t pause = 0;
  };
  const std::vector<Case> cases = {
      {{.status = 200, .body = "ok"}, 200, ""},
      {{.status = 400, .body = "no"}, 400, "status 400"},
      {{.status = 429, .head = "Retry-After: 7\r\n"}, 429, "status 429", 7},
      {{.status = 503, .head = "Retry-After: 999999\r\n"}, 503, "status 503", 3600},
      {{.status = 302, .head = "Location: http://127.0.0.1:1/elsewhere\r\n"}, 302, "status 302"},
      // The answer is longer than anybody reads; that it was taken counts.
      {{.status = 200, .body = std::string(100'000, 'x')}, 200, ""},
  };
  for (const auto& each : cases) {
    CannedHttp server([&](const auto&) { return each.given; });
    auto config = config_for(server);
    config.secret = "";
    Sender sender(config);
    const auto attempt = sender.send({.id = "1", .body = "{}"}, 0, never);
    EXPECT_EQ(attempt.answer.http_status, each.status);
    EXPECT_EQ(attempt.error, each.error) << each.status;
    EXPECT_EQ(attempt.answer.retry_after, std::chrono::seconds(each.pause)) << each.status;
    EXPECT_EQ(server.requests()[0].head.find("X-Dupwatch-Signature"), std::string::npos);
  }
}

TEST(WebhookSender, NoAnswerIsNoStatus) {
  core::WebhookConfig config;
  {
    const CannedHttp gone([](const auto&) { return CannedHttp::Answer{}; });
    config.url = gone.url() + "/token-in-the-path";
  }
  Sender sender(config);
  const auto attempt = sender.send({.id = "1", .body = "{}"}, 0, never);
  EXPECT_EQ(attempt.answer.http_status, 0);
  EXPECT_NE(attempt.error, "");
  EXPECT_EQ(attempt.error.find("token-in-the-path"), std::string::npos) << attempt.error;
}

core::Finding fatal(std::uint64_t id) {
  auto finding = web::finding(id);
  finding.severity = Severity::kFatal;
  return finding;
}

/// Until `over`, or 20 s.
void await(const std::function<bool()>& over) {
  for (int i = 0; i < 10'000 && !over(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_TRUE(over()) << "it did not come to that";
}

std::uint64_t count(const WebhookWorker& worker, core::WebhookOutcome outcome) {
  return worker.stats().findings[static_cast<std::size_t>(outcome)];
}

TEST(WebhookWorker, TakesTheSeveritiesThatWereAskedForWithTheirPage) {
  CannedHttp server([](const auto&) { return CannedHttp::Answer{}; });
  core::Config config;
  config.webhook = config_for(server);
  config.webhook.severities = {};
  config.webhook.severities[static_cast<std::size_t>(Severity::kFatal)] = true;
  config.http.external_url = "https://dupwatch.example";
  process::Log log{core::LogConfig{}};
  WebhookWorker worker(config, log, 7);
  auto harmless = web::finding(1);
  harmless.severity = Severity::kHarmless;
  worker.add(harmless);
  worker.add(fatal(2));
  await([&] { return count(worker, core::WebhookOutcome::kDelivered) == 1; });
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_NE(requests[0].body.find("\"finding_id\":\"0000000000000002\""), std::string::npos)
      << requests[0].body;
  EXPECT_NE(requests[0].body.find(",\"page\":\"https://dupwatch.example"), std::string::npos)
      << requests[0].body;
  EXPECT_EQ(requests[0].body.find("0000000000000001"), std::string::npos);
}

TEST(WebhookWorker, WithoutAnAddressItTakesNothing) {
  core::Config config;
  process::Log log{core::LogConfig{}};
  WebhookWorker worker(config, log, 7);
  worker.add(fatal(1));
  EXPECT_EQ(worker.stats().waiting, 0U);
  EXPECT_FALSE(worker.stats().enabled);
}

TEST(WebhookWorker, ARefusalIsToldOnceAndSoIsItsEnd) {
  std::atomic<int> asked = 0;
  CannedHttp server([&](const auto&) { return CannedHttp::Answer{.status = ++asked <= 2 ? 400 : 200}; });
  core::Config config;
  config.webhook = config_for(server);
  testing::internal::CaptureStderr();
  {
    process::Log log{core::LogConfig{}};
    WebhookWorker worker(config, log, 7);
    for (std::uint64_t id = 1; id <= 3; ++id) {
      worker.add(fatal(id));
      await([&] { return worker.stats().waiting == 0; });
    }
    EXPECT_EQ(count(worker, core::WebhookOutcome::kRefused), 2U);
    EXPECT_EQ(count(worker, core::WebhookOutcome::kDelivered), 1U);
    EXPECT_EQ(worker.stats().failed_attempts, 2U);
    // The thread says it after it has counted it.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const auto log = testing::internal::GetCapturedStderr();
  const auto first = log.find("the webhook did not take findings");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("the webhook did not take findings", first + 1), std::string::npos) << log;
  EXPECT_NE(log.find("error=\"status 400\""), std::string::npos) << log;
  EXPECT_NE(log.find("the webhook takes findings again"), std::string::npos) << log;
}

TEST(WebhookWorker, AtItsEndItTriesOnceMoreAndSaysWhatIsLost) {
  std::atomic<int> asked = 0;
  CannedHttp server([&](const auto&) {
    ++asked;
    return CannedHttp::Answer{.status = 503};
  });
  core::Config config;
  config.webhook = config_for(server);
  testing::internal::CaptureStderr();
  {
    process::Log log{core::LogConfig{}};
    WebhookWorker worker(config, log, 7);
    worker.add(fatal(1));
    await([&] { return asked == 1; });
  }
  EXPECT_EQ(asked, 2);
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("findings that the webhook did not take are given up"), std::string::npos) << log;
  EXPECT_NE(log.find("findings=1"), std::string::npos) << log;
}

}  // namespace
}  // namespace dupwatch::findings::webhook_worker_test
