#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/entity_queries.hpp"
#include "daemon/postgres/guard_queries.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/event_fd.hpp"

namespace dupwatch::run {

/// The periodic look at the tables, on a thread and a connection of its own that lasts one round: runs with
/// open findings are read again, and a number of open runs, in turn, are searched for what no event shows.
/// Every query is about at most kRunsMax runs, by index, under the session's statement_timeout.
class Recheck {
 public:
  /// Runs of one kind that a round looks at.
  static constexpr std::size_t kRunsMax = 200;

  /// `wake` is signalled when answers are there. References must outlive it.
  Recheck(const core::Config& config, process::EventFd& wake);
  /// Cancels and waits.
  ~Recheck();
  Recheck(const Recheck&) = delete;
  Recheck& operator=(const Recheck&) = delete;

  struct Round {
    core::ConnectionConfig connection;
    /// They have open findings.
    std::vector<std::string> runs;
    /// See Watch::known_findings: their logs may make millions that are of no use.
    std::unordered_set<std::uint64_t> known;
    std::string read_back_copy;
    core::LogTraits traits{};
    /// May be others each time.
    core::RecheckConfig settings;
  };
  /// Begins a round, unless one is under way.
  void begin(Round round);
  /// Findings of the table rules that an earlier process told: what they tell of has lasted long enough.
  void remember(const std::vector<std::uint64_t>& findings);
  [[nodiscard]] bool busy() const noexcept { return busy_.load(); }

  struct Answers {
    std::vector<core::RunView> views;
    /// As of core::ServerPin: which server was asked.
    std::string server;
    core::Instant asked{};
    std::optional<postgres::Error> error;
    /// Of `dupwatch guard`, when there was no error; nullopt: there is none.
    std::optional<postgres::GuardState> guard;
  };
  /// The last round's answers, once.
  [[nodiscard]] std::optional<Answers> take();

 private:
  /// What is missing: rule, run, entity, the third column.
  struct Sighting {
    core::Rule rule;
    std::string run_id;
    std::string entity;
    std::string detail;
    // NOLINTNEXTLINE(modernize-use-nullptr): as of Lsn
    friend auto operator<=>(const Sighting&, const Sighting&) = default;
  };
  using Views = std::map<std::string, core::RunView>;

  void work();
  [[nodiscard]] std::optional<postgres::Error> look(const Round& round, postgres::Waiter& waiter,
                                                    Views& views, std::optional<postgres::GuardState>& guard);
  [[nodiscard]] std::optional<postgres::Error> read_log(postgres::Connection& sql, const Round& round,
                                                        postgres::Waiter& waiter, Views& views);
  [[nodiscard]] std::optional<postgres::Error> read_tables(postgres::Connection& sql, const Round& round,
                                                           postgres::Waiter& waiter, Views& views);
  [[nodiscard]] std::optional<postgres::Error> next_open_runs(postgres::Connection& sql,
                                                              postgres::Waiter& waiter,
                                                              std::vector<std::string>& out);
  /// Remembers since when it is seen; true once that is long enough.
  [[nodiscard]] bool lasts(const Sighting& sighting, core::Instant now);
  [[nodiscard]] core::Finding describe(const Sighting& sighting, std::optional<core::Engine> own) const;

  const core::Config& config_;
  process::EventFd& wake_;
  /// Of the round under way.
  core::RecheckConfig settings_;
  core::TokenCodec codec_{process::random_seed()};
  core::ReplayRules rules_;
  std::string last_open_run_;
  struct Seen {
    core::Instant first{};
    core::Instant last{};
  };
  std::map<Sighting, Seen> sightings_;
  std::unordered_set<std::uint64_t> known_;  ///< guarded by mutex_ while no round is under way

  process::EventFd stop_fd_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> busy_{false};
  std::mutex mutex_;
  std::condition_variable begun_;
  std::optional<Round> next_;
  std::optional<Answers> answers_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace dupwatch::run
