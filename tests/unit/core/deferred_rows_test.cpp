#include "daemon/core/deferred_rows.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core {
namespace {

using namespace std::chrono_literals;
using decoder::Value;

constexpr Instant kNow = Instant{} + 1h;

EventRow row_of(std::string_view run, std::string_view id) {
  return {.run_id = run, .id = id, .type = 3};
}

/// "run/id" of all that a round gives.
std::vector<std::string> round(DeferredRows& deferred, Instant now = kNow) {
  std::vector<std::string> out;
  while (const auto row = deferred.take(now))
    out.push_back(std::string(row->run_id) + "/" + std::string(row->id));
  return out;
}

TEST(DeferredRows, GiveBackARowAsItWas) {
  DeferredRows deferred(7);
  const std::string long_text(5000, 'x');
  const std::vector<Value> identity = {Value::of("a"), Value::null(), Value::absent(), Value::of(long_text),
                                       Value::of("")};
  deferred.add({.run_id = "run",
                .id = long_text,
                .type = RunLog::kUnlistedType,
                .type_text = "odd type",
                .identity = identity,
                .commit = {.lsn = decoder::Lsn{~std::uint64_t{0}}, .time = {-5}, .xid = 0xFFFFFFFF},
                .group = 9,
                .closes = true,
                .streamed = true});
  deferred.add({.run_id = "run", .id = "2", .type = 3, .type_text = "listed", .ends_run = true});
  auto row = deferred.take(kNow);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->run_id, "run");
  EXPECT_EQ(row->id, long_text);
  EXPECT_EQ(row->type, RunLog::kUnlistedType);
  EXPECT_EQ(row->type_text, "odd type");
  EXPECT_EQ(std::vector(row->identity.begin(), row->identity.end()), identity);
  EXPECT_EQ(row->commit.xid, 0xFFFFFFFFU);
  EXPECT_EQ(row->commit.lsn.value, ~std::uint64_t{0});
  EXPECT_EQ(row->commit.time.micros, -5);
  EXPECT_EQ(row->group, 9);
  EXPECT_TRUE(row->closes);
  EXPECT_TRUE(row->streamed);
  EXPECT_FALSE(row->ends_run);
  row = deferred.take(kNow);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->id, "2");
  EXPECT_EQ(row->type, 3);
  EXPECT_TRUE(row->identity.empty());
  EXPECT_TRUE(row->ends_run);
  EXPECT_FALSE(row->closes || row->streamed);
  EXPECT_FALSE(deferred.take(kNow));
  EXPECT_TRUE(deferred.empty());
}

TEST(DeferredRows, ComeInRunByRunInTheirOrder) {
  DeferredRows deferred(7);
  for (const auto* id : {"1", "2", "3"}) {
    for (const auto* run : {"b", "a"}) deferred.add(row_of(run, id));
  }
  EXPECT_TRUE(deferred.holds("a"));
  EXPECT_FALSE(deferred.holds("c"));
  EXPECT_EQ(round(deferred), (std::vector<std::string>{"b/1", "b/2", "b/3", "a/1", "a/2", "a/3"}));
  EXPECT_FALSE(deferred.holds("a"));
}

TEST(DeferredRows, WaitOutThePauseThatARoundHasEarned) {
  DeferredRows deferred(7);
  EXPECT_EQ(deferred.next(kNow), Instant::max());
  deferred.add(row_of("a", "1"));
  EXPECT_TRUE(deferred.due(kNow));
  ASSERT_TRUE(deferred.take(kNow));
  deferred.opened(1'000'000);
  EXPECT_FALSE(deferred.take(kNow));
  EXPECT_FALSE(deferred.due(kNow + 1h));

  deferred.add(row_of("a", "2"));
  EXPECT_EQ(deferred.next(kNow), kNow + 400ms);
  EXPECT_FALSE(deferred.due(kNow + 399ms));
  EXPECT_TRUE(deferred.due(kNow + 400ms));
  // A round that opened nothing is followed by none.
  EXPECT_EQ(round(deferred, kNow + 400ms).size(), 1U);
  deferred.add(row_of("a", "3"));
  EXPECT_TRUE(deferred.due(kNow + 400ms));
}

TEST(DeferredRows, PauseTenSecondsAtTheMost) {
  DeferredRows deferred(7);
  deferred.add(row_of("a", "1"));
  ASSERT_TRUE(deferred.take(kNow));
  deferred.opened(1'000'000'000);
  EXPECT_FALSE(deferred.take(kNow));
  deferred.add(row_of("a", "2"));
  EXPECT_EQ(deferred.next(kNow), kNow + 10s);
}

TEST(DeferredRows, DoNotWaitAtTheirBound) {
  DeferredRows deferred(7);
  deferred.add(row_of("a", "1"));
  ASSERT_TRUE(deferred.take(kNow));
  // A round that has begun is ended before any row is added.
  EXPECT_TRUE(deferred.full());
  deferred.opened(1'000'000'000);
  EXPECT_FALSE(deferred.take(kNow));
  EXPECT_FALSE(deferred.full());
  const std::string id(1000, 'i');
  std::size_t rows = 0;
  for (; !deferred.full(); ++rows) deferred.add(row_of("a", id));
  EXPECT_GT(rows, 4000U);
  EXPECT_LT(rows, 4200U);
  EXPECT_TRUE(deferred.due(kNow));
  EXPECT_EQ(deferred.next(kNow), kNow);
  EXPECT_EQ(round(deferred).size(), rows);
  // Many runs with one row each count as well.
  std::size_t runs = 0;
  for (; !deferred.full(); ++runs) deferred.add(row_of("run " + std::to_string(runs), "1"));
  EXPECT_LT(runs, 100'000U);
  EXPECT_EQ(round(deferred).size(), runs);
  // An id of a run is there twice.
  for (const char letter : {'a', 'b', 'c'}) {
    EXPECT_FALSE(deferred.full());
    deferred.add(row_of(std::string(700'000, letter), "1"));
  }
  EXPECT_TRUE(deferred.full());
}

TEST(DeferredRows, AreForgottenByClear) {
  DeferredRows deferred(7);
  deferred.add(row_of("a", "1"));
  deferred.add(row_of("a", "2"));
  ASSERT_TRUE(deferred.take(kNow));
  deferred.clear();
  EXPECT_TRUE(deferred.empty());
  EXPECT_FALSE(deferred.full());
  deferred.add(row_of("b", "3"));
  EXPECT_EQ(round(deferred), std::vector<std::string>{"b/3"});
}

}  // namespace
}  // namespace dupwatch::core
