#include "tests/sim/simulation.hpp"

#include <chrono>

#include "tests/sim/findings_file.hpp"
#include "tests/sim/inspector.hpp"
#include "tests/sim/server.hpp"
#include "tests/sim/shell.hpp"
#include "tests/sim/trace.hpp"
#include "tests/sim/workload.hpp"

namespace dupwatch::sim {
namespace {

/// Far more than draining takes: what is not done by then will never be.
constexpr std::uint64_t kDrainStepsMax = 100'000;

class Simulation {
 public:
  Simulation(std::uint64_t seed, Bug bug, bool print_trace)
      : random_(seed),
        options_(make_options(random_)),
        trace_(print_trace),
        workload_(options_, random_),
        server_(options_, random_),
        inspector_(options_, server_, file_, table_) {
    if (options_.old_rows != 0) {
      inspector_.committed(server_.commit(workload_.old_rows(), 0));
    }
    server_.create_slot();
    shell_.emplace(Shell::World{.options = options_,
                                .server = server_,
                                .file = file_,
                                .table = table_,
                                .inspector = inspector_,
                                .random = random_,
                                .trace = trace_},
                   bug);
  }

  Outcome run() {
    while (committed_ < options_.transactions && !inspector_.violation()) {
      ++trace_.step;
      work();
      fail();
    }
    drain();
    return Outcome{.violation = inspector_.violation(),
                   .trace_hash = trace_.hash(),
                   .steps = trace_.step,
                   .transactions = committed_,
                   .findings = file_.records().size()};
  }

 private:
  [[nodiscard]] bool percent(std::uint64_t chance) { return random_.below(100) < chance; }

  void commit() {
    const auto& transaction = server_.commit(workload_.transaction(), trace_.step);
    ++committed_;
    trace_("commit", "{} rows, {} to {}", std::uint64_t{transaction.rows.size()}, transaction.commit_lsn,
           transaction.end_lsn);
    inspector_.committed(transaction);
  }

  void work() {
    if (!shell_->connected() && percent(30)) shell_->connect();
    switch (random_.below(12)) {
      case 0:
        commit();
        break;
      case 1:
        if (percent(30)) {
          shell_->read_heartbeat();
        } else {
          shell_->read_keepalive();
        }
        break;
      case 2:
        shell_->turn_read_back();
        break;
      case 3:
        shell_->send_status();
        break;
      case 4:
        (void)shell_->deliver_status();
        break;
      case 5:
        shell_->report();
        break;
      case 6:
        shell_->advance(std::chrono::milliseconds{random_.below(50)});
        server_.write_other_wal(random_.below(500));
        break;
      case 7:
        shell_->turn_file(file_fate());
        break;
      case 8:
        shell_->turn_table(table_fate());
        break;
      default:
        for (auto n = random_.below(6); n > 0; --n) shell_->read_message();
    }
  }

  FindingsFile::Fate file_fate() {
    FindingsFile::Fate fate;
    if (percent(options_.sink_stall)) fate.room = random_.below(30);
    fate.sync_fails = percent(options_.sync_failure);
    fate.deleted_meanwhile = percent(options_.file_replaced);
    return fate;
  }
  Shell::TableFate table_fate() {
    if (!percent(options_.table_failure)) return Shell::TableFate::kDone;
    return percent(50) ? Shell::TableFate::kFailed : Shell::TableFate::kAnswerLost;
  }

  void fail() {
    if (percent(options_.disconnect)) shell_->disconnect();
    if (shell_->reading_back() && percent(options_.read_back_failure) && percent(30))
      shell_->fail_read_back();
    if (percent(options_.sink_stall)) shell_->sink_stalled = !shell_->sink_stalled;
    if (percent(options_.file_replaced) && percent(30)) {
      trace_("file renamed");
      file_.replace();
    }
    if (percent(10)) server_.checkpoint();
    if (percent(options_.server_crash) && percent(50)) {
      trace_("server crash");
      shell_->server_crashed();
      server_.crash();
    }
    if (percent(options_.daemon_crash) && percent(50)) {
      trace_("daemon crash");
      shell_->start_process();
    }
    if (percent(options_.machine_crash) && percent(50)) {
      trace_("machine crash");
      shell_->start_process();
      file_.lose_what_is_not_on_disk();
    }
  }

  /// No more faults, no more commits: everything must get through.
  void drain() {
    trace_("drain");
    shell_->sink_stalled = false;
    const auto last = server_.transactions().back().end_lsn;
    for (std::uint64_t i = 0; i < kDrainStepsMax && !inspector_.violation(); ++i) {
      ++trace_.step;
      if (!shell_->connected()) shell_->connect();
      shell_->read_message();
      shell_->turn_read_back();
      shell_->turn_file({});
      shell_->turn_table(Shell::TableFate::kDone);
      shell_->send_status();
      while (shell_->deliver_status()) continue;
      shell_->advance(std::chrono::milliseconds{1});
      if (server_.slot() >= last && shell_->idle()) break;
    }
    // Nothing was deleted: only what later rows have superseded is gone now.
    shell_->recheck();
    shell_->report();
    for (std::uint64_t i = 0; i < kDrainStepsMax && !shell_->idle(); ++i) {
      shell_->turn_file({});
      shell_->turn_table(Shell::TableFate::kDone);
      shell_->send_status();
      while (shell_->deliver_status()) continue;
    }
    if (!inspector_.violation()) inspector_.finished(server_.slot());
  }

  core::Prng random_;
  const Options options_;
  Trace trace_;
  Workload workload_;
  Server server_;
  FindingsFile file_;
  FindingsTable table_;
  Inspector inspector_;
  std::optional<Shell> shell_;
  std::uint64_t committed_ = 0;
};

}  // namespace

Outcome simulate(std::uint64_t seed, Bug bug, bool print_trace) {
  return Simulation(seed, bug, print_trace).run();
}

}  // namespace dupwatch::sim
