#include "daemon/quarantine/task_list.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dupwatch::quarantine::task_list_test {
namespace {

using std::chrono::milliseconds;

constexpr core::Instant kStart{std::chrono::hours{1}};

Task task(std::uint64_t finding) {
  return {.finding = finding, .run_id = "r", .event_id = "e", .commit_time = {}, .xid = {}};
}

TEST(TaskList, GivesWhatIsDueInTheOrderOfArrival) {
  TaskList tasks;
  EXPECT_EQ(tasks.deadline(), core::Instant::max());
  EXPECT_FALSE(tasks.take(kStart));
  ASSERT_TRUE(tasks.add(task(1)));
  ASSERT_TRUE(tasks.add(task(2)));
  EXPECT_LE(tasks.deadline(), kStart);
  EXPECT_EQ(tasks.take(kStart)->finding, 1U);
  EXPECT_EQ(tasks.take(kStart)->finding, 2U);
  EXPECT_FALSE(tasks.take(kStart));
}

TEST(TaskList, RefusesWhatIsAboveTheBound) {
  TaskList tasks;
  for (std::size_t i = 0; i < TaskList::kTasksMax; ++i) ASSERT_TRUE(tasks.add(task(i)));
  EXPECT_FALSE(tasks.add(task(0)));
  EXPECT_EQ(tasks.size(), TaskList::kTasksMax);
  (void)tasks.take(kStart);
  EXPECT_TRUE(tasks.add(task(0)));
}

TEST(TaskList, PutsOffForLongerEachTimeAndThenGivesUp) {
  TaskList tasks;
  ASSERT_TRUE(tasks.add(task(1)));
  auto now = kStart;
  std::vector<std::int64_t> delays;
  for (;;) {
    const auto due = tasks.take(now);
    ASSERT_TRUE(due);
    if (!tasks.put_off(*due, now)) break;
    EXPECT_FALSE(tasks.take(now));
    delays.push_back(std::chrono::duration_cast<milliseconds>(tasks.deadline() - now).count());
    now = tasks.deadline();
  }
  EXPECT_EQ(delays, (std::vector<std::int64_t>{20, 40, 80, 160, 320, 640, 1000}));
  EXPECT_EQ(tasks.size(), 0U);
}

TEST(TaskList, WhatIsPutOffDoesNotHoldUpOthers) {
  TaskList tasks;
  ASSERT_TRUE(tasks.add(task(1)));
  ASSERT_TRUE(tasks.put_off(*tasks.take(kStart), kStart));
  ASSERT_TRUE(tasks.add(task(2)));
  EXPECT_EQ(tasks.take(kStart)->finding, 2U);
  EXPECT_EQ(tasks.deadline(), kStart + milliseconds{20});
}

}  // namespace
}  // namespace dupwatch::quarantine::task_list_test
