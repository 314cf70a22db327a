#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/durability.hpp"
#include "daemon/core/restored_findings.hpp"
#include "daemon/core/watch.hpp"
#include "tests/sim/coverage_keeper.hpp"
#include "tests/sim/world.hpp"

namespace dupwatch::sim {

/// The daemon around the core, without sockets, files and clocks: the simulation decides when each of its
/// actions happens and how it ends. One process at a time; `Bug` makes it wrong on purpose.
class Shell {
 public:
  Shell(World world, Bug bug);

  /// Ends the process, if there is one, and starts another.
  void start_process();
  /// Where the server lets it.
  void connect();
  /// What is in flight, either way, is lost.
  void disconnect();
  void server_crashed();

  /// One CopyData, if the daemon is willing to read and the server has one.
  void read_message();
  void read_keepalive();
  /// A heartbeat comes back, or another dupwatch's.
  void read_heartbeat();
  /// Asks for the next read-back, or goes on with the one in flight.
  void turn_read_back();
  void fail_read_back();
  /// Looks at runs with open findings in the table again, long after their last news.
  void recheck();
  void report();
  /// Gives the file its next task, or ends the one under way.
  void turn_file(FindingsFile::Fate fate);
  /// How a statement of the findings table ends.
  enum class TableFate : std::uint8_t { kDone, kFailed, kAnswerLost };
  /// Sends the next statement for the findings table, or ends the one under way.
  void turn_table(TableFate fate);
  void send_status();
  /// The oldest status on its way arrives; false when there is none.
  bool deliver_status();
  void advance(std::chrono::milliseconds time);

  [[nodiscard]] bool connected() const noexcept { return connected_; }
  [[nodiscard]] bool reading_back() const noexcept { return in_flight_.has_value(); }
  [[nodiscard]] CoverageKeeper& coverage() noexcept { return coverage_; }
  [[nodiscard]] const CoverageKeeper& coverage() const noexcept { return coverage_; }
  void turn_coverage_file(bool fails);
  void turn_scan();
  /// A turn of the witness, so long after the one before.
  void turn_witness(std::chrono::milliseconds time);
  /// Nothing pending, nothing to write.
  [[nodiscard]] bool idle() const;
  bool sink_stalled = false;

 private:
  struct InFlight {
    core::ReadBack batch;
    std::optional<std::vector<oracle::Event>> rows;  ///< from the moment of its snapshot
    std::size_t delivered = 0;
  };
  void receive(const std::string& copy_data);
  /// What file and table hold is known to the new process.
  void read_past();
  void restore();
  void finish_read_back();
  /// By a planted bug.
  [[nodiscard]] bool is_ignored(const oracle::Event& row) const;
  void add(const core::Finding& finding, bool to_file, bool to_table);
  [[nodiscard]] bool once_in(std::uint64_t times) { return world_.once_in(times); }

  World world_;
  Bug bug_;
  core::Config config_;
  std::unique_ptr<core::Watch> watch_;
  std::uint64_t processes_ = 0;
  core::Instant now_{};
  CoverageKeeper coverage_;

  bool connected_ = false;
  std::uint64_t keepalive_position_ = 0;
  std::uint64_t heartbeat_position_ = 0;
  std::deque<std::uint64_t> statuses_;
  std::optional<InFlight> in_flight_;
  core::BasicDurability<PlantedBug> durability_;
  std::optional<core::FileTask> file_task_;
  /// Not known to be in the table, and how many of them are on their way to it.
  std::deque<core::Finding> rows_;
  std::size_t rows_under_way_ = 0;
  std::uint64_t rows_recorded_ = 0;
  /// What the file held at the start, until the table has been read as well.
  std::vector<core::Finding> past_;
  bool table_read_ = false;
  std::int64_t flagged_ = 0;
};

}  // namespace dupwatch::sim
