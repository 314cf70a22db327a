#include "daemon/findings/webhook_outbox.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace dupwatch::findings::webhook_outbox_test {
namespace {

using namespace std::chrono_literals;
using core::WebhookOutcome;

constexpr Answer kTaken{.http_status = 204, .retry_after = 0ms};
constexpr Answer kNoAnswer{};

core::Instant at(std::chrono::milliseconds time) {
  return core::Instant{} + 1h + time;
}

core::WebhookConfig config(core::Milliseconds retry_for = 1h) {
  core::WebhookConfig out;
  out.url = "http://127.0.0.1/";
  out.retry_for = retry_for;
  return out;
}

std::uint64_t count(const Outbox& outbox, WebhookOutcome outcome) {
  return outbox.stats().findings[static_cast<std::size_t>(outcome)];
}

TEST(Outbox, SendsWhatWaitsInOneRequest) {
  Outbox outbox(config(), "a\"slot", 1);
  EXPECT_EQ(outbox.due(at(0s)), nullptr);
  EXPECT_EQ(outbox.deadline(), core::Instant::max());
  outbox.add(R"({"n":1})");
  outbox.add(R"({"n":2})");
  EXPECT_LE(outbox.deadline(), at(0s));
  const auto* delivery = outbox.due(at(0s));
  ASSERT_NE(delivery, nullptr);
  EXPECT_EQ(delivery->body,
            R"({"version":1,"delivery":"0000000000000001-1","slot":"a\"slot","findings":[{"n":1},{"n":2}]})");
  EXPECT_EQ(outbox.waiting(), 2U);
  outbox.finished(kTaken, at(1s));
  EXPECT_EQ(outbox.waiting(), 0U);
  EXPECT_EQ(count(outbox, WebhookOutcome::kDelivered), 2U);
  EXPECT_EQ(outbox.due(at(2s)), nullptr);
}

TEST(Outbox, RepeatsTheSameRequestUntilItIsTaken) {
  Outbox outbox(config(), "dupwatch", 1);
  outbox.add("1");
  const auto first = *outbox.due(at(0s));
  outbox.finished(kNoAnswer, at(0s));
  outbox.add("2");
  EXPECT_EQ(outbox.due(at(0s)), nullptr) << "a pause comes first";
  EXPECT_GE(outbox.deadline(), at(500ms));
  EXPECT_LE(outbox.deadline(), at(1s));
  const auto* again = outbox.due(at(1s));
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->id, first.id);
  EXPECT_EQ(again->body, first.body) << "what came later waits for the next";
  outbox.finished(kTaken, at(1s));
  const auto* next = outbox.due(at(1s));
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->id, "0000000000000001-2");
  Outbox restarted(config(), "dupwatch", 2);
  restarted.add("1");
  EXPECT_NE(restarted.due(at(0s))->id, first.id) << "a restart begins no number again";
  EXPECT_EQ(outbox.stats().failed_attempts, 1U);
}

TEST(Outbox, TellsWhatMayHealFromWhatIsFinal) {
  for (const long status : {408L, 425L, 429L, 500L, 502L, 503L, 599L, 0L}) {
    Outbox outbox(config(), "dupwatch", 1);
    outbox.add("1");
    (void)outbox.due(at(0s));
    outbox.finished({.http_status = status, .retry_after = 0ms}, at(0s));
    EXPECT_EQ(outbox.waiting(), 1U) << status;
  }
  for (const long status : {301L, 302L, 400L, 401L, 403L, 404L, 410L, 413L}) {
    Outbox outbox(config(), "dupwatch", 1);
    outbox.add("1");
    (void)outbox.due(at(0s));
    outbox.finished({.http_status = status, .retry_after = 0ms}, at(0s));
    EXPECT_EQ(outbox.waiting(), 0U) << status;
    EXPECT_EQ(count(outbox, WebhookOutcome::kRefused), 1U) << status;
  }
}

