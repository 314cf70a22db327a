#include "daemon/process/log_writer.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

#include "tests/unit/process/scratch_folder.hpp"

namespace dupwatch::process::log_writer_test {
namespace {

using std::chrono::milliseconds;

std::string lost(std::uint64_t count) {
  return "lost " + std::to_string(count) + "\n";
}

/// Waits until the condition holds; false after ten seconds.
template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds{10});
  return condition();
}

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close_reader();
    close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_reader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  /// Reads until `what` was read; all of it.
  std::string read_until(const std::string& what) {
    std::string text;
    std::array<char, 65536> buffer{};
    while (text.find(what) == std::string::npos) {
      const auto count = read(ends_[0], buffer.data(), buffer.size());
      if (count <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST(LogWriter, WritesLinesInOrderAndTheLastOnesAtTheStop) {
  const ScratchFolder folder;
  const auto path = folder / "log";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  {
    LogWriter writer(fd, lost);
    for (int i = 0; i < 1000; ++i) writer.write(std::to_string(i) + "\n");
    EXPECT_TRUE(writer.stop(milliseconds{10'000}));
    EXPECT_EQ(writer.dropped(), 0U);
  }
  close(fd);
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(content(path), expected);
}

TEST(LogWriter, AReaderThatStandsStillCostsLinesAndNoTime) {
  Pipe pipe;
  LogWriter writer(pipe.writer(), lost);
  const std::string line(1023, 'x');
  const auto began = std::chrono::steady_clock::now();
  constexpr int kLines = 3000;
  for (int i = 0; i < kLines; ++i) writer.write(line + "\n");
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds{5'000});
  const auto dropped = writer.dropped();
  EXPECT_GT(dropped, kLines - 1024U - 64U - 2U) << "a buffer of 1 MiB and a pipe of 64 KiB";
  EXPECT_LE(dropped, kLines - 1024U) << "the thread may have had no turn yet";
  std::thread late([&] { EXPECT_TRUE(eventually([&] { return writer.dropped() == dropped; })); });
  const auto said = "lost " + std::to_string(dropped) + "\n";
  const auto text = pipe.read_until(said);
  late.join();
  EXPECT_TRUE(text.ends_with(said)) << "the gap is named where it is";
  EXPECT_EQ(text.size(), (kLines - dropped) * 1024 + said.size());
  writer.write("again\n");
  EXPECT_EQ(pipe.read_until("again\n"), "again\n") << "said once";
}

TEST(LogWriter, ABlockedReaderDoesNotHoldUpTheStop) {
  Pipe pipe;
  LogWriter writer(pipe.writer(), lost);
  for (int i = 0; i < 100; ++i) writer.write(std::string(1024, 'x'));
  EXPECT_FALSE(writer.stop(milliseconds{50}));
  // The thread that was left behind uses the pipe: it must not go before.
  (void)pipe.read_until(std::string(100, 'x'));
  std::this_thread::sleep_for(milliseconds{50});
}

TEST(LogWriter, WhatTheDescriptorRefusesIsCounted) {
  for (const auto* path : {"/dev/full", "/dev/null"}) {
    // The second one is not open for writing, as where stderr was closed.
    const int fd = open(path, path == std::string("/dev/full") ? O_WRONLY : O_RDONLY);
    LogWriter writer(fd, lost);
    for (int i = 0; i < 10; ++i) writer.write("line\n");
    EXPECT_TRUE(eventually([&] { return writer.dropped() == 10; })) << path;
    EXPECT_TRUE(writer.stop(milliseconds{10'000}));
    close(fd);
  }
}

TEST(LogWriter, ADescriptorThatDoesNotBlockIsWaitedFor) {
  Pipe pipe;
  ASSERT_EQ(fcntl(pipe.writer(), F_SETFL, O_NONBLOCK), 0);
  LogWriter writer(pipe.writer(), lost);
  for (int i = 0; i < 200; ++i) writer.write(std::string(1023, 'x') + "\n");
  writer.write("end\n");
  EXPECT_EQ(pipe.read_until("end\n").size(), 200U * 1024U + 4U);
  EXPECT_EQ(writer.dropped(), 0U);
}

}  // namespace
}  // namespace dupwatch::process::log_writer_test
