#include "daemon/quarantine/worker.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "daemon/core/replay_rules.hpp"
#include "tests/unit/table/served_table.hpp"

namespace dupwatch::quarantine::worker_test {
namespace {

using answering::Server;
using answering::Statement;
using core::QuarantineMode;
using core::QuarantineOutcome;
using core::QuarantineRefusal;
using core::QuarantineState;
using table::served::id_of;
using table::served::late_copy;

constexpr auto kReadsRun = "ORDER BY e.\"id\"::text COLLATE";
constexpr auto kReadsLimits = "r.restored_at IS NOT NULL";
constexpr auto kWrites = "INSERT INTO dupwatch.quarantine (";
constexpr auto kLooksForRow = "SELECT EXISTS (SELECT FROM";
constexpr auto kOpensCircuit = "INSERT INTO dupwatch.quarantine_circuit";
constexpr auto kRights = "has_table_privilege($1, 'SELECT')";
constexpr auto kStarted = "pg_postmaster_start_time";
constexpr auto kStatus = "LEFT JOIN dupwatch.quarantine_circuit";

/// A server that has the run of a finding, and all rights.
class Worker : public ::testing::Test {
 protected:
  Worker() {
    config_.connection.dsn = "host=db.example";
    config_.rules.engine = core::Engine::kV4;
    config_.quarantine.mode = QuarantineMode::kRemove;
    table::served::serve_table(server_, config_.profile);
    serve(late_copy());
    server_.answers(kRights, answering::value(""))
        .answers(kStatus,
                 answering::rows({{std::nullopt, std::nullopt, std::nullopt, std::nullopt, "0", "0"}}))
        .answers("pg_advisory_xact_lock", answering::value(""))
        .answers(kReadsLimits, limits("0"))
        .answers("a.attrelid = $1::regclass", answering::rows({{"id", "text"}}))
        .answers("SELECT q.id::text, q.event_id", answering::rows({}))
        .answers(kWrites, answering::rows({{"17", "t"}}))
        .answers(kOpensCircuit, answering::rows({}));
  }
  void serve(const table::served::Log& log) {
    server_.answers(kReadsRun, answering::rows(table::served::run_rows("wrun_a", log)));
  }
  static answering::Answer limits(const std::string& minute) {
    return answering::rows({{std::nullopt, minute, minute, "0", "false"}});
  }
  [[nodiscard]] core::Finding finding() const {
    core::Finding finding;
    finding.rule = core::Rule::kDuplicateCreated;
    finding.shape = core::Shape::kAfterClose;
    finding.severity = core::Severity::kFatal;
    finding.origin = core::Origin::kStream;
    finding.table = config_.profile.qualified_name();
    finding.run_id = "wrun_a";
    finding.canonical.id = id_of(3);
    finding.duplicate.id = id_of(6);
    finding.duplicate.commit_time = process::wall_now();
    finding.id = core::finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id);
    return finding;
  }
  /// Runs a worker, which was told of `pin` if there is one, over the finding until `over`, and keeps what it
  /// left.
  void work(const std::function<bool(const core::QuarantineStats&)>& over, int findings = 1,
            const std::optional<core::ServerPin>& pin = std::nullopt) {
    testing::internal::CaptureStderr();
    {
      process::Log log{core::LogConfig{}};
      process::EventFd wake;
      QuarantineWorker worker(config_, log, wake);
      if (pin) worker.attached(*pin);
      for (int i = 0; i < findings; ++i) worker.add(finding());
      const auto end = process::steady_now() + std::chrono::seconds(20);
      while (!over(stats_ = worker.stats()) && process::steady_now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      EXPECT_TRUE(over(stats_)) << "it did not come to that";
      done_ = worker.take_done();
      farewell_ = worker.take_farewell();
    }
    log_ = testing::internal::GetCapturedStderr();
  }
  static std::uint64_t count(const core::QuarantineStats& stats, QuarantineOutcome outcome) {
    return stats.findings[static_cast<std::size_t>(outcome)];
  }
  [[nodiscard]] std::uint64_t refused(QuarantineRefusal why) const {
    return stats_.refused[static_cast<std::size_t>(why)];
  }
  /// Until `outcome` was counted.
  static std::function<bool(const core::QuarantineStats&)> counted(QuarantineOutcome outcome) {
    return [outcome](const core::QuarantineStats& stats) { return count(stats, outcome) != 0; };
  }
  [[nodiscard]] bool logged(const std::string& part) const { return log_.find(part) != std::string::npos; }

  core::Config config_;
  Server server_;
  core::QuarantineStats stats_;
  std::vector<std::uint64_t> done_;
  std::optional<postgres::Error> farewell_;
  std::string log_;
};

TEST_F(Worker, TakesTheRowOutAndSaysSo) {
  work(counted(QuarantineOutcome::kRemoved));
  EXPECT_EQ(done_, std::vector<std::uint64_t>{finding().id});
  EXPECT_EQ(stats_.state, QuarantineState::kReady);
  EXPECT_EQ(stats_.waiting, 0U);
  const auto& buckets = stats_.commit_to_removal.buckets;
  EXPECT_EQ(std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0}), 1U);
  EXPECT_TRUE(logged("event=quarantine result=removed finding_id=")) << log_;
  EXPECT_EQ(server_.asked(kWrites)[0].params[6], "daemon");
  EXPECT_EQ(server_.asked(kRights)[0].params[1], "true") << "rows are to be removed";
}

