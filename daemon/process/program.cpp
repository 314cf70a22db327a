#include "daemon/process/program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace dupwatch::process {
namespace {

constexpr int kCannotStart = 126;
constexpr int kSignalled = 128;
constexpr std::size_t kLineBytesMax = std::size_t{4} << 10U;

ProgramEnd not_started(int error) {
  return {.status = kCannotStart,
          .last_line = std::strerror(error)};  // NOLINT(concurrency-mt-unsafe): glibc's is safe
}

/// The last line that is not empty of all that comes from `fd`.
std::string last_line_of(int fd) {
  std::string line;
  bool ended = false;
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return line;
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (c == '\n') {
        ended = true;
        continue;
      }
      if (std::exchange(ended, false)) line.clear();
      if (line.size() < kLineBytesMax) line.push_back(c);
    }
  }
}

}  // namespace

ProgramEnd run_program(const std::string& command, const std::vector<std::string>& words) {
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return not_started(errno);
  const auto [out, in] = pipe_ends;
  std::vector<std::string> text = {"sh", "-c", command + " \"$@\"", "sh"};
  text.insert(text.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (auto& word : text) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDOUT_FILENO);
  pid_t child = 0;
  const int failed = posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in);
  ProgramEnd end;
  if (failed == 0) end.last_line = last_line_of(out);
  close(out);
  if (failed != 0) return not_started(failed);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
  return end;
}

}  // namespace dupwatch::process
