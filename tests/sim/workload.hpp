#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "tests/oracle/event.hpp"
#include "tests/sim/options.hpp"

namespace dupwatch::sim {

/// Workers that race: events of a window of runs, often twice, with ids that do not follow commit order.
class Workload {
 public:
  Workload(const Options& options, core::Prng& random) : options_(options), random_(random) {}

  [[nodiscard]] std::vector<oracle::Event> transaction();
  /// Rows that make no finding, for the time before the slot.
  [[nodiscard]] std::vector<oracle::Event> old_rows();

 private:
  [[nodiscard]] oracle::Event event();
  [[nodiscard]] oracle::Event event_of_long_run();
  [[nodiscard]] std::string new_id(const std::string& run_id, std::uint64_t shape);

  const Options& options_;
  core::Prng& random_;
  std::uint64_t clock_ = 100;
  std::map<std::string, std::set<std::string>> ids_;
};

}  // namespace dupwatch::sim