TEST_F(Worker, WhatItRecordsOrTriesStaysInTheLog) {
  config_.quarantine.mode = QuarantineMode::kRecord;
  work(counted(QuarantineOutcome::kRecorded));
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(server_.asked(kRights)[0].params[1], "false");
  EXPECT_EQ(server_.asked(kWrites)[0].text.find("DELETE FROM"), std::string::npos);
  config_.quarantine.mode = QuarantineMode::kRemove;
  config_.quarantine.dry_run = true;
  const auto written = server_.asked(kWrites).size();
  work(counted(QuarantineOutcome::kDryRun));
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(server_.asked(kWrites).size(), written);
}

TEST_F(Worker, TakesFatalFindingsOfTheStreamAlone) {
  const std::vector<std::function<void(core::Finding&)>> others = {
      [](auto& finding) { finding.origin = core::Origin::kBaseline; },
      [](auto& finding) { finding.severity = core::Severity::kHarmless; },
      [](auto& finding) { finding.state = core::FindingState::kAcknowledged; },
      [](auto& finding) { finding.rule = core::Rule::kSlotGap; },
  };
  process::Log log{core::LogConfig{}};
  process::EventFd wake;
  QuarantineWorker worker(config_, log, wake);
  for (const auto& change : others) {
    auto other = finding();
    change(other);
    worker.add(other);
  }
  const auto stats = worker.stats();
  for (std::size_t i = 0; i < stats.findings.size(); ++i) EXPECT_EQ(stats.findings[i], 0U) << i;
  EXPECT_EQ(stats.waiting, 0U);
  auto first = finding();
  std::swap(first.canonical, first.duplicate);
  worker.add(first);
  EXPECT_EQ(worker.stats().refused[static_cast<std::size_t>(QuarantineRefusal::kCanonical)], 1U);
}

TEST_F(Worker, ToObserveTakesNoSession) {
  config_.quarantine.mode = QuarantineMode::kObserve;
  process::Log log{core::LogConfig{}};
  process::EventFd wake;
  QuarantineWorker worker(config_, log, wake);
  worker.add(finding());
  EXPECT_EQ(worker.stats().waiting, 0U);
  EXPECT_EQ(server_.sessions(), 0U);
}

TEST_F(Worker, WithoutTheRightsItSaysWhatToRunAndGoesOnObserving) {
  server_.answers(kRights, answering::value("DELETE from x"));
  work(counted(QuarantineOutcome::kFailed));
  EXPECT_EQ(stats_.state, QuarantineState::kUnavailable);
  EXPECT_EQ(stats_.reason, "the role has no right to DELETE from x");
  EXPECT_TRUE(logged("event=quarantine_unavailable")) << log_;
  EXPECT_TRUE(logged("setup --print-sql --quarantine")) << log_;
  EXPECT_TRUE(server_.asked(kWrites).empty());
}

TEST_F(Worker, MoreThanIsAllowedOpensTheCircuit) {
  server_.answers(kReadsLimits, limits(std::to_string(config_.quarantine.max_per_minute)));
  work([](const auto& stats) { return stats.state == QuarantineState::kTripped; });
  EXPECT_EQ(refused(QuarantineRefusal::kCircuitOpen), 1U);
  EXPECT_EQ(stats_.reason, "max_per_minute");
  ASSERT_EQ(server_.asked(kOpensCircuit).size(), 1U);
  EXPECT_TRUE(logged("event=quarantine_tripped reason=max_per_minute")) << log_;
  EXPECT_TRUE(server_.asked(kWrites).empty());
}

TEST_F(Worker, ACircuitThatIsOpenKeepsTheRowAndIsNotOpenedAgain) {
  server_.answers(kStatus, answering::rows({{"2026-11-24", "max_per_hour", "more", "dupwatch", "0", "200"}}))
      .answers(kReadsLimits, answering::rows({{"max_per_hour", "0", "0", "0", "false"}}));
  work(counted(QuarantineOutcome::kRefused));
  EXPECT_EQ(stats_.state, QuarantineState::kTripped);
  EXPECT_TRUE(server_.asked(kOpensCircuit).empty());
  EXPECT_TRUE(server_.asked(kWrites).empty());
}

