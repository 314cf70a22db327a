// What the index and the rules cost for each event, and what an identity costs in memory.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <random>

#include "daemon/core/replay_rules.hpp"
#include "daemon/core/run_index.hpp"
#include "tests/bench/micro/load.hpp"

namespace dupwatch::bench {
namespace {

using core::Instant;
using core::RunIndex;

constexpr std::uint64_t kUnbounded = std::uint64_t{1} << 40U;
/// Events prepared at a time: their texts stay within the second-level cache.
constexpr std::size_t kChunk = 4096;

/// Index and rules as the core's Watch puts them together.
class Judge {
 public:
  explicit Judge(std::uint64_t bytes_max = kUnbounded)
      : index_(bytes_max, std::chrono::seconds{60}, 1), rules_(profile_, config_, index_.codec()) {}

  void add(const EventText& event) {
    auto handle = index_.find(view(event.run));
    const bool fresh = handle == RunIndex::kNone;
    const auto identity = decoder::Value::of(view(event.correlation));
    auto row = core::make_event_row(profile_, event.type, profile_.types[event.type].name);
    row.run_id = view(event.run);
    row.id = view(event.id);
    row.identity = {&identity, 1};
    row.commit = {.lsn = decoder::Lsn{lsn_ += 700}, .time = {static_cast<std::int64_t>(lsn_)}, .xid = ++xid_};
    if (fresh) {
      handle = index_.insert_pending(view(event.run));
    } else if (const auto behind = index_.peek(handle, row);
               behind && !behind->known && rules_.is_quiet(row.type, behind->seen, behind->repeated)) {
      index_.append(handle, *behind);
      if (index_.over_bound()) index_.evict(Instant{});
      return;
    } else {
      index_.touch(handle);
    }
    const auto added = index_.add_row(handle, row);
    if (fresh) index_.complete(handle);
    if (!added.known) (void)rules_.judge_row(index_.log(handle), added.row, verdicts_);
    if (index_.over_bound()) index_.evict(Instant{});
  }
  void add_all(const std::vector<EventText>& events) {
    for (const auto& event : events) add(event);
  }
  void add_runs(std::uint64_t first, std::uint64_t last, std::size_t events_each) {
    std::vector<EventText> events;
    for (auto run = first; run < last; ++run) {
      load_.append_run(run, events_each, events);
      if (events.size() < kChunk && run + 1 != last) continue;
      add_all(events);
      events.clear();
    }
  }
  [[nodiscard]] const RunIndex& index() const noexcept { return index_; }
  [[nodiscard]] const Load& load() const noexcept { return load_; }
  std::vector<core::ReplayRules::Verdict>& verdicts() noexcept { return verdicts_; }

