#pragma once

#include <chrono>

namespace dupwatch::run::streamed {

/// The daemon's clocks are so much further, for the rest of the program.
void skip(std::chrono::nanoseconds time) noexcept;

}  // namespace dupwatch::run::streamed
