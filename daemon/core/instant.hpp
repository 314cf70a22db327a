#pragma once

#include <chrono>

namespace dupwatch::core {

/// A point of the monotonic clock. The core is handed it and never reads a clock itself.
using Instant = std::chrono::steady_clock::time_point;

}  // namespace dupwatch::core
