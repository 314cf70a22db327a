#pragma once

namespace dupwatch::process {

/// Exit codes of every command; documented in the README and in --help.
enum class ExitCode : int {
  kClean = 0,
  kFindings = 1,
  kUsage = 2,
  kOperator = 3,
  kTemporary = 4,
};

[[nodiscard]] constexpr int value(ExitCode code) noexcept {
  return static_cast<int>(code);
}

}  // namespace dupwatch::process
