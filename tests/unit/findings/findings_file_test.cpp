#include "daemon/findings/findings_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>

#include "tests/unit/process/scratch_folder.hpp"

namespace dupwatch::findings::findings_file_test {
namespace {

namespace fs = std::filesystem;
using Sync = core::FileOutcome::Sync;
using Step = FindingsFile::Trouble::Step;

core::FileTask write_task(std::string bytes, bool begins_line = true) {
  return {.bytes = std::move(bytes), .begins_line = begins_line, .sync = true};
}

class FindingsFileTest : public testing::Test {
 protected:
  ScratchFolder folder;
  std::string path = folder / "findings.jsonl";
  FindingsFile file{path};

  void write_whole(const std::string& line) {
    const auto result = file.perform(write_task(line));
    EXPECT_FALSE(result.trouble);
    EXPECT_EQ(result.outcome.written, line.size());
    EXPECT_EQ(result.outcome.sync, Sync::kDone);
    EXPECT_FALSE(result.outcome.replaced);
  }
  /// Nothing of it counts, and the next one goes to the file at the path.
  void expect_replaced(const std::string& line) {
    const auto result = file.perform(write_task(line));
    EXPECT_FALSE(result.trouble);
    EXPECT_TRUE(result.outcome.replaced);
    write_whole(line);
  }
};

TEST_F(FindingsFileTest, IsMadeForItsOwnerAndHisGroup) {
  const auto before = umask(0);
  EXPECT_FALSE(file.open());
  umask(before);
  EXPECT_TRUE(file.past_is_on_disk());
  EXPECT_EQ(fs::status(path).permissions(), fs::perms{0640});
  write_whole("one\n");
  write_whole("two\n");
  EXPECT_EQ(content(path), "one\ntwo\n");
}

TEST_F(FindingsFileTest, ATornLastLineIsEndedBeforeTheNext) {
  put(path, R"({"event":"fin)");
  EXPECT_FALSE(file.open());
  write_whole("one\n");
  write_whole("two\n");
  EXPECT_EQ(content(path), "{\"event\":\"fin\none\ntwo\n");
}

TEST_F(FindingsFileTest, TheRestOfALineIsNoLineOfItsOwn) {
  EXPECT_FALSE(file.open());
  EXPECT_EQ(file.perform({.bytes = "on"}).outcome.sync, Sync::kNotTried);
  EXPECT_EQ(file.perform(write_task("e\n", false)).outcome.sync, Sync::kDone);
  EXPECT_EQ(content(path), "one\n");
}

TEST_F(FindingsFileTest, AfterARenameTheNextFileIsWritten) {
  EXPECT_FALSE(file.open());
  write_whole("one\n");
  fs::rename(path, folder / "old");
  expect_replaced("two\n");
  EXPECT_EQ(content(path), "two\n");
  EXPECT_EQ(content(folder / "old"), "one\n");
}

TEST_F(FindingsFileTest, AfterADeletionOrAReplacementTheFileAtThePathIsWritten) {
  EXPECT_FALSE(file.open());
  write_whole("one\n");
  fs::remove(path);
  expect_replaced("two\n");
  EXPECT_EQ(content(path), "two\n");
  put(folder / "other", "torn");
  fs::rename(folder / "other", path);
  expect_replaced("three\n");
  EXPECT_EQ(content(path), "torn\nthree\n");
}

TEST_F(FindingsFileTest, AFileThatWasEmptiedHasLostWhatItWasGiven) {
  EXPECT_FALSE(file.open());
  write_whole("one\n");
  fs::resize_file(path, 0);
  expect_replaced("two\n");
  EXPECT_EQ(content(path), "two\n");
  write_whole("three\n");
}

TEST_F(FindingsFileTest, ASecondNameIsNoOtherFile) {
  EXPECT_FALSE(file.open());
  fs::create_hard_link(path, folder / "second");
  write_whole("one\n");
  EXPECT_EQ(content(folder / "second"), "one\n");
}

TEST_F(FindingsFileTest, ALookAtTheFileWritesNothingAndOpensANewOne) {
  EXPECT_FALSE(file.open());
  write_whole("one\n");
  EXPECT_FALSE(file.perform({}).outcome.replaced);
  fs::remove(path);
  EXPECT_TRUE(file.perform({}).outcome.replaced);
  EXPECT_EQ(content(path), "");
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(FindingsFileTest, WithoutItsFolderItIsTriedAgain) {
  const auto nested = folder / "log";
  fs::create_directory(nested);
  FindingsFile in_folder(nested + "/findings.jsonl");
  EXPECT_FALSE(in_folder.open());
  fs::remove_all(nested);
  for (int i = 0; i < 2; ++i) {
    const auto result = in_folder.perform(write_task("one\n"));
    EXPECT_EQ(result.trouble.step, Step::kOpen);
    EXPECT_EQ(result.trouble.error, ENOENT);
    EXPECT_TRUE(result.outcome.replaced);
  }
  fs::create_directory(nested);
  EXPECT_TRUE(in_folder.perform(write_task("one\n")).outcome.replaced);
  EXPECT_EQ(in_folder.perform(write_task("one\n")).outcome.sync, Sync::kDone);
  EXPECT_EQ(content(nested + "/findings.jsonl"), "one\n");
}

TEST_F(FindingsFileTest, SaysWhyItCannotBeOpened) {
  FindingsFile directory(folder / "");
  const auto trouble = directory.open();
  EXPECT_EQ(trouble.step, Step::kOpen);
  EXPECT_EQ(trouble.error, EISDIR);
}

TEST_F(FindingsFileTest, ADeviceWithoutRoomTakesNothing) {
  FindingsFile full("/dev/full");
  EXPECT_FALSE(full.open());
  const auto result = full.perform(write_task("one\n"));
  EXPECT_EQ(result.trouble.step, Step::kWrite);
  EXPECT_EQ(result.trouble.error, ENOSPC);
  EXPECT_EQ(result.outcome.written, 0U);
  EXPECT_EQ(result.outcome.sync, Sync::kNotTried);
}

TEST_F(FindingsFileTest, APipeHasNoDiskAndOneThatNobodyReadsIsNotWaitedForForLong) {
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(file.open());
  EXPECT_FALSE(file.past_is_on_disk());
  write_whole("one\n");
  const auto result = file.perform(write_task(std::string(200'000, 'x') + "\n"));
  EXPECT_EQ(result.trouble.error, EAGAIN);
  EXPECT_GT(result.outcome.written, 0U);
  EXPECT_LT(result.outcome.written, 200'001U);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  std::array<char, 4> buffer{};
  EXPECT_EQ(read(reader, buffer.data(), buffer.size()), 4);
  EXPECT_EQ(std::string(buffer.data(), 4), "one\n");
  close(reader);
}

}  // namespace
}  // namespace dupwatch::findings::findings_file_test
