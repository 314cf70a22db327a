#pragma once

#include <cstdint>

namespace dupwatch::sim {

/// Gives the core so many rows of each of the worst inputs that somebody with INSERT may choose, and prints
/// what a row costs. False: more than a constant.
[[nodiscard]] bool run_worst_inputs(std::uint64_t rows);

}  // namespace dupwatch::sim
