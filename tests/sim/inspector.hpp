#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/coverage_record.hpp"
#include "daemon/core/watch.hpp"
#include "tests/oracle/findings.hpp"
#include "tests/sim/findings_file.hpp"
#include "tests/sim/findings_table.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/server.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::sim {

/// Holds every step of the daemon against the promises of the design:
///   I1  at the end the last record of every finding is what the oracle says, in the file and in the table,
///       and at no time is a transaction confirmed whose findings are not in both, for good;
///   I2  nothing is ever reported that was not true of the rows that the daemon had then, or of all that were
///       committed, and nothing twice by one process; a later look at a table that lost no row finds nothing
///       new;
///   I3  the confirmed position never goes back within a stream;
///   I6  a gap has a cause;
///   I10 a stream or a table that lies is found out (see Simulation), and nothing is gone that can't be seen;
///   I5  after each turn memory is within its bound, unless runs are pending.
class Inspector {
 public:
  Inspector(const Options& options, const Server& server, const FindingsFile& file,
            const FindingsTable& table)
      : options_(options),
        server_(server),
        file_(file),
        table_(table),
        log_(oracle::workflow_devkit_log()),
        settings_(oracle_settings(options)) {}

  void committed(const Transaction& transaction);
  void process_started();
  /// The new process knows this finding of an earlier one.
  void restored(std::uint64_t finding) { told_.insert(finding); }
  void stream_started(std::uint64_t from) { confirmed_ = from; }
  /// The daemon is about to get this row, from the stream or from a read-back.
  void given(const oracle::Event& row);
  /// A scan or a recheck has seen these.
  void shown(const std::vector<oracle::Event>& rows);
  void reported(const core::Finding& finding);
  /// A status update with this position is about to leave.
  void confirming(std::uint64_t position);
  void evicted(const core::Watch& watch);
  /// The server was put back to an earlier point.
  void restored();
  /// From now on such a gap is no false alarm.
  void cause(core::GapReason reason) { causes_.insert(reason); }
  void gap_opened(core::GapReason reason);
  /// With what was known to be confirmed.
  void attached(std::optional<decoder::Lsn> known, const std::vector<core::FoundGap>& gaps);
  /// The stream or the table lies: until that is over and a scan has ended, only the end counts.
  void lies(bool yes) { lies_ = yes; }
  /// The process can't read what the file, or one that was renamed, says of earlier ones: what is gone since
  /// stays in it.
  void past_unknown() { past_unknown_ = true; }
  void went_unnoticed(const char* lie) { violated(std::string("I10 ") + lie + " was not noticed"); }
  /// All faults are over and everything has been read.
  void finished(std::uint64_t slot);

  [[nodiscard]] const std::optional<std::string>& violation() const noexcept { return violation_; }

 private:
  using Rows = std::map<std::string, std::map<std::string, oracle::Event>>;

  void violated(std::string text);
  /// The run's findings by these rows, which are remembered as true once.
  [[nodiscard]] oracle::Findings judged(const Rows& rows, const std::string& run);
  /// The last states in the file (what is on its disk alone, or all of it) and in the table.
  [[nodiscard]] core::LastStates file_states(bool on_disk) const;
  [[nodiscard]] core::LastStates table_states() const;
  void confirming(std::uint64_t position, const char* where, const core::LastStates& states);
  [[nodiscard]] bool is_told_somewhere(const oracle::Key& key) const;
  void finished(const char* where, const core::LastStates& last);
  [[nodiscard]] bool is_covered(const oracle::Findings& on_disk, const oracle::Key& key,
                                const oracle::Verdict& required) const;

  const Options& options_;
  const Server& server_;
  const FindingsFile& file_;
  const FindingsTable& table_;
  const oracle::Log log_;
  const oracle::Settings settings_;
  Rows committed_;
  /// What this process has been given.
  Rows given_;
  std::map<std::string, oracle::Findings> truth_;
  std::map<oracle::Key, std::set<oracle::Verdict>> true_once_;
  /// What must be on disk once the transaction with this end is confirmed: the findings of its runs.
  std::map<std::uint64_t, oracle::Findings> required_;
  std::set<std::uint64_t> told_;
  std::set<core::GapReason> causes_;
  /// There was a gap, so that what was told before may have to be corrected.
  bool disturbed_ = false;
  bool lies_ = false;
  bool past_unknown_ = false;
  std::uint64_t confirmed_ = 0;
  std::optional<std::string> violation_;
};

}  // namespace dupwatch::sim
