#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/watch.hpp"
#include "tests/oracle/event.hpp"
#include "tests/unit/core/event_rows.hpp"
#include "tests/walsender/frames.hpp"

/// Work and records per row, for what somebody with INSERT may choose. Twice the rows may not cost more a
/// row than a constant, whatever their ids, identities and texts.
namespace dupwatch::core::linear_work_test {
namespace {

using namespace std::chrono_literals;
using oracle::Event;

constexpr std::uint64_t kRows = 800;
/// Of an ordinary log some 3, and some 200 where logs that are packed freely take turns. A walk over a run,
/// an entity or a class for each row looks at 400.
constexpr std::uint64_t kLookedAtPerRow = 300;
constexpr std::uint64_t kRecordsPerRow = 4;

using Ids = std::vector<std::uint64_t>;

Ids ascending() {
  Ids ids(kRows);
  std::iota(ids.begin(), ids.end(), 1'000);
  return ids;
}
Ids descending() {
  auto ids = ascending();
  std::ranges::reverse(ids);
  return ids;
}
Ids shuffled() {
  auto ids = ascending();
  std::ranges::shuffle(ids, std::mt19937_64{7});
  return ids;
}

struct Input {
  std::string name;
  std::function<Event(std::uint64_t n, std::uint64_t id)> row;
  std::uint64_t memory_max = std::uint64_t{64} << 20U;
  /// Rows that are in the table before the first one comes, by the same rule.
  bool cold = false;
};

Event row(std::string run, std::string id, std::optional<std::string> identity, std::string type) {
  return Event{std::move(run), std::move(id), {std::move(identity)}, std::move(type)};
}

const std::string kRun = ulid("wrun_", 1);

std::vector<Input> inputs() {
  const auto event_id = [](std::uint64_t id) { return ulid("wevt_", id); };
  return {
      {"OneIdentity", [=](auto, auto id) { return row(kRun, event_id(id), "step_1", "step_created"); }},
      {"NullIdentity", [=](auto, auto id) { return row(kRun, event_id(id), std::nullopt, "run_started"); }},
      {"LegalRepeats", [=](auto, auto id) { return row(kRun, event_id(id), "hook_1", "hook_received"); }},
      {"TextIds", [=](auto, auto id) { return row("r", "e" + std::to_string(id), "c", "step_created"); }},
      {"OneClass",
       [=](auto n, auto id) {
         return row(kRun, event_id(id), "step_1", n % 2 == 0 ? "step_completed" : "step_failed");
       }},
      {"ClosingsAmongOthers",
       [=](auto n, auto id) {
         return row(kRun, event_id(id), "step_1",
                    n % 3 == 0   ? "step_completed"
                    : n % 3 == 1 ? "step_created"
                                 : "step_started");
       }},
      {"Conflicts",
       [=](auto n, auto id) {
         return row(kRun, event_id(id), "hook_1", n % 2 == 0 ? "hook_conflict" : "hook_created");
       }},
      {"RunEndsAmongSteps",
       [=](auto n, auto id) {
         return n % 4 == 0 ? row(kRun, event_id(id), std::nullopt, "run_failed")
                           : row(kRun, event_id(id), "s" + std::to_string(n % 500), "step_created");
       }},
      {"SlotsAmongOthers",
       [=](auto n, auto id) {
         return row(kRun, n % 2 == 0 ? slot_id(id) : event_id(id), "step_" + std::to_string(n % 7),
                    "step_created");
       }},
      {"ManyIdentities",
       [=](auto n, auto id) {
         return row(kRun, event_id(id), "step_" + std::to_string(n / 3), "step_created");
       }},
      {"TwoLongRunsInTurn",
       [=](auto n, auto id) { return row(ulid("wrun_", n % 2), event_id(id), "hook_1", "hook_received"); }},
      {"ALongRunAndShortOnesInTurn",
       [=](auto n, auto id) {
         return row(n % 2 == 0 ? kRun : ulid("wrun_", 10 + n / 20), event_id(id), "hook_1", "hook_received");
       },
       std::uint64_t{1} << 20U},
      {"LargerThanTheIndex",
       [=](auto, auto id) { return row(kRun, event_id(id), "hook_1", "hook_received"); }, 100'000, true},
      {"ColdDuplicates", [=](auto, auto id) { return row(kRun, event_id(id), "step_1", "step_created"); },
       std::uint64_t{1} << 20U, true},
  };
}

/// A watch and the table behind it.
class Bench {
 public:
  explicit Bench(std::uint64_t memory_max) {
    config_.index.memory_max_bytes = memory_max;
    config_.findings.acknowledged.clear();
    watch_ = std::make_unique<Watch>(config_, 7);
    watch_->stream_started(decoder::Plugin::kWal2json, decoder::Lsn{0x1000});
  }
  void put(const Event& event) { table_.push_back(event); }
  /// A transaction of these rows, which are in the table when it is streamed.
  void transaction(const std::vector<Event>& rows) {
    for (const auto& each : rows) put(each);
    lsn_ += 0x100;
    receive(frames_.begin(lsn_, ++xid_));
    for (const auto& each : rows) {
      receive(frames_.insert(lsn_, xid_, each));
      now_ += 1us;
    }
    receive(frames_.commit(lsn_, lsn_ + 0x30, xid_));
    turn();
  }
  void finish() {
    for (int i = 0; i < 10; ++i) {
      now_ += 10s;
      turn();
    }
    EXPECT_EQ(watch_->judged(), decoder::Lsn{lsn_ + 0x30}) << "the position is held";
  }
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::size_t most_at_once() const { return most_at_once_; }
  [[nodiscard]] std::uint64_t read_back_rows() const { return watch_->counters().read_back_rows; }
  [[nodiscard]] const std::map<std::uint64_t, Severity>& told() const { return told_; }
  /// What a look at the whole table says.
  [[nodiscard]] std::map<std::uint64_t, Severity> truth() const {
    std::map<std::uint64_t, Severity> out;
    std::map<std::string, RunLog> logs;
    TokenCodec codec;
    for (const auto& each : table_) (void)add_event(logs[each.run_id], codec, config_.profile, each);
    const ReplayRules rules(config_.profile, config_.rules, codec);
    for (const auto& [run, log] : logs) {
      std::vector<ReplayRules::Verdict> verdicts;
      rules.judge_run(log, verdicts);
      for (const auto& verdict : verdicts) {
        const auto finding = rules.describe(log, verdict, run, Origin::kStream);
        out[finding.id] = finding.severity;
      }
    }
    return out;
  }

 private:
  void receive(const std::string& copy_data) {
    while (!watch_->may_read()) turn();
    watch_->receive(walsender::bytes_of(copy_data), now_);
  }
  void take() {
    const auto findings = watch_->take_findings();
    most_at_once_ = std::max(most_at_once_, findings.size());
    records_ += findings.size();
    for (const auto& finding : findings) told_[finding.id] = finding.severity;
  }
  void turn() {
    while (watch_->judge_on(now_)) take();
    take();
    while (const auto batch = watch_->next_read_back()) {
      const std::set<std::string> runs(batch->run_ids.begin(), batch->run_ids.end());
      for (const auto& each : table_) {
        if (!runs.contains(each.run_id)) continue;
        watch_->read_back_row(each.run_id, each.id, each.type, values_of(each.identity), {}, now_);
      }
      watch_->read_back_done();
      take();
      while (watch_->judge_on(now_)) take();
      take();
    }
  }

  Config config_;
  std::unique_ptr<Watch> watch_;
  walsender::Frames frames_{decoder::Plugin::kWal2json};
  std::vector<Event> table_;
  std::uint64_t lsn_ = 0x1000;
  std::uint32_t xid_ = 100;
  Instant now_ = Instant{} + 1h;
  std::uint64_t records_ = 0;
  std::size_t most_at_once_ = 0;
  std::map<std::uint64_t, Severity> told_;
};

struct Case {
  Input input;
  std::string order;
  Ids (*ids)();
  std::size_t rows_per_transaction;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto& input : inputs()) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{kRows}}) {
      out.push_back({input, "Ascending", ascending, size});
      out.push_back({input, "Descending", descending, size});
      out.push_back({input, "Shuffled", shuffled, size});
    }
  }
  return out;
}

