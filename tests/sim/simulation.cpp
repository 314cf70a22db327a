#include "tests/sim/simulation.hpp"

#include <chrono>
#include <utility>

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
/// Far more than it takes until stream and table must have been compared.
constexpr int kRoundsMax = 60;

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
    // A slot that is there before the first start: what was committed before it is of no interest.
    inspector_.cause(core::GapReason::kUnknownPast);
    shell_.emplace(World{.options = options_,
                         .server = server_,
                         .file = file_,
                         .table = table_,
                         .coverage_file = coverage_file_,
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
      interfere();
    }
    stop_faults();
    if (lying_) end_lie();
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
    switch (random_.below(15)) {
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
      case 9:
        shell_->turn_coverage_file(percent(options_.page_failure));
        break;
      case 10:
        shell_->turn_scan();
        break;
      case 11:
        if (options_.witness) shell_->turn_witness(std::chrono::milliseconds{random_.below(2) * 1500});
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
      lose_coverage();
      shell_->start_process();
    }
    if (percent(options_.machine_crash) && percent(50)) {
      trace_("machine crash");
      if (percent(50) && coverage_file_.forget_rename()) inspector_.cause(core::GapReason::kPositionAhead);
      shell_->start_process();
      file_.lose_what_is_not_on_disk();
    }
    if (percent(options_.scan_failure)) shell_->coverage().fail_scan();
  }

  /// What becomes of the coverage file while no process runs.
  void lose_coverage() {
    if (percent(10)) coverage_file_.copy();
    if (!percent(options_.coverage_file_lost)) return;
    switch (random_.below(3)) {
      case 0:
        coverage_file_.lose();
        break;
      case 1:
        coverage_file_.damage();
        break;
      default:
        if (!coverage_file_.put_copy_back()) return;
        stale_coverage();
        return;
    }
    trace_("coverage file lost");
  }

  /// An older page may speak of another slot, timeline or publication, and of any position.
  void stale_coverage() {
    trace_("coverage file put back");
    for (const auto reason : {core::GapReason::kPositionAhead, core::GapReason::kTableChanged}) {
      inspector_.cause(reason);
    }
  }

  /// Other people's work on the server.
  void interfere() {
    if (percent(options_.slot_moved) && percent(50)) move_slot();
    if (percent(options_.slot_dropped) && percent(50)) drop_slot();
    if (percent(10)) server_.back_up();
    if (server_.has_backup() && percent(options_.restored) && percent(50)) restore();
    if (percent(options_.republished)) republish();
    if (!lying_ && options_.lie_after != 0 && committed_ >= options_.lie_after) begin_lie();
  }

  void move_slot() {
    if (!server_.has_slot()) return;
    shell_->disconnect();
    trace_("slot moved");
    inspector_.cause(core::GapReason::kPositionAhead);
    server_.move_slot();
  }

  void drop_slot() {
    shell_->disconnect();
    trace_("slot dropped");
    // The file may not have the new slot's position yet when the next process begins.
    for (const auto reason :
         {core::GapReason::kSlotCreated, core::GapReason::kFirstStart, core::GapReason::kPositionAhead}) {
      inspector_.cause(reason);
    }
    server_.drop_slot();
  }

  void restore() {
    const bool other_timeline = percent(50);
    trace_("server restored", "{}", std::uint64_t{other_timeline});
    shell_->server_crashed();
    server_.restore(other_timeline);
    // A slot that a copy of the data directory brings back, or lacks; and one that is dropped since.
    for (const auto reason : {core::GapReason::kPositionAhead, core::GapReason::kSlotCreated,
                              core::GapReason::kFirstStart, core::GapReason::kTableChanged}) {
      inspector_.cause(reason);
    }
    inspector_.restored();
    // It takes a while.
    shell_->advance(core::FindingReporter::kSettled + std::chrono::seconds{1});
  }

  void republish() {
    if (server_.publication_missing()) {
      trace_("publication made");
      server_.make_publication();
      return;
    }
    shell_->disconnect();
    trace_("publication dropped");
    inspector_.cause(core::GapReason::kTableChanged);
    server_.drop_publication();
  }

  void begin_lie() {
    lying_ = true;
    trace_("lie", "{}", static_cast<std::uint64_t>(options_.lie));
    inspector_.cause(gap_of_lie());
    inspector_.lies(true);
    if (options_.lie == Lie::kDeaf) server_.publish_inserts(false);
    if (options_.lie == Lie::kBlind) server_.hide(Hidden::kAllRuns);
    if (options_.lie == Lie::kPartlyBlind) server_.hide(Hidden::kSomeRuns);
  }

  [[nodiscard]] core::GapReason gap_of_lie() const {
    return options_.lie == Lie::kDeaf ? core::GapReason::kDeaf : core::GapReason::kBlind;
  }
  [[nodiscard]] bool noticed() const {
    const auto kind = options_.lie == Lie::kDeaf ? core::Disagreement::kDeaf : core::Disagreement::kBlind;
    return std::as_const(*shell_).coverage().standing() == kind;
  }

  void stop_faults() {
    trace_("no more faults");
    shell_->sink_stalled = false;
    if (server_.publication_missing()) server_.make_publication();
  }

  /// A round of the witness with all that may happen between two, and a commit.
  void round() {
    ++trace_.step;
    commit();
    for (int i = 0; i < 200; ++i) settle();
    for (int i = 0; i < 3; ++i) shell_->turn_witness(std::chrono::milliseconds{1000});
  }

  /// The lie goes on until the witness speaks, which it must. Nothing is said to be gone meanwhile. Then it
  /// ends, and what was missed must be found.
  void end_lie() {
    for (int i = 0; i < kRoundsMax && !noticed() && !inspector_.violation(); ++i) round();
    if (!noticed()) inspector_.went_unnoticed(options_.lie == Lie::kDeaf ? "deafness" : "blindness");
    shell_->recheck();
    shell_->report();
    round();
    trace_("lie ends");
    server_.publish_inserts(true);
    server_.hide(Hidden::kNone);
    for (int i = 0; i < kRoundsMax && !shell_->coverage().idle() && !inspector_.violation(); ++i) round();
    inspector_.lies(false);
  }

  void settle() {
    if (!shell_->connected()) shell_->connect();
    shell_->read_message();
    shell_->turn_read_back();
    shell_->turn_file({});
    shell_->turn_table(Shell::TableFate::kDone);
    shell_->turn_coverage_file(false);
    shell_->turn_scan();
    shell_->send_status();
    while (shell_->deliver_status()) continue;
  }

  /// No more faults, no more commits: everything must get through.
  void drain() {
    trace_("drain");
    for (std::uint64_t i = 0; i < kDrainStepsMax && !inspector_.violation(); ++i) {
      ++trace_.step;
      settle();
      shell_->advance(std::chrono::milliseconds{1});
      if (server_.slot() >= last_commit() && shell_->idle()) break;
    }
    // Nothing was deleted: only what later rows have superseded is gone now.
    shell_->recheck();
    shell_->report();
    for (std::uint64_t i = 0; i < kDrainStepsMax && !shell_->idle(); ++i) {
      shell_->turn_file({});
      shell_->turn_table(Shell::TableFate::kDone);
      shell_->turn_coverage_file(false);
      shell_->send_status();
      while (shell_->deliver_status()) continue;
    }
    if (!inspector_.violation()) inspector_.finished(server_.slot());
  }

  [[nodiscard]] std::uint64_t last_commit() const {
    return server_.transactions().empty() ? 0 : server_.transactions().back().end_lsn;
  }

  core::Prng random_;
  const Options options_;
  Trace trace_;
  Workload workload_;
  Server server_;
  FindingsFile file_;
  FindingsTable table_;
  CoverageFile coverage_file_;
  Inspector inspector_;
  std::optional<Shell> shell_;
  std::uint64_t committed_ = 0;
  bool lying_ = false;
};

}  // namespace

Outcome simulate(std::uint64_t seed, Bug bug, bool print_trace) {
  return Simulation(seed, bug, print_trace).run();
}

}  // namespace dupwatch::sim
