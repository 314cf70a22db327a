#include "daemon/run/retries.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "daemon/process/clock.hpp"

namespace dupwatch::run::retries_test {
namespace {

using core::Disconnect;
using core::Obstacle;
using postgres::Cause;
using postgres::Error;
using postgres::Fault;
using process::ExitCode;

Error error(Fault fault, Cause cause, std::string sqlstate = {}) {
  return {
      .fault = fault, .cause = cause, .sqlstate = std::move(sqlstate), .message = "why", .remedy = "cure"};
}

/// Waits for nobody, and remembers for how long it should have.
class Waits final : public postgres::Waiter {
 public:
  Outcome wait(int /*fd*/, short /*events*/, postgres::Instant deadline) override {
    lengths.push_back(deadline - process::steady_now());
    return outcome;
  }
  Outcome outcome = Outcome::kTimeout;
  std::vector<core::Instant::duration> lengths;
};

class RetriesTest : public testing::Test {
 protected:
  void SetUp() override {
    config_.log.level = core::LogLevel::kError;
    config_.connection.backoff_min = core::Milliseconds{1'000};
    config_.connection.backoff_max = core::Milliseconds{8'000};
    retries_.emplace(config_, life_, waits_, log_, 1);
    retries_->started(process::steady_now());
  }
  [[nodiscard]] core::StatusSnapshot described() const {
    core::StatusSnapshot out;
    retries_->describe(out, {});
    return out;
  }
  [[nodiscard]] std::uint64_t disconnects(Disconnect kind) const {
    return described().stream.disconnects[static_cast<std::size_t>(kind)];
  }

  core::Config config_;
  core::LifeCycle life_;
  Waits waits_;
  process::Log log_{config_.log};
  std::optional<Retries> retries_;
};

TEST(DisconnectKind, IsOfTheAttemptOrOfTheStream) {
  const auto broken = error(Fault::kTransient, Cause::kNetwork);
  EXPECT_EQ(disconnect_kind(broken, false), Disconnect::kConnectFailed);
  EXPECT_EQ(disconnect_kind(broken, true), Disconnect::kNetwork);
  EXPECT_EQ(disconnect_kind(error(Fault::kTransient, Cause::kServerClosed), true), Disconnect::kServerClosed);
  EXPECT_EQ(disconnect_kind(error(Fault::kTransient, Cause::kTerminated, "57P01"), true),
            Disconnect::kServerClosed);
  EXPECT_EQ(disconnect_kind(error(Fault::kSlotLost, Cause::kFuse), true), Disconnect::kError);
  EXPECT_EQ(disconnect_kind(error(Fault::kTransient, Cause::kHeartbeatLost), true),
            Disconnect::kHeartbeatLost);
  EXPECT_EQ(disconnect_kind(error(Fault::kTransient, Cause::kServerError, "XX000"), true),
            Disconnect::kError);
}

TEST(ObstacleOf, TellsWhatHealsFromWhatAPersonChanges) {
  EXPECT_EQ(obstacle_of(error(Fault::kTransient, Cause::kStandby)), Obstacle::kStandby);
  EXPECT_EQ(obstacle_of(error(Fault::kTransient, Cause::kSlotInUse)), Obstacle::kSlotInUse);
  EXPECT_EQ(obstacle_of(error(Fault::kTransient, Cause::kNetwork)), Obstacle::kPassing);
  EXPECT_EQ(obstacle_of(error(Fault::kNeedsOperator, Cause::kWrongPassword)), Obstacle::kAccess);
}

TEST_F(RetriesTest, AnAttemptThatFailedIsCountedAndToldUntilAStreamBegins) {
  EXPECT_EQ(retries_->trouble({}), "not streaming (connecting)");
  retries_->failed(error(Fault::kTransient, Cause::kNetwork), process::steady_now());
  EXPECT_EQ(retries_->trouble({}), "not streaming (connecting): why");
  EXPECT_EQ(disconnects(Disconnect::kConnectFailed), 1U);
  retries_->streaming();
  life_.streams();
  EXPECT_EQ(retries_->trouble({}), "");
  EXPECT_EQ(described().state, core::StreamState::kStreaming);
  life_.stream_ended();
  retries_->failed(error(Fault::kTransient, Cause::kNetwork), process::steady_now());
  EXPECT_EQ(disconnects(Disconnect::kNetwork), 1U);
  EXPECT_EQ(retries_->trouble({}), "not streaming (streaming): why");
}

TEST_F(RetriesTest, WithoutASlotItSaysThatItPolls) {
  config_.poll.interval = core::Milliseconds{2'500};
  life_.polls(true);
  EXPECT_EQ(retries_->trouble({}), "polling every 3 s in place of streaming: no slot");
  EXPECT_EQ(described().mode, core::WatchMode::kPolling);
}

TEST_F(RetriesTest, StandingByIsNoFailure) {
  const auto standby = error(Fault::kTransient, Cause::kStandby);
  retries_->failed(standby, process::steady_now());
  EXPECT_EQ(disconnects(Disconnect::kConnectFailed), 0U);
  const auto next = retries_->again(standby);
  EXPECT_EQ(next.code, ExitCode::kClean);
  EXPECT_FALSE(next.stop);
  EXPECT_EQ(life_.state(), core::StreamState::kStandby);
}

TEST_F(RetriesTest, WaitsLongerEachTimeUntilAStreamHasHeld) {
  const auto broken = error(Fault::kTransient, Cause::kNetwork);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(retries_->again(broken).stop);
  EXPECT_EQ(life_.state(), core::StreamState::kBackingOff);
  EXPECT_GT(waits_.lengths.at(2), std::chrono::milliseconds{1'900});
  retries_->stream_ended(std::chrono::seconds{9});
  EXPECT_FALSE(retries_->pause(broken).stop);
  EXPECT_GT(waits_.lengths.at(3), std::chrono::milliseconds{3'900});
  retries_->stream_ended(std::chrono::seconds{10});
  EXPECT_FALSE(retries_->pause(broken).stop);
  EXPECT_LE(waits_.lengths.at(4), std::chrono::milliseconds{1'000});
}

TEST_F(RetriesTest, AStopEndsTheWait) {
  waits_.outcome = postgres::Waiter::Outcome::kInterrupted;
  EXPECT_TRUE(retries_->again(error(Fault::kTransient, Cause::kNetwork)).stop);
  EXPECT_TRUE(retries_->again(error(Fault::kTransient, Cause::kStandby)).stop);
}

TEST_F(RetriesTest, BeforeTheFirstStreamAWrongConfigurationEndsTheProcess) {
  const auto wrong = error(Fault::kNeedsOperator, Cause::kWrongPassword, "28P01");
  EXPECT_EQ(retries_->again(wrong).code, ExitCode::kOperator);
  EXPECT_TRUE(waits_.lengths.empty());
  life_.streams();
  EXPECT_EQ(retries_->again(wrong).code, ExitCode::kClean);
  EXPECT_EQ(waits_.lengths.size(), 1U);
}

TEST_F(RetriesTest, WhatFailedMeanwhileIsTheLastError) {
  auto other = error(Fault::kTransient, Cause::kNetwork);
  other.message = "other";
  retries_->failed(error(Fault::kSlotLost, Cause::kSlotLost), process::steady_now());
  EXPECT_FALSE(retries_->again_after(other).stop);
  EXPECT_EQ(retries_->last_error()->message, "other");
}

TEST_F(RetriesTest, AnOldPrimaryIsWaitedOutForSoLong) {
  const auto old = error(Fault::kTransient, Cause::kOldPrimary);
  const auto begun = core::Instant{} + std::chrono::hours(1);
  const auto over = begun + Retries::kOldPrimaryMax;
  const auto timeline = [&](core::Instant now) { return retries_->history(now).timeline; };
  EXPECT_EQ(timeline(begun), 0U);
  retries_->goes_on_with({.system_identifier = "7301", .timeline = 2});
  retries_->failed(error(Fault::kTransient, Cause::kNetwork), begun - std::chrono::hours(1));
  retries_->failed(old, begun);
  retries_->failed(old, begun + std::chrono::minutes(5));
  EXPECT_EQ(timeline(over - std::chrono::seconds(1)), 2U);
  EXPECT_EQ(timeline(over), 0U);
  retries_->streaming();
  retries_->goes_on_with({.system_identifier = "7301", .timeline = 1});
  EXPECT_EQ(timeline(over), 1U);
}

}  // namespace
}  // namespace dupwatch::run::retries_test
