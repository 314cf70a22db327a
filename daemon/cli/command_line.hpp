#pragma once

namespace dupwatch::cli {

/// The whole program: reads the command line, runs its command, and returns the exit code of the process.
/// Never throws.
[[nodiscard]] int run_program(int argc, char** argv) noexcept;

}  // namespace dupwatch::cli