TEST_F(Worker, AFindingThatTheLogDoesNotBearOutOpensTheCircuit) {
  auto log = late_copy();
  std::swap(log[4], log[5]);  // the copy lies before the close: harmless
  auto finding = this->finding();
  serve(log);
  finding.duplicate.id = id_of(5);
  finding.id = core::finding_id(finding.table, finding.rule, finding.run_id, finding.duplicate.id);
  process::Log quiet{[] {
    core::LogConfig config;
    config.level = core::LogLevel::kError;
    return config;
  }()};
  process::EventFd wake;
  testing::internal::CaptureStderr();
  {
    QuarantineWorker worker(config_, quiet, wake);
    worker.add(finding);
    while (worker.stats().state != QuarantineState::kTripped)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  log_ = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(logged("reason=unverified")) << log_;
  EXPECT_TRUE(logged(id_of(5))) << log_;
}

TEST_F(Worker, AFindingThatNoTryShowsAlthoughItsRowIsThereOpensTheCircuit) {
  auto log = late_copy();
  log.erase(log.begin() + 5, log.end());
  serve(log);
  server_.answers(kLooksForRow, answering::value("t"));
  work([](const core::QuarantineStats& stats) { return stats.state == QuarantineState::kTripped; });
  EXPECT_EQ(server_.asked(kReadsRun).size(), TaskList::kAttemptsMax) << "the commit may be late to be seen";
  EXPECT_EQ(refused(QuarantineRefusal::kUnverified), 1U);
  EXPECT_EQ(server_.asked(kOpensCircuit).size(), 1U);
  EXPECT_TRUE(logged("reason=unverified")) << log_;
  EXPECT_TRUE(done_.empty());
}

TEST_F(Worker, ALockThatWasNotFreeIsTriedAgainOnTheSameSession) {
  std::size_t tries = 0;
  server_.answers(kWrites, [&](const Statement&) {
    return ++tries == 1 ? answering::failure("55P03", "lock timeout") : answering::rows({{"17", "t"}});
  });
  work(counted(QuarantineOutcome::kRemoved));
  EXPECT_EQ(stats_.failed_attempts, 1U);
  EXPECT_EQ(server_.sessions(), 1U);
  EXPECT_FALSE(logged("quarantine_unavailable")) << log_;
  EXPECT_TRUE(logged("attempts=2")) << log_;
  const auto ends = server_.transactions();
  EXPECT_EQ(ends, (std::vector<std::string>{"BEGIN", "ROLLBACK", "BEGIN", "COMMIT"}));
}

TEST_F(Worker, ActsOnTheServerOfTheStreamAlone) {
  const core::ServerPin stream{
      .host = "db.example", .hostaddr = {}, .port = "5432", .started = "of the stream"};
  const auto failed = [](const core::QuarantineStats& stats) { return stats.failed_attempts != 0; };
  server_.answers(kStarted, answering::value("of another"));
  work(failed, 1, stream);
  EXPECT_TRUE(server_.asked(kWrites).empty());
  EXPECT_TRUE(logged("led to another server")) << log_;
  server_.answers(kStarted, answering::value(stream.started));
  work(counted(QuarantineOutcome::kRemoved), 1, stream);
}

TEST_F(Worker, WithADsnOfItsOwnItGoesWhereThatLeads) {
  config_.quarantine.dsn = "host=primary.example";
  work(counted(QuarantineOutcome::kRemoved), 1,
       core::ServerPin{.host = {}, .hostaddr = {}, .port = {}, .started = "of the stream"});
  EXPECT_TRUE(server_.asked(kStarted).empty());
}

TEST_F(Worker, TheEndOfAServerIsHandedOnAndAnotherSessionGoesOn) {
  std::size_t tries = 0;
  server_.answers(kWrites, [&](const Statement&) {
    if (++tries > 1) return answering::rows({{"17", "t"}});
    auto end = answering::failure("57P01", "terminating connection due to administrator command");
    end.ends_session = true;
    return end;
  });
  work(counted(QuarantineOutcome::kRemoved));
  ASSERT_TRUE(farewell_);
  EXPECT_EQ(farewell_->sqlstate, "57P01");
  EXPECT_EQ(server_.sessions(), 2U);
  EXPECT_TRUE(logged("event=quarantine_unavailable")) << log_;
  EXPECT_EQ(stats_.state, QuarantineState::kReady) << "an act that was done shows that it is available";
}

}  // namespace
}  // namespace dupwatch::quarantine::worker_test
