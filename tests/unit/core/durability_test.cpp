#include "daemon/core/durability.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace dupwatch::core::durability_test {
namespace {

using decoder::Lsn;
using Sync = FileOutcome::Sync;

/// Has the next task succeed; its bytes.
std::string carry_out(Durability& durability) {
  const auto task = durability.next_task();
  if (!task) return {};
  durability.finished({.written = task->bytes.size(), .sync = task->sync ? Sync::kDone : Sync::kNotTried});
  return task->bytes;
}

TEST(Durability, WithNothingFoundEveryPositionIsDurable) {
  Durability durability;
  EXPECT_TRUE(durability.settled());
  durability.request_sync();
  EXPECT_FALSE(durability.next_task()) << "there is nothing to sync";
  EXPECT_EQ(durability.durable(Lsn{100}), Lsn{100});
}

TEST(Durability, AFindingHoldsThePositionUntilItIsSynced) {
  Durability durability;
  durability.add_line("one");
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt);
  EXPECT_EQ(carry_out(durability), "one\n");
  EXPECT_EQ(durability.durable(Lsn{200}), std::nullopt) << "written is not durable";
  durability.request_sync();
  const auto task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->bytes, "") << "it is written once";
  EXPECT_TRUE(task->sync);
  EXPECT_EQ(durability.durable(Lsn{300}), std::nullopt);
  durability.finished({.sync = Sync::kDone});
  EXPECT_EQ(durability.durable(Lsn{400}), Lsn{400});
  EXPECT_EQ(durability.waiting_bytes(), 0U);
}

TEST(Durability, ABurstIsSyncedWithoutBeingAsked) {
  Durability durability;
  const std::string half(Durability::kSyncBytes / 2, 'x');
  durability.add_line(half);
  auto task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_FALSE(task->sync);
  durability.add_line(half);
  durability.finished({.written = task->bytes.size()});
  task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_TRUE(task->sync) << "two halves wait for the disk";
  durability.add_line(half);
  durability.add_line(half);
  durability.finished({.written = task->bytes.size(), .sync = Sync::kDone});
  task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_TRUE(task->sync) << "as much has come meanwhile";
  durability.finished({.written = task->bytes.size(), .sync = Sync::kDone});
  EXPECT_EQ(durability.waiting_bytes(), 0U);
  EXPECT_FALSE(durability.next_task());
}

TEST(Durability, WhatCameDuringASyncWaitsForTheNext) {
  Durability durability;
  durability.add_line("one");
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt);
  durability.request_sync();
  const auto task = durability.next_task();
  ASSERT_TRUE(task);
  durability.add_line("two");
  EXPECT_FALSE(durability.next_task()) << "one at a time";
  durability.finished({.written = task->bytes.size(), .sync = Sync::kDone});
  EXPECT_EQ(durability.durable(Lsn{200}), Lsn{100}) << "the position of the time when only one was found";
  EXPECT_EQ(carry_out(durability), "two\n");
  EXPECT_EQ(durability.durable(Lsn{300}), std::nullopt);
  durability.request_sync();
  EXPECT_EQ(carry_out(durability), "");
  EXPECT_EQ(durability.durable(Lsn{300}), Lsn{300});
}

TEST(Durability, AfterAFailedSyncEverythingIsWrittenAgain) {
  Durability durability;
  durability.add_line("one");
  EXPECT_EQ(carry_out(durability), "one\n");
  durability.add_line("two");
  durability.request_sync();
  auto task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->bytes, "two\n");
  durability.finished({.written = task->bytes.size(), .sync = Sync::kFailed});
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt);
  task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->bytes, "one\ntwo\n");
  EXPECT_TRUE(task->sync) << "the position still waits";
  durability.finished({.written = task->bytes.size(), .sync = Sync::kDone});
  EXPECT_EQ(durability.durable(Lsn{100}), Lsn{100});
}

