#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "daemon/core/finding.hpp"
#include "daemon/core/instant.hpp"

/// What the daemon has yet to take out of the log by itself. Pure.
namespace dupwatch::quarantine {

/// One row to take out.
struct Task {
  std::uint64_t finding = 0;
  std::string run_id;
  std::string event_id;
  std::optional<decoder::Timestamp> commit_time;
  std::optional<decoder::Xid> xid;
  std::uint32_t attempts = 0;
  core::Instant due{};
};

/// Tasks in the order in which they are due. Single-threaded.
class TaskList {
 public:
  /// Above this new ones are refused: the limits of the configuration have stopped the acts long before.
  static constexpr std::size_t kTasksMax = 1000;
  /// The tries together take some 3 s: the next replay has begun by then.
  static constexpr std::uint32_t kAttemptsMax = 8;

  /// False: there are too many.
  [[nodiscard]] bool add(Task task);
  /// Takes the first task that is due.
  [[nodiscard]] std::optional<Task> take(core::Instant now);
  /// After an attempt in vain: put off, 20 ms at first, a second at the most. False: that was the last.
  [[nodiscard]] bool put_off(Task task, core::Instant now);
  /// When take() gives one, core::Instant::max() without any.
  [[nodiscard]] core::Instant deadline() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }

 private:
  std::deque<Task> tasks_;
};

}  // namespace dupwatch::quarantine
