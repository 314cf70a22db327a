#include "daemon/findings/file_output.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "daemon/process/clock.hpp"
#include "tests/unit/process/scratch_folder.hpp"

namespace dupwatch::findings::file_output_test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FileOutputTest : public testing::Test {
 protected:
  ScratchFolder folder;
  std::string path = folder / "findings.jsonl";
  core::Durability durability;
  process::Log log{[] {
    core::LogConfig config;
    config.level = core::LogLevel::kError;
    return config;
  }()};
  process::EventFd wake;
  core::Instant now = process::steady_now();

  void turn_until_idle(FileOutput& output) {
    do {
      output.turn(now);
      if (durability.task_under_way()) output.wait(milliseconds{10'000});
      output.turn(now);
    } while (durability.task_under_way());
  }
};

TEST_F(FileOutputTest, BringsFindingsToTheDiskAndSaysSoOnce) {
  FileOutput output(path, durability, log, wake);
  EXPECT_EQ(output.open(), std::nullopt);
  EXPECT_FALSE(output.opening());
  durability.add_line("one");
  turn_until_idle(output);
  EXPECT_EQ(content(path), "one\n");
  EXPECT_FALSE(output.take_progress());
  EXPECT_FALSE(durability.settled());
  durability.request_sync();
  turn_until_idle(output);
  EXPECT_TRUE(output.take_progress());
  EXPECT_FALSE(output.take_progress());
  EXPECT_TRUE(durability.settled());
  EXPECT_EQ(output.trouble(now), "");
}

TEST_F(FileOutputTest, WithoutAPathNothingIsDone) {
  FileOutput output("", durability, log, wake);
  EXPECT_EQ(output.open(), std::nullopt);
  output.turn(now);
  EXPECT_EQ(output.deadline(), core::Instant::max());
}

TEST_F(FileOutputTest, AFileThatCannotBeOpenedIsNamed) {
  FileOutput output(folder / "no/such/file", durability, log, wake);
  EXPECT_EQ(output.open(), "findings.file " + (folder / "no/such/file") + ": No such file or directory");
}

TEST_F(FileOutputTest, ADiskThatIsFullIsTriedAgainEverySecond) {
  FileOutput output("/dev/full", durability, log, wake);
  EXPECT_EQ(output.open(), std::nullopt);
  durability.add_line("one");
  turn_until_idle(output);
  EXPECT_EQ(output.trouble(now), "No space left on device");
  EXPECT_EQ(output.failures(), 1U);
  EXPECT_EQ(output.deadline(), now + seconds{1});
  now += milliseconds{999};
  turn_until_idle(output);
  EXPECT_EQ(output.failures(), 1U);
  now += milliseconds{1};
  turn_until_idle(output);
  EXPECT_EQ(output.failures(), 2U);
  output.check();
  turn_until_idle(output);
  EXPECT_EQ(output.failures(), 3U) << "at once, when somebody asks";
}

TEST_F(FileOutputTest, ARotationIsNoticedByItself) {
  FileOutput output(path, durability, log, wake);
  EXPECT_EQ(output.open(), std::nullopt);
  fs::rename(path, folder / "old");
  turn_until_idle(output);
  EXPECT_FALSE(fs::exists(path));
  EXPECT_LE(output.deadline(), process::steady_now() + seconds{5});
  now = output.deadline();
  turn_until_idle(output);
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(FileOutputTest, WhatWentToAFileThatWasTakenAwayUnconfirmedIsWrittenToTheNext) {
  FileOutput output(path, durability, log, wake);
  EXPECT_EQ(output.open(), std::nullopt);
  durability.add_line("one");
  turn_until_idle(output);
  fs::remove(path);
  durability.add_line("two");
  durability.request_sync();
  turn_until_idle(output);
  EXPECT_EQ(content(path), "one\ntwo\n");
  EXPECT_TRUE(durability.settled());
}

}  // namespace
}  // namespace dupwatch::findings::file_output_test