class LinearWork : public ::testing::TestWithParam<Case> {};

TEST_P(LinearWork, CostsAConstantARow) {
  const auto& [input, order, ids_of, size] = GetParam();
  Bench bench(input.memory_max);
  const auto ids = ids_of();
  std::uint64_t n = 0;
  if (input.cold) {
    for (; n < kRows - 100; ++n) bench.put(input.row(n, ids[n]));
  }
  const auto before = rows_looked_at();
  while (n < kRows) {
    std::vector<Event> rows;
    for (; n < kRows && rows.size() < size; ++n) rows.push_back(input.row(n, ids[n]));
    bench.transaction(rows);
  }
  bench.finish();
  const auto looked_at = rows_looked_at() - before;
  EXPECT_LE(looked_at / kRows, kLookedAtPerRow);
  EXPECT_LE(bench.records(), kRecordsPerRow * kRows);
  EXPECT_LE(bench.most_at_once(), 2 * JudgingQueue::kPieceVerdicts + (size == 1 ? 0 : 2 * kRows))
      << "findings of a read-back come in pieces";
  EXPECT_LE(bench.read_back_rows(), 3 * kRows) << "what is read back once is kept";
  // What a later row has superseded is closed by the recheck.
  for (const auto& [id, severity] : bench.truth()) {
    const auto told = bench.told().find(id);
    ASSERT_NE(told, bench.told().end()) << "missed";
    ASSERT_EQ(told->second, severity);
  }
}

INSTANTIATE_TEST_SUITE_P(Worst, LinearWork, ::testing::ValuesIn(cases()), [](const auto& each) {
  return each.param.input.name + each.param.order + (each.param.rows_per_transaction == 1 ? "" : "AtOnce");
});

}  // namespace
}  // namespace dupwatch::core::linear_work_test
