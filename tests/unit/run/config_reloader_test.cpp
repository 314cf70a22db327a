#include "daemon/run/config_reloader.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace dupwatch::run::config_reloader_test {
namespace {

using namespace std::chrono_literals;
using Answer = ConfigReloader::Answer;
using Clock = std::chrono::steady_clock;

/// A loop that waits for what was read, as poll(2) of the daemon's does.
class Reloader : public testing::Test {
 protected:
  std::unique_ptr<ConfigReloader> started(ConfigReloader::Load load) {
    return std::make_unique<ConfigReloader>(std::move(load), signal_, wake_);
  }
  std::optional<ConfigReloader::Loaded> wait_for(ConfigReloader& reloader) {
    for (const auto deadline = Clock::now() + 10s; Clock::now() < deadline;) {
      pollfd fd{.fd = wake_.fd(), .events = POLLIN, .revents = 0};
      (void)poll(&fd, 1, 1000);
      wake_.clear();
      if (auto loaded = reloader.take()) return loaded;
    }
    ADD_FAILURE() << "nothing was read";
    return std::nullopt;
  }

  // First: threads inherit the blocked signal.
  process::ReloadSignal signal_;
  process::EventFd wake_;
};

config::ConfigResult named(const std::string& slot) {
  core::Config config;
  config.slot.name = slot;
  return config;
}

std::string slot_of(const std::optional<ConfigReloader::Loaded>& loaded) {
  return loaded ? std::get<core::Config>(loaded->result).slot.name : "";
}

TEST_F(Reloader, SighupHasTheFileRead) {
  const auto reloader = started([] { return named("a"); });
  EXPECT_FALSE(reloader->take()) << "nobody asked";
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  const auto loaded = wait_for(*reloader);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(slot_of(loaded), "a");
  EXPECT_EQ(loaded->by, "SIGHUP");
  EXPECT_FALSE(reloader->take()) << "once";
  reloader->answer({});
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  EXPECT_EQ(slot_of(wait_for(*reloader)), "a") << "and again";
}

TEST_F(Reloader, WhoAsksHearsWhatTheLoopSays) {
  const auto reloader = started([] { return named("a"); });
  auto asker = std::async(std::launch::async, [&] { return reloader->ask(); });
  const auto loaded = wait_for(*reloader);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->by, "http");
  EXPECT_EQ(asker.wait_for(100ms), std::future_status::timeout) << "before the loop has answered";
  reloader->answer({.change = {.applied = {"log.level"}, .needs_restart = {}}, .errors = {}});
  const auto answer = asker.get();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->change.applied, std::vector<std::string_view>{"log.level"});
}

TEST_F(Reloader, WhatIsAskedAfterTheFileWasReadIsReadAnew) {
  std::atomic<int> reads = 0;
  const auto reloader = started([&] { return named(std::to_string(++reads)); });
  auto first = std::async(std::launch::async, [&] { return reloader->ask(); });
  EXPECT_EQ(slot_of(wait_for(*reloader)), "1");
  auto second = std::async(std::launch::async, [&] { return reloader->ask(); });
  // It has to have asked before the first is answered.
  std::this_thread::sleep_for(100ms);
  reloader->answer({.change = {}, .errors = {"first"}});
  EXPECT_EQ(first.get()->errors, std::vector<std::string>{"first"});
  EXPECT_EQ(slot_of(wait_for(*reloader)), "2");
  EXPECT_EQ(second.wait_for(0s), std::future_status::timeout) << "the first answer is of an older file";
  reloader->answer({.change = {}, .errors = {"second"}});
  EXPECT_EQ(second.get()->errors, std::vector<std::string>{"second"});
}

TEST_F(Reloader, OneTooManyHearsSoAtOnceAndTheEndReleasesTheRest) {
  const auto reloader = started([] { return named("a"); });
  std::vector<std::future<std::optional<Answer>>> askers;
  for (int i = 0; i < ConfigReloader::kAskersMax; ++i) {
    askers.push_back(std::async(std::launch::async, [&] { return reloader->ask(); }));
  }
  for (const auto& asker : askers) EXPECT_EQ(asker.wait_for(100ms), std::future_status::timeout);
  const auto begin = Clock::now();
  EXPECT_FALSE(reloader->ask());
  reloader->stop();
  for (auto& asker : askers) EXPECT_FALSE(asker.get());
  EXPECT_FALSE(reloader->ask());
  EXPECT_LT(Clock::now() - begin, 2s) << "nobody waits for a loop that has ended";
}

TEST_F(Reloader, EndsWhileItWaitsForTheLoop) {
  auto reloader = started([] { return named("a"); });
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  EXPECT_EQ(slot_of(wait_for(*reloader)), "a");
  const auto begin = Clock::now();
  reloader.reset();
  EXPECT_LT(Clock::now() - begin, 2s);
}

TEST_F(Reloader, WhatThrowsIsAProblemLikeAnyOther) {
  const auto reloader = started([]() -> config::ConfigResult { throw std::runtime_error("out of luck"); });
  ASSERT_EQ(kill(getpid(), SIGHUP), 0);
  const auto loaded = wait_for(*reloader);
  ASSERT_TRUE(loaded);
  const auto& problems = std::get<std::vector<config::ConfigProblem>>(loaded->result);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(config::format_problem(problems[0]), "configuration: found out of luck");
}

}  // namespace
}  // namespace dupwatch::run::config_reloader_test
