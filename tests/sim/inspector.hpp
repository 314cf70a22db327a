#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/watch.hpp"
#include "tests/oracle/duplicates.hpp"
#include "tests/sim/findings_file.hpp"
#include "tests/sim/server.hpp"

namespace dupwatch::sim {

/// Holds every step of the daemon against the promises of the design:
///   I1  at the end the findings are the oracle's, and at no time is a transaction confirmed whose duplicates
///       are not on disk;
///   I2  nothing is ever reported that the table does not bear out, and nothing twice by one process;
///   I3  the confirmed position never goes back within a stream;
///   I5  after each turn memory is within its bound, unless runs are pending.
class Inspector {
 public:
  Inspector(const Server& server, const FindingsFile& file)
      : server_(server), file_(file), rules_(oracle::workflow_devkit_rules()) {}

  void committed(const Transaction& transaction);
  void process_started() { told_.clear(); }
  void stream_started(std::uint64_t from) { confirmed_ = from; }
  void reported(const core::Finding& finding);
  /// A status update with this position is about to leave.
  void confirming(std::uint64_t position);
  void evicted(const core::Watch& watch);
  /// All faults are over and everything has been read.
  void finished(std::uint64_t slot);

  [[nodiscard]] const std::optional<std::string>& violation() const noexcept { return violation_; }

 private:
  void violated(std::string text);
  [[nodiscard]] oracle::Verdicts on_disk() const;

  const Server& server_;
  const FindingsFile& file_;
  const oracle::Rules rules_;
  std::map<std::string, std::vector<oracle::Event>> rows_by_run_;
  /// What must be on disk once the transaction with this end is confirmed: the duplicates of its runs.
  std::map<std::uint64_t, oracle::Verdicts> required_;
  std::set<std::uint64_t> told_;
  std::uint64_t confirmed_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace dupwatch::sim
