#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "daemon/cli/command_line.hpp"
#include "tests/unit/process/scratch_folder.hpp"

namespace dupwatch::cli {

/// What a command left behind.
struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

/// The whole program in this process, with a configuration of its own: no daemon of this machine is asked.
class Program {
 public:
  /// `yaml` stands below what keeps the tests apart from the machine.
  explicit Program(const std::string& yaml = {}) : file_(folder_ / "dupwatch.yaml") { configure(yaml); }

  void configure(const std::string& yaml) {
    put(file_, "connection:\n  dsn: host=db.example dbname=app user=watcher\n" + yaml +
                   (yaml.find("http:") == std::string::npos ? "http:\n  listen: ''\n" : ""));
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] const std::string& config_file() const noexcept { return file_; }

  /// `words` without the name of the program; the first two may be a command and its action.
  Ran run(std::vector<std::string> words) {
    words.insert(words.begin(), "dupwatch");
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.code = run_program(static_cast<int>(words.size()), argv.data());
    (void)std::fflush(stdout);
    ran.out = testing::internal::GetCapturedStdout();
    ran.err = testing::internal::GetCapturedStderr();
    return ran;
  }
  /// The same with --config.
  Ran with_config(std::vector<std::string> words) {
    words.insert(words.end(), {"--config", file_});
    return run(std::move(words));
  }

 private:
  ScratchFolder folder_;
  std::string file_;
};

/// Whether `text` holds each of `parts`, in this order.
inline ::testing::AssertionResult says(const std::string& text, const std::vector<std::string>& parts) {
  std::size_t from = 0;
  for (const auto& part : parts) {
    const auto at = text.find(part, from);
    if (at == std::string::npos)
      return ::testing::AssertionFailure() << "no \"" << part << "\" in the rest of:\n" << text;
    from = at + part.size();
  }
  return ::testing::AssertionSuccess();
}

}  // namespace dupwatch::cli
