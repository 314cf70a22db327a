#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/options.hpp"

namespace dupwatch::sim {

struct Outcome {
  std::optional<std::string> violation;
  std::uint64_t trace_hash = 0;
  std::uint64_t steps = 0;
  std::uint64_t transactions = 0;
  std::uint64_t findings = 0;
};

/// One whole life of a table, its server and a number of daemon processes, decided by the seed alone.
[[nodiscard]] Outcome simulate(std::uint64_t seed, Bug bug, bool print_trace);

}  // namespace dupwatch::sim