TEST(Durability, AWriteGoesOnWhereItStopped) {
  Durability durability;
  durability.add_line("one");
  durability.request_sync();
  auto task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_TRUE(task->begins_line);
  durability.finished({.written = 2});
  task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->bytes, "e\n");
  EXPECT_FALSE(task->begins_line);
  durability.finished({.written = 2, .sync = Sync::kDone});
  durability.add_line("two");
  task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_TRUE(task->begins_line);
}

TEST(Durability, AFileThatWasReplacedIsGivenWholeLines) {
  Durability durability;
  durability.add_line("one");
  EXPECT_EQ(carry_out(durability), "one\n");
  durability.add_line("two");
  durability.request_sync();
  auto task = durability.next_task();
  ASSERT_TRUE(task);
  durability.finished({.written = 2});
  task = durability.next_task();
  ASSERT_TRUE(task);
  durability.finished({.written = task->bytes.size(), .sync = Sync::kDone, .replaced = true});
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt) << "it was synced in a file that nobody can read";
  task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->bytes, "one\ntwo\n");
  EXPECT_TRUE(task->begins_line);
  durability.finished({.written = task->bytes.size(), .sync = Sync::kDone});
  EXPECT_EQ(durability.durable(Lsn{100}), Lsn{100});
}

TEST(Durability, ALookAtTheFileNeedsNothingToWrite) {
  Durability durability;
  durability.request_check();
  const auto task = durability.next_task();
  ASSERT_TRUE(task);
  EXPECT_EQ(task->bytes, "");
  EXPECT_FALSE(task->sync);
  EXPECT_TRUE(durability.task_under_way());
  durability.finished({});
  EXPECT_FALSE(durability.next_task());
}

TEST(Durability, ThePositionWaitsForTheTable) {
  Durability durability;
  durability.add_row();
  durability.add_row();
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt);
  durability.add_row();
  durability.rows_recorded(1);
  EXPECT_EQ(durability.durable(Lsn{200}), std::nullopt);
  durability.rows_recorded(2);
  EXPECT_EQ(durability.durable(Lsn{300}), Lsn{100}) << "the position of the time when two were found";
  durability.rows_recorded(3);
  EXPECT_EQ(durability.durable(Lsn{400}), Lsn{400});
}

TEST(Durability, ThePositionWaitsForFileAndTable) {
  Durability durability;
  durability.add_line("one");
  durability.add_row();
  durability.rows_recorded(1);
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt);
  durability.request_sync();
  carry_out(durability);
  EXPECT_EQ(durability.durable(Lsn{100}), Lsn{100});
  durability.add_line("two");
  durability.add_row();
  durability.request_sync();
  carry_out(durability);
  EXPECT_EQ(durability.durable(Lsn{200}), std::nullopt);
  durability.rows_recorded(2);
  EXPECT_EQ(durability.durable(Lsn{200}), Lsn{200});
}

TEST(Durability, AMarkOfAnotherStreamSaysNothing) {
  Durability durability;
  durability.add_row();
  EXPECT_EQ(durability.durable(Lsn{500}), std::nullopt);
  durability.stream_started();
  durability.add_row();
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt);
  durability.rows_recorded(1);
  EXPECT_EQ(durability.durable(Lsn{100}), std::nullopt) << "500 was a position of another stream";
}

