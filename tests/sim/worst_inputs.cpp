#include "tests/sim/worst_inputs.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/core/planted.hpp"
#include "daemon/core/watch.hpp"
#include "tests/oracle/event.hpp"
#include "tests/unit/core/event_rows.hpp"
#include "tests/walsender/frames.hpp"

namespace dupwatch::sim {
namespace {

using core::Work;
using oracle::Event;

/// Of an ordinary log some three rows, five probes and 100 bytes. Where runs that do not fit into memory
/// together take turns it is some hundreds of rows and their bytes, however many rows came before.
constexpr std::uint64_t kRowsWalkedMax = 600;
constexpr std::uint64_t kProbesMax = 300;
constexpr std::uint64_t kPackedBytesMax = 16'384;
constexpr std::uint64_t kFindingsMax = 4;
constexpr std::uint64_t kUsualMemory = std::uint64_t{64} << 20U;

struct Input {
  const char* name;
  std::function<Event(std::uint64_t n)> row;
  std::uint64_t rows_per_transaction = 1;
  std::uint64_t memory_max = kUsualMemory;
};

Event event(std::uint64_t run, std::uint64_t id, std::optional<std::string> identity, std::string type) {
  return {core::ulid("wrun_", run), core::ulid("wevt_", id), {std::move(identity)}, std::move(type)};
}

/// Texts whose unkeyed hashes have the same low bits: they would share a place in any table of up to that
/// size whose key is known.
std::vector<std::string> colliding_texts(std::uint64_t count) {
  constexpr std::uint64_t kLowBits = 0xFF;
  std::vector<std::string> out;
  for (std::uint64_t i = 0; out.size() < count; ++i) {
    auto text = fmt::format("text number {}", i);
    if ((core::hash_text(text, 0) & kLowBits) == 0) out.push_back(std::move(text));
  }
  return out;
}

std::vector<Input> inputs(std::uint64_t rows) {
  const auto colliding = colliding_texts(rows);
  const auto one_identity = [](std::uint64_t n) { return event(1, 1000 + n, "step_1", "step_created"); };
  return {
      {"ordinary",
       [](auto n) {
         return event(n / 20, 1000 + n, core::ulid("step_", n / 2),
                      n % 2 == 0 ? "step_created" : "step_completed");
       }},
      {"descending ids", [=](auto n) { return event(1, 1000 + rows - n, "step_1", "step_created"); }},
      {"descending closings",
       [=](auto n) {
         return event(1, 1000 + rows - n, "step_1", n % 2 == 0 ? "step_completed" : "step_failed");
       }},
      {"colliding identities", [=](auto n) { return event(1, 1000 + n, colliding[n], "step_created"); }},
      {"colliding runs and ids",
       [=](auto n) {
         return Event{colliding[n / 4], colliding[n], {"step_1"}, "step_started"};
       }},
      {"one run", [](auto n) { return event(1, 1000 + n, core::ulid("hook_", n % 7), "hook_received"); }},
      {"one identity", one_identity},
      {"all duplicates", [](auto n) { return event(n / 4, 1000 + n, "step_1", "step_created"); }},
      {"one transaction", one_identity, rows},
      {"alternating runs at the bound",
       [](auto n) { return event(n % 3, 1000 + n, "hook_1", "hook_received"); }, 1, 200'000},
      {"short runs in turn at the bound",
       [](auto n) { return event(n % 2000, 1000 + n, "hook_1", "hook_received"); }, 1, 200'000},
  };
}

/// A watch between the input and a table that holds what came.
class Feed {
 public:
  explicit Feed(std::uint64_t memory_max) {
    config_.index.memory_max_bytes = memory_max;
    watch_.emplace(config_, 7);
    watch_->stream_started(decoder::Plugin::kWal2json, decoder::Lsn{lsn_});
  }
  void transaction(const std::vector<Event>& rows) {
    for (const auto& row : rows) table_[row.run_id].push_back(row);
    lsn_ += 0x100;
    receive(frames_.begin(lsn_, ++xid_));
    for (const auto& row : rows) receive(frames_.insert(lsn_, xid_, row));
    receive(frames_.commit(lsn_, lsn_ + 0x30, xid_));
    turn();
  }
  /// Everything is judged; false: the position is held.
  [[nodiscard]] bool finish() {
    for (int i = 0; i < 20; ++i) {
      now_ += core::JudgingQueue::kPauseMax;
      turn();
    }
    return watch_->judged() == decoder::Lsn{lsn_ + 0x30};
  }
  [[nodiscard]] std::uint64_t findings() const noexcept { return findings_; }

 private:
  void receive(const std::string& message) {
    now_ += std::chrono::microseconds{10};
    while (!watch_->may_read()) turn();
    watch_->receive(walsender::bytes_of(message), now_);
  }
  void turn() {
    while (watch_->judge_on(now_)) findings_ += watch_->take_findings().size();
    while (const auto batch = watch_->next_read_back()) {
      for (const auto& run : batch->run_ids) {
        for (const auto& row : table_[run]) {
          watch_->read_back_row(row.run_id, row.id, row.type, core::values_of(row.identity), {}, now_);
        }
      }
      watch_->read_back_done();
      while (watch_->judge_on(now_)) findings_ += watch_->take_findings().size();
    }
    findings_ += watch_->take_findings().size();
  }

  core::Config config_;
  std::optional<core::Watch> watch_;
  walsender::Frames frames_{decoder::Plugin::kWal2json};
  std::unordered_map<std::string, std::vector<Event>> table_;
  std::uint64_t lsn_ = 0x1000;
  std::uint32_t xid_ = 100;
  core::Instant now_ = core::Instant{} + std::chrono::hours{1};
  std::uint64_t findings_ = 0;
};

bool run(const Input& input, std::uint64_t rows) {
  Feed feed(input.memory_max);
  const auto walked = core::rows_looked_at();
  core::work_done = {};
  for (std::uint64_t n = 0; n < rows;) {
    std::vector<Event> of_transaction;
    for (; n < rows && of_transaction.size() < input.rows_per_transaction; ++n) {
      of_transaction.push_back(input.row(n));
    }
    feed.transaction(of_transaction);
  }
  const bool judged = feed.finish();
  struct Cost {
    const char* name;
    std::uint64_t total;
    std::uint64_t most;
  };
  const auto of = [](Work work) { return core::work_done.at(static_cast<std::size_t>(work)); };
  const std::array costs = {Cost{"rows walked", core::rows_looked_at() - walked, kRowsWalkedMax},
                            Cost{"probes", of(Work::kProbes), kProbesMax},
                            Cost{"packed bytes", of(Work::kPackedBytes), kPackedBytesMax},
                            Cost{"findings", feed.findings(), kFindingsMax}};
  bool constant = judged;
  fmt::print("{:32}", input.name);
  for (const auto& cost : costs) {
    const auto each = static_cast<double>(cost.total) / static_cast<double>(rows);
    constant = constant && cost.total <= cost.most * rows;
    fmt::print(" {:9.2f} {}", each, cost.name);
  }
  fmt::print("{}\n", constant ? "" : judged ? ": more than a constant" : ": not all is judged");
  return constant;
}

}  // namespace

bool run_worst_inputs(std::uint64_t rows) {
  bool constant = true;
  for (const auto& input : inputs(rows)) constant = run(input, rows) && constant;
  return constant;
}

}  // namespace dupwatch::sim
