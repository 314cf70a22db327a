#pragma once

#include "daemon/core/backoff.hpp"
#include "tests/sim/coverage_file.hpp"
#include "tests/sim/findings_file.hpp"
#include "tests/sim/findings_table.hpp"
#include "tests/sim/inspector.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/server.hpp"
#include "tests/sim/trace.hpp"

namespace dupwatch::sim {

/// What outlives a process of the daemon.
struct World {
  const Options& options;
  Server& server;
  FindingsFile& file;
  FindingsTable& table;
  CoverageFile& coverage_file;
  Inspector& inspector;
  core::Prng& random;
  Trace& trace;

  [[nodiscard]] bool once_in(std::uint64_t times) const { return random.below(times) == 0; }
};

}  // namespace dupwatch::sim
