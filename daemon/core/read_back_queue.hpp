#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/core/run_index.hpp"

namespace dupwatch::core {

/// Runs that wait for a read-back, in batches in the order in which they came. The first batch may be in
/// flight, the last one collects. Batches are numbered from 1 on, so that a commit can wait for one. Pure.
class ReadBackQueue {
 public:
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
    const bool in_flight = sent_ && batches_.size() == 1;
    if (batches_.empty() || in_flight || batches_.back().size() == runs_max_) batches_.emplace_back();
    batches_.back().push_back(run);
  }
  /// Sends the first batch off; nullptr while one is in flight or none waits.
  [[nodiscard]] const Runs* send() noexcept {
    if (sent_ || batches_.empty()) return nullptr;
    sent_ = true;
    return &batches_.front();
  }
  /// The batch in flight is answered, and leaves.
  [[nodiscard]] Batch answered() {
    Batch batch{.number = first_, .runs = std::move(batches_.front()), .doubtful = doubtful_ == first_};
    batches_.pop_front();
    ++first_;
    sent_ = false;
    return batch;
  }
  /// The batch in flight is sent again.
  void failed() noexcept { sent_ = false; }
  /// What the batch in flight brings may be older than what is known since.
  void doubt() noexcept {
    if (sent_) doubtful_ = first_;
  }
  /// All of them leave, as if they had been answered; none is in flight.
  [[nodiscard]] std::deque<Runs> forget() {
    first_ += batches_.size();
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
  std::uint64_t doubtful_ = 0;  ///< number of a batch that was in flight at doubt(); 0 = none
};

}  // namespace dupwatch::core