/// A disk that keeps lines as whole as it is given them, and what is durable on it.
class Disk {
 public:
  FileOutcome perform(const FileTask& task) {
    if (task.begins_line && !text_.empty() && text_.back() != '\n') text_ += '\n';
    FileOutcome outcome;
    outcome.written =
        *rc::gen::weightedOneOf<std::size_t>({{3, rc::gen::just(task.bytes.size())},
                                              {1, rc::gen::inRange<std::size_t>(0, task.bytes.size() + 1)}});
    text_.append(task.bytes, 0, outcome.written);
    if (task.sync && outcome.written == task.bytes.size()) {
      outcome.sync = *rc::gen::weightedElement<Sync>({{3, Sync::kDone}, {1, Sync::kFailed}});
      if (outcome.sync == Sync::kFailed) {
        // It may be there and it may not: the worst is that it is not.
        text_.resize(durable_);
      } else {
        durable_ = text_.size();
      }
    }
    outcome.replaced = *rc::gen::weightedElement<bool>({{7, false}, {1, true}});
    if (outcome.replaced) {
      text_.clear();
      durable_ = 0;
    } else {
      collect();
    }
    return outcome;
  }
  /// Lines that were on the disk of the file while it was the file.
  [[nodiscard]] const std::vector<bool>& durable_lines(std::size_t count) {
    lines_.resize(std::max(lines_.size(), count));
    return lines_;
  }

 private:
  void collect() {
    std::size_t begin = 0;
    for (auto end = text_.find('\n'); end < durable_; begin = end + 1, end = text_.find('\n', begin)) {
      const auto line = text_.substr(begin, end - begin);
      if (line.size() != 6 || line.front() != '<' || line.back() != '>') continue;
      const auto number = std::stoul(line.substr(1, 4));
      lines_.resize(std::max<std::size_t>(lines_.size(), number + 1));
      lines_[number] = true;
    }
  }

  std::string text_;
  std::size_t durable_ = 0;
  std::vector<bool> lines_;
};

std::string numbered(std::size_t number) {
  auto digits = std::to_string(number);
  return "<" + std::string(4 - digits.size(), '0') + digits + ">";
}

RC_GTEST_PROP(Durability, NoPositionIsDurableBeforeAllThatWasFoundUpToIt, ()) {
  Durability durability;
  Disk disk;
  std::optional<FileTask> task;
  std::size_t lines = 0;
  std::uint64_t rows = 0;
  std::uint64_t recorded = 0;
  struct Taken {
    std::size_t lines;
    std::uint64_t rows;
  };
  // By position: what had been found when it was taken.
  std::vector<Taken> taken;
  const auto check = [&](std::optional<Lsn> position) {
    if (!position) return;
    const auto& at = taken.at(position->value);
    RC_ASSERT(recorded >= at.rows);
    const auto& durable = disk.durable_lines(at.lines);
    RC_ASSERT(std::all_of(durable.begin(), durable.begin() + static_cast<std::ptrdiff_t>(at.lines),
                          [](bool line) { return line; }));
  };
  const auto take = [&] {
    taken.push_back({lines, rows});
    check(durability.durable(Lsn{taken.size() - 1}));
  };
  const auto count = *rc::gen::inRange(0, 300);
  for (int i = 0; i < count; ++i) {
    switch (*rc::gen::weightedElement<int>({{4, 0}, {2, 1}, {6, 2}, {3, 3}, {3, 4}, {1, 5}})) {
      case 0:
        durability.add_line(numbered(lines++));
        break;
      case 1:
        durability.add_row();
        ++rows;
        break;
      case 2:
        if (task) {
          durability.finished(disk.perform(*task));
          task.reset();
        } else {
          task = durability.next_task();
        }
        break;
      case 3:
        durability.request_sync();
        break;
      case 4:
        take();
        break;
      default:
        recorded = *rc::gen::inRange<std::uint64_t>(recorded, rows + 1);
        durability.rows_recorded(recorded);
    }
  }
  // When all that is asked for succeeds, nothing is held any longer.
  if (task) durability.finished({.written = 0});
  durability.rows_recorded(recorded = rows);
  durability.request_sync();
  while (const auto last = durability.next_task()) {
    durability.finished({.written = last->bytes.size(), .sync = last->sync ? Sync::kDone : Sync::kNotTried});
  }
  RC_ASSERT(durability.settled());
  RC_ASSERT(durability.durable(Lsn{taken.size()}) == Lsn{taken.size()});
}

}  // namespace
}  // namespace dupwatch::core::durability_test
