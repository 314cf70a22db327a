#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/core/instant.hpp"
#include "daemon/core/run_index.hpp"

namespace dupwatch::core {

/// Runs that wait for a read-back, in batches in the order in which they came. The first batch may be in
/// flight, the last one collects. Batches are numbered from 1 on, so that a commit can wait for one. Runs of
/// which the table did not show a row yet, though the stream brought one, are asked for again. Pure.
class ReadBackQueue {
 public:
  /// A commit is in the WAL, and with it in the stream, before other sessions see it: for microseconds, for
  /// as long as a busy machine keeps its backend waiting, or until a synchronous standby has it. So often,
  /// and for some 2 s in all, a run is asked for again.
  static constexpr unsigned kAgainMax = 10;
  static constexpr std::chrono::milliseconds kAgainAfter{2};
  /// Positions wait meanwhile. Where runs that are not shown come without an end, as from a table that shows
  /// nothing, they must not wait for ever: so long after the first of them no run is asked for again, until
  /// none waits.
  static constexpr std::chrono::seconds kAgainFor{2};
  using Runs = std::vector<RunIndex::Handle>;
  struct Batch {
    std::uint64_t number = 0;
    Runs runs;
    /// Asked for before doubt(): what the table said may be older.
    bool doubtful = false;
  };

  /// No batch has more than `runs_max`.
  explicit ReadBackQueue(std::size_t runs_max) noexcept : runs_max_(runs_max) {}

  /// The batch that the run comes into is the last one.
  void add(RunIndex::Handle run) {
    const bool in_flight = expects_rows() && batches_.size() == 1;
    if (batches_.empty() || in_flight || batches_.back().size() == runs_max_) batches_.emplace_back();
    batches_.back().push_back(run);
  }
  /// Sends the first batch off; nullptr while one is in flight or none waits.
  [[nodiscard]] const Runs* send() noexcept {
    if (sent_ || batches_.empty()) return nullptr;
    sent_ = true;
    return &batches_.front();
  }
  /// The batch in flight is answered, and leaves; nullopt = it was forgotten, or is to be sent again.
  [[nodiscard]] std::optional<Batch> answered() {
    if (!expects_rows()) {
      failed();
      return std::nullopt;
    }
    Batch batch{.number = first_, .runs = std::move(batches_.front()), .doubtful = doubtful_ == first_};
    batches_.pop_front();
    ++first_;
    sent_ = false;
    return batch;
  }
  /// The batch in flight is sent again, unless it was forgotten.
  void failed() noexcept { sent_ = forgotten_ = stale_ = false; }
  /// Rows of the batch in flight are wanted.
  [[nodiscard]] bool expects_rows() const noexcept { return sent_ && !forgotten_ && !stale_; }
  /// What the batch in flight brings is of no use: it is sent again once it is answered.
  void discard() noexcept { stale_ = sent_; }
  /// What the batch in flight brings may be older than what is known since.
  void doubt() noexcept {
    if (expects_rows()) doubtful_ = first_;
  }
  /// The run, of an answered batch, is asked for again in a while. False: it was often enough.
  [[nodiscard]] bool ask_again(RunIndex::Handle run, Instant now) {
    if (times_.empty()) until_ = now + kAgainFor;
    auto& times = times_[run];
    if (times == kAgainMax || now > until_) {
      times_.erase(run);
      return false;
    }
    // All that wait go together, whichever began first.
    next_ = std::min(next_, now + kAgainAfter * (1U << times));
    ++times;
    again_.push_back(run);
    return true;
  }
  /// The run is not asked for any more.
  void seen(RunIndex::Handle run) {
    if (!times_.empty()) times_.erase(run);
  }
  [[nodiscard]] bool asks_again() const noexcept { return !again_.empty(); }
  /// When again() is to be called; max() = no run waits for it.
  [[nodiscard]] Instant next() const noexcept { return next_; }
  /// Those that wait come into batches.
  void again() {
    next_ = Instant::max();
    for (const auto run : std::exchange(again_, {})) add(run);
  }
  /// All of them leave, as if they had been answered. What was in flight still is, and no other is sent
  /// before answered() or failed().
  [[nodiscard]] std::deque<Runs> forget() {
    forgotten_ = sent_;
    first_ += batches_.size();
    if (!again_.empty()) batches_.push_back(std::exchange(again_, {}));
    times_.clear();
    next_ = Instant::max();
    return std::exchange(batches_, {});
  }

  /// Number of the first batch that has not been answered, whether there is one yet or not.
  [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
  /// Number of the batch that collects; nullopt = no run waits.
  [[nodiscard]] std::optional<std::uint64_t> last() const noexcept {
    return batches_.empty() ? std::nullopt : std::optional(first_ + batches_.size() - 1);
  }

 private:
  std::size_t runs_max_;
  std::uint64_t first_ = 1;
  std::deque<Runs> batches_;
  bool sent_ = false;
  bool forgotten_ = false;      ///< the batch in flight is none of these any more
  bool stale_ = false;          ///< it is, and its answer counts for nothing
  std::uint64_t doubtful_ = 0;  ///< number of a batch that was in flight at doubt(); 0 = none
  Runs again_;
  std::unordered_map<RunIndex::Handle, unsigned> times_;
  Instant next_ = Instant::max();
  Instant until_{};
};

}  // namespace dupwatch::core