TEST(Outbox, KeepsToRetryAfterWithinReason) {
  Outbox outbox(config(), "dupwatch", 1);
  outbox.add("1");
  (void)outbox.due(at(0s));
  outbox.finished({.http_status = 429, .retry_after = 30s}, at(0s));
  EXPECT_EQ(outbox.deadline(), at(30s));
  (void)outbox.due(at(30s));
  outbox.finished({.http_status = 503, .retry_after = 24h}, at(30s));
  EXPECT_EQ(outbox.deadline(), at(30s + 5min));
}

TEST(Outbox, GivesUpAfterRetryFor) {
  Outbox outbox(config(10s), "dupwatch", 1);
  outbox.add("1");
  auto now = at(0s);
  int attempts = 0;
  while (outbox.due(now) != nullptr) {
    ++attempts;
    outbox.finished(kNoAnswer, now);
    if (outbox.waiting() > 0) now = outbox.deadline();
  }
  EXPECT_LE(now, at(10s));
  EXPECT_GE(attempts, 4);
  EXPECT_EQ(count(outbox, WebhookOutcome::kExpired), 1U);
  Outbox never(config(0s), "dupwatch", 1);
  never.add("1");
  (void)never.due(at(0s));
  never.finished(kNoAnswer, at(0s));
  EXPECT_EQ(count(never, WebhookOutcome::kExpired), 1U);
}

TEST(Outbox, DropsTheOldestAtItsBounds) {
  Outbox outbox(config(), "dupwatch", 1);
  for (std::size_t i = 0; i < Outbox::kWaitingMax + 3; ++i) outbox.add(std::to_string(i));
  EXPECT_EQ(outbox.waiting(), Outbox::kWaitingMax);
  EXPECT_EQ(count(outbox, WebhookOutcome::kDropped), 3U);
  const auto* delivery = outbox.due(at(0s));
  ASSERT_NE(delivery, nullptr);
  EXPECT_NE(delivery->body.find("[3,4,"), std::string::npos);
  Outbox wide(config(), "dupwatch", 1);
  for (int i = 0; i < 5; ++i) wide.add(std::string(std::size_t{1} << 20U, 'x'));
  EXPECT_EQ(wide.waiting(), 4U);
  EXPECT_EQ(count(wide, WebhookOutcome::kDropped), 1U);
}

RC_GTEST_PROP(Outbox, EveryFindingHasOneOutcomeAndTheTakenOnesAreInOrder, ()) {
  Outbox outbox(config(20s), "dupwatch", *rc::gen::arbitrary<std::uint64_t>());
  auto now = at(0s);
  int added = 0;
  std::vector<std::string> taken;
  const auto steps = *rc::gen::inRange(1, 200);
  for (int i = 0; i < steps; ++i) {
    const auto action = *rc::gen::inRange(0, 4);
    if (action == 0) {
      for (int n = *rc::gen::inRange(1, 300); n > 0; --n) outbox.add(std::to_string(100'000 + added++));
      continue;
    }
    now = std::max(now, std::min(outbox.deadline(), now + 6min));
    const auto* delivery = outbox.due(now);
    if (delivery == nullptr) continue;
    const auto body = delivery->body;
    const auto status = *rc::gen::element(204L, 0L, 500L, 404L);
    outbox.finished({.http_status = status, .retry_after = 0ms}, now);
    if (status != 204) continue;
    for (auto pos = body.find('['); body[pos] != ']'; pos += 7) taken.push_back(body.substr(pos + 1, 6));
  }
  RC_ASSERT(std::ranges::is_sorted(taken));
  RC_ASSERT(std::ranges::adjacent_find(taken) == taken.end());
  RC_ASSERT(taken.size() == count(outbox, WebhookOutcome::kDelivered));
  std::uint64_t sum = outbox.waiting();
  for (const auto findings : outbox.stats().findings) sum += findings;
  RC_ASSERT(sum == static_cast<std::uint64_t>(added));
  RC_ASSERT(outbox.waiting() <= Outbox::kWaitingMax + Outbox::kBatchMax);
}

}  // namespace
}  // namespace dupwatch::findings::webhook_outbox_test