 private:
  core::Profile profile_ = core::workflow_devkit_profile();
  core::RuleConfig config_;
  Load load_{profile_};
  RunIndex index_;
  core::ReplayRules rules_;
  std::vector<core::ReplayRules::Verdict> verdicts_;
  std::uint32_t xid_ = 1000;
  std::uint64_t lsn_ = 0;
};

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void finish(benchmark::State& state, Judge& judge, std::size_t events) {
  if (!judge.verdicts().empty()) state.SkipWithError("a finding in a load without duplicates");
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
  state.counters["ns_per_event"] = benchmark::Counter(
      static_cast<double>(events) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// Chunk after chunk of events that `prepare` appends; only judging them is timed.
template <typename Prepare>
void judge_chunks(benchmark::State& state, Judge& judge, Prepare prepare) {
  std::vector<EventText> events;
  std::size_t count = 0;
  for (auto _ : state) {
    state.PauseTiming();
    events.clear();
    prepare(events);
    state.ResumeTiming();
    judge.add_all(events);
    count += events.size();
  }
  finish(state, judge, count);
}

/// Whole runs from `next` on.
auto new_runs(const Judge& judge, std::uint64_t next) {
  return [&judge, next](std::vector<EventText>& events) mutable {
    while (events.size() < kChunk) judge.load().append_run(next++, Load::kEventsPerRun, events);
  };
}

/// New events while `runs` runs are in memory, the events of one run close together: every run is new, lives
/// for ten events and stays.
void judge_hot(benchmark::State& state) {
  const auto runs = static_cast<std::uint64_t>(state.range(0));
  Judge judge;
  judge.add_runs(0, runs, Load::kEventsPerRun);
  judge_chunks(state, judge, new_runs(judge, runs));
}

/// The same with `live` runs taking turns, so that each event is of another run than the one before.
void judge_interleaved(benchmark::State& state) {
  const auto live = static_cast<std::size_t>(state.range(0));
  Judge judge;
  std::vector<EventText> runs;
  std::uint64_t next = 0;
  judge_chunks(state, judge, [&](std::vector<EventText>& events) {
    runs.clear();
    for (std::size_t i = 0; i < live; ++i) judge.load().append_run(next++, Load::kEventsPerRun, runs);
    for (std::size_t i = 0; i < Load::kEventsPerRun; ++i) {
      for (std::size_t run = 0; run < live; ++run) events.push_back(runs[run * Load::kEventsPerRun + i]);
    }
  });
}

/// The tenth event of runs taken at random among `runs`: nothing of them is in any cache.
void judge_cold(benchmark::State& state) {
  const auto runs = static_cast<std::uint64_t>(state.range(0));
  Judge judge;
  judge.add_runs(0, runs, Load::kEventsPerRun - 1);
  std::vector<std::uint64_t> order(runs);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  std::vector<EventText> run;
  std::size_t at = 0;
  judge_chunks(state, judge, [&](std::vector<EventText>& events) {
    for (; at < runs && events.size() < kChunk; ++at) {
      run.clear();
      judge.load().append_run(order[at], Load::kEventsPerRun, run);
      events.push_back(run.back());
    }
  });
}

/// Events that are known already, as after a reconnect.
void redelivery(benchmark::State& state) {
  Judge judge;
  judge.add_runs(0, 1000, Load::kEventsPerRun);
  std::vector<EventText> events;
  for (std::uint64_t run = 0; run < 1000; ++run) {
    judge.load().append_run(run, Load::kEventsPerRun, events);
  }
  std::size_t count = 0;
  for (auto _ : state) {
    judge.add_all(events);
    count += events.size();
  }
  finish(state, judge, count);
}

/// A second row for an identity: found and described as a verdict.
void duplicate(benchmark::State& state) {
  Judge judge;
  std::vector<EventText> events;
  std::vector<EventText> run;
  std::size_t count = 0;
  std::uint64_t next = 0;
  for (auto _ : state) {
    state.PauseTiming();
    events.clear();
    while (events.size() < kChunk) {
      run.clear();
      judge.load().append_run(next++, 2, run);
      judge.add(run[0]);
      run[1].type = run[0].type;
      run[1].correlation = run[0].correlation;
      events.push_back(run[1]);
    }
    judge.verdicts().clear();
    state.ResumeTiming();
    judge.add_all(events);
    count += events.size();
    if (judge.verdicts().size() != events.size()) state.SkipWithError("a duplicate was not found");
  }
  judge.verdicts().clear();
  finish(state, judge, count);
}

/// Every new run evicts an old one: the bound is reached.
void evict(benchmark::State& state) {
  Judge judge(std::uint64_t{64} << 20U);
  std::uint64_t next = 0;
  while (judge.index().evictions()[static_cast<std::size_t>(core::Eviction::kMemory)] == 0) {
    judge.add_runs(next, next + 1000, Load::kEventsPerRun);
    next += 1000;
  }
  judge_chunks(state, judge, new_runs(judge, next));
  state.counters["bytes"] = static_cast<double>(judge.index().bytes());
}

/// Resident memory of `identities` identities in runs of ten; the time is that of filling.
void memory(benchmark::State& state) {
  const auto identities = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    const auto before = resident_bytes();
    Judge judge;
    judge.add_runs(0, identities / Load::kEventsPerRun, Load::kEventsPerRun);
    const auto per_identity = [&](std::size_t bytes) {
      return static_cast<double>(bytes) / static_cast<double>(judge.index().rows());
    };
    state.counters["resident_bytes_per_identity"] = per_identity(resident_bytes() - before);
    state.counters["counted_bytes_per_identity"] = per_identity(judge.index().bytes());
  }
}

// The memory first: what others free would be found again by it.
BENCHMARK(memory)->Arg(10'000'000)->Iterations(1)->Unit(benchmark::kMillisecond);
// Two million events; the number is given because each attempt to find one fills the index anew. At
// 10,000,000 the table grows among them, which it does at each time and a half of its size; at 9,000,000 it
// does not.
BENCHMARK(judge_hot)->RangeMultiplier(10)->Range(10'000, 10'000'000)->Arg(9'000'000)->Iterations(500);
BENCHMARK(judge_interleaved)->Arg(100)->Arg(1000)->Arg(10'000);
BENCHMARK(judge_cold)->RangeMultiplier(10)->Range(10'000, 10'000'000)->Iterations(2);
BENCHMARK(redelivery);
BENCHMARK(duplicate);
BENCHMARK(evict);

}  // namespace
}  // namespace dupwatch::bench
