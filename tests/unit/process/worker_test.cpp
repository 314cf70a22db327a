#include "daemon/process/worker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace dupwatch::process::worker_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(Worker, DoesWhatItIsWokenForAndALastTimeAtTheStop) {
  auto count = std::make_shared<std::atomic<int>>(0);
  Worker worker([count] { ++*count; });
  worker.wake();
  EXPECT_TRUE(worker.stop(milliseconds{10'000}));
  EXPECT_EQ(*count, 1);
  EXPECT_TRUE(worker.stop(milliseconds{0})) << "it has ended";
}

TEST(Worker, WithoutAWakingItDoesNothing) {
  auto count = std::make_shared<std::atomic<int>>(0);
  {
    Worker worker([count] { ++*count; });
    EXPECT_TRUE(worker.stop(milliseconds{10'000}));
  }
  EXPECT_EQ(*count, 0);
}

TEST(Worker, WorkThatDoesNotComeBackIsLeftBehind) {
  struct Shared {
    std::promise<void> begun;
    std::promise<void> release;
    std::promise<void> ended;
  };
  auto shared = std::make_shared<Shared>();
  const auto began = steady_clock::now();
  {
    Worker worker([shared] {
      shared->begun.set_value();
      shared->release.get_future().wait();
      shared->ended.set_value();
    });
    worker.wake();
    shared->begun.get_future().wait();
    EXPECT_FALSE(worker.stop(milliseconds{20}));
  }
  EXPECT_LT(steady_clock::now() - began, milliseconds{5'000});
  shared->release.set_value();
  shared->ended.get_future().wait();
}

}  // namespace
}  // namespace dupwatch::process::worker_test
