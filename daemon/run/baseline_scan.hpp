#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/stats.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/event_fd.hpp"

namespace dupwatch::run {

/// Judges the rows that were there before the stream, on a thread and a connection of its own, run by run: it
/// holds one batch of runs at a time and never fills the index. Rows committed after its snapshot come
/// through the stream, and a run that both see is judged twice to the same finding ids.
class BaselineScan {
 public:
  /// Findings wait here for the loop thread; at this many the scan waits.
  static constexpr std::size_t kMailboxMax = 1024;

  struct Task {
    /// To the server of the stream: another one may not have replayed yet what the stream has left behind.
    core::ConnectionConfig connection;
    core::Baseline scope = core::Baseline::kActive;
    /// Snapshot exported with the slot; empty: one of its own.
    std::string snapshot;
    /// The runs table can be read, so open runs are found without reading the log.
    bool runs_table = false;
    /// Rows went unseen: new ones of runs that the runs table does not list are judged too.
    bool unlisted = false;
    /// An upgrade of the engine changed what is to be said: nothing went unseen, and nobody waits for it.
    bool again = false;
    postgres::RowExtras extras{};
    core::LogTraits traits{};
    std::string read_back_copy;
  };

  /// `wake` is signalled when findings or a new state are there. All references must outlive the scan.
  BaselineScan(const core::Config& config, Task task, process::EventFd& wake);
  /// Cancels and waits.
  ~BaselineScan();
  BaselineScan(const BaselineScan&) = delete;
  BaselineScan& operator=(const BaselineScan&) = delete;

  /// Waits until the snapshot is taken over (the replication connection may go on then) or the scan has
  /// failed.
  [[nodiscard]] bool wait_for_snapshot(postgres::Waiter& waiter);

  [[nodiscard]] std::vector<core::Finding> take_findings();
  [[nodiscard]] core::BaselineState state() const noexcept { return state_.load(); }
  [[nodiscard]] std::optional<postgres::Error> error() const;
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_.load(); }
  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_.load(); }
  /// 0 = unknown.
  [[nodiscard]] std::uint64_t runs_total() const noexcept { return runs_total_.load(); }

 private:
  void work();
  [[nodiscard]] std::optional<postgres::Error> scan(postgres::Waiter& waiter);
  [[nodiscard]] std::optional<postgres::Error> begin(postgres::Connection& sql,
                                                     postgres::Waiter& waiter) const;
  [[nodiscard]] std::optional<postgres::Error> scan_open_runs(postgres::Connection& sql,
                                                              postgres::Waiter& waiter);
  [[nodiscard]] std::optional<postgres::Error> scan_table(postgres::Connection& sql,
                                                          postgres::Waiter& waiter);
  /// FETCHes `cursor` to its end.
  [[nodiscard]] std::optional<postgres::Error> each_fetch(
      postgres::Connection& sql, postgres::Waiter& waiter, const std::string& cursor_query,
      const std::function<std::optional<postgres::Error>(const pg_result&)>& use);
  /// The scan is one transaction and keeps its locks. An error where somebody waits for one of them: then it
  /// ends, and begins again later.
  [[nodiscard]] std::optional<postgres::Error> make_way(postgres::Connection& sql, postgres::Waiter& waiter);
  void judge(const core::RunLog& log, std::string_view run_id);
  [[nodiscard]] bool stopped() const noexcept { return stop_.load(); }

  const core::Config& config_;
  Task task_;
  process::EventFd& wake_;
  core::TokenCodec codec_{process::random_seed()};
  core::ReplayRules rules_;
  std::vector<core::ReplayRules::Verdict> verdicts_;
  core::Instant looked_for_others_ = process::steady_now();

  process::EventFd stop_fd_;
  process::EventFd snapshot_fd_;
  std::atomic<bool> stop_{false};
  std::atomic<core::BaselineState> state_{core::BaselineState::kRunning};
  std::atomic<std::uint64_t> rows_{0};
  std::atomic<std::uint64_t> runs_{0};
  std::atomic<std::uint64_t> runs_total_{0};

  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::vector<core::Finding> mailbox_;
  std::optional<postgres::Error> error_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::run
