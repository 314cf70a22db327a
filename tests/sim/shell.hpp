#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/watch.hpp"
#include "tests/sim/findings_file.hpp"
#include "tests/sim/inspector.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/server.hpp"
#include "tests/sim/trace.hpp"

namespace dupwatch::sim {

/// The daemon around the core, without sockets, files and clocks: the simulation decides when each of its
/// actions happens and how it ends. One process at a time; `Bug` makes it wrong on purpose.
class Shell {
 public:
  struct World {
    const Options& options;
    Server& server;
    FindingsFile& file;
    Inspector& inspector;
    core::Prng& random;
    Trace& trace;
  };
  Shell(World world, Bug bug);

  /// Ends the process, if there is one, and starts another.
  void start_process();
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
  void send_status(bool sync_fails);
  /// The oldest status on its way arrives; false when there is none.
  bool deliver_status();
  void advance(std::chrono::milliseconds time);

  [[nodiscard]] bool connected() const noexcept { return connected_; }
  [[nodiscard]] bool reading_back() const noexcept { return in_flight_.has_value(); }
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
  /// What the file holds is known to the new process.
  void restore();
  void finish_read_back();
  /// By a planted bug.
  [[nodiscard]] bool is_ignored(const oracle::Event& row) const;
  [[nodiscard]] bool make_durable(bool sync_fails);
  [[nodiscard]] bool once_in(std::uint64_t times) { return world_.random.below(times) == 0; }

  World world_;
  Bug bug_;
  core::Config config_;
  std::unique_ptr<core::Watch> watch_;
  std::uint64_t processes_ = 0;
  core::Instant now_{};

  bool connected_ = false;
  std::uint64_t keepalive_position_ = 0;
  std::uint64_t heartbeat_position_ = 0;
  std::deque<std::uint64_t> statuses_;
  std::optional<InFlight> in_flight_;
  std::vector<core::Finding> unwritten_;
  /// Written and not known to be on disk: written again after a failed sync.
  std::vector<core::Finding> unsynced_;
};

}  // namespace dupwatch::sim
