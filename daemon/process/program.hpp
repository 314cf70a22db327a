#pragma once

#include <string>
#include <vector>

namespace dupwatch::process {

/// How a program ended. One that could not be started, and one that a signal ended, has the status that a
/// shell gives it: 126, 127, or 128 and the signal.
struct ProgramEnd {
  int status = 0;
  /// The last line that it wrote, of at most 4 KiB.
  std::string last_line;
};

/// Runs a shell's command with these words behind it and waits for its end. Its errors go to ours.
[[nodiscard]] ProgramEnd run_program(const std::string& command, const std::vector<std::string>& words);

}  // namespace dupwatch::process
