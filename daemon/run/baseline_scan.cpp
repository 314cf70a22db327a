#include "daemon/run/baseline_scan.hpp"

#include <poll.h>

#include <charconv>
#include <utility>

#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/scan_queries.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::run {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Result;

// A scan may sort the whole table before its first row comes.
constexpr std::chrono::hours kQueryTimeout{24};
constexpr std::chrono::seconds kShortTimeout{30};
/// How often it is asked whether somebody waits for the scan.
constexpr std::chrono::milliseconds kLookForOthers{200};

std::optional<Error> run(Connection& sql, const std::string& query, postgres::Waiter& waiter) {
  const auto result = sql.execute(query, {}, waiter, kQueryTimeout);
  if (const auto* error = std::get_if<Error>(&result)) return *error;
  return std::nullopt;
}

}  // namespace

BaselineScan::BaselineScan(const core::Config& config, Task task, process::EventFd& wake)
    : config_(config),
      task_(std::move(task)),
      wake_(wake),
      rules_(config.profile, config.rules, codec_),
      thread_([this] { work(); }) {}

BaselineScan::~BaselineScan() {
  stop_ = true;
  stop_fd_.signal();
  room_.notify_all();
  thread_.join();
}

bool BaselineScan::wait_for_snapshot(postgres::Waiter& waiter) {
  const auto outcome = waiter.wait(snapshot_fd_.fd(), POLLIN, process::steady_now() + kShortTimeout);
  return outcome == postgres::Waiter::Outcome::kReady && state() != core::BaselineState::kFailed;
}

std::vector<core::Finding> BaselineScan::take_findings() {
  const std::lock_guard lock(mutex_);
  room_.notify_all();
  return std::exchange(mailbox_, {});
}

std::optional<Error> BaselineScan::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void BaselineScan::work() {
  rules_.set_auto_engines(task_.traits.engines);
  codec_.set_order(task_.traits.ids);
  process::LoopWaiter waiter(stop_fd_.fd(), [] {});
  auto error = scan(waiter);
  {
    const std::lock_guard lock(mutex_);
    error_ = error;
  }
  state_ = error || stopped() ? core::BaselineState::kFailed : core::BaselineState::kComplete;
  snapshot_fd_.signal();
  wake_.signal();
}

std::optional<Error> BaselineScan::scan(postgres::Waiter& waiter) {
  auto opened = Connection::open(task_.connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return *error;
  auto& sql = std::get<Connection>(opened);
  if (auto error = begin(sql, waiter)) return error;
  snapshot_fd_.signal();
  const bool open_runs = task_.scope == core::Baseline::kActive && task_.runs_table;
  if (auto error = open_runs ? scan_open_runs(sql, waiter) : scan_table(sql, waiter)) return error;
  return run(sql, "COMMIT", waiter);
}

std::optional<Error> BaselineScan::begin(Connection& sql, postgres::Waiter& waiter) const {
  if (auto error = run(sql, "SET statement_timeout = 0", waiter)) return error;
  if (auto error = run(sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", waiter)) return error;
  if (task_.snapshot.empty()) return std::nullopt;
  return run(sql, "SET TRANSACTION SNAPSHOT " + sql.quote_literal(task_.snapshot), waiter);
}

std::optional<Error> BaselineScan::each_fetch(
    Connection& sql, postgres::Waiter& waiter, const std::string& cursor_query,
    const std::function<std::optional<Error>(const pg_result&)>& use) {
  if (auto error = run(sql, "DECLARE dupwatch_baseline NO SCROLL CURSOR FOR " + cursor_query, waiter))
    return error;
  while (!stopped()) {
    const auto fetched = sql.execute("FETCH FORWARD 2000 FROM dupwatch_baseline", {}, waiter, kQueryTimeout);
    if (const auto* error = std::get_if<Error>(&fetched)) return *error;
    const auto& result = *std::get<Result>(fetched);
    if (postgres::row_count(result) == 0) break;
    if (auto error = use(result)) return error;
    if (auto error = make_way(sql, waiter)) return error;
  }
  return run(sql, "CLOSE dupwatch_baseline", waiter);
}

std::optional<Error> BaselineScan::make_way(Connection& sql, postgres::Waiter& waiter) {
  const auto now = process::steady_now();
  if (now - looked_for_others_ < kLookForOthers) return std::nullopt;
  looked_for_others_ = now;
  const auto waits = postgres::somebody_waits(sql, waiter);
  if (const auto* error = std::get_if<Error>(&waits)) return *error;
  if (!std::get<bool>(waits)) return std::nullopt;
  return Error{.fault = postgres::Fault::kTransient,
               .cause = postgres::Cause::kMadeWay,
               .sqlstate = {},
               .message = "another session waits for a table that the scan reads; the scan makes way for it",
               .remedy = "Nothing to do: the scan begins again in a minute."};
}

std::optional<Error> BaselineScan::scan_open_runs(Connection& sql, postgres::Waiter& waiter) {
  const auto total =
      sql.execute(postgres::open_runs_count_query(*config_.profile.runs), {}, waiter, kQueryTimeout);
  if (const auto* error = std::get_if<Error>(&total)) return *error;
  if (const auto count = postgres::cell(*std::get<Result>(total), 0, 0)) {
    std::uint64_t value = 0;
    std::from_chars(count->data(), count->data() + count->size(), value);
    runs_total_ = value;
  }
  auto query = postgres::open_runs_query(*config_.profile.runs);
  // A row of a run that the engine does not list is rare, and then mostly new.
  const auto places = postgres::can_read_places(sql, config_.profile, waiter);
  if (const auto* error = std::get_if<Error>(&places)) return *error;
  if (task_.unlisted && std::get<bool>(places))
    query += " UNION " + postgres::unlisted_runs_query(config_.profile);
  // 100 runs of the engine's 25,000 events at most, some 100 bytes a row in a log: a batch stays below 250 MB
  // in the worst case, and in the usual one (a few dozen events a run) below 1 MB.
  constexpr int kRunsPerQuery = 100;
  postgres::CopyFields fields;
  return each_fetch(sql, waiter, query, [&](const pg_result& ids) {
    for (int first = 0; first < postgres::row_count(ids) && !stopped(); first += kRunsPerQuery) {
      std::vector<std::string> batch;
      for (int i = first; i < postgres::row_count(ids) && i < first + kRunsPerQuery; ++i) {
        batch.emplace_back(postgres::cell(ids, i, 0).value_or(std::string_view{}));
      }
      std::unordered_map<std::string, core::RunLog> logs;
      auto failed = sql.copy_out(postgres::for_runs(batch, task_.read_back_copy), waiter, kQueryTimeout,
                                 [&](std::string_view line) {
                                   ++rows_;
                                   fields.split(line);
                                   const table::TableRow row(config_.profile, fields);
                                   row.add_to(logs[std::string(row.run_id())], config_.profile, codec_);
                                 });
      if (failed) return failed;
      for (const auto& [run_id, log] : logs) judge(log, run_id);
      runs_ += batch.size();
      if (auto error = make_way(sql, waiter)) return error;
    }
    return std::optional<Error>{};
  });
}

std::optional<Error> BaselineScan::scan_table(Connection& sql, postgres::Waiter& waiter) {
  const auto query =
      postgres::table_scan_query(config_.profile, task_.scope == core::Baseline::kActive, task_.extras);
  core::RunLog log;
  std::string run_id;
  const auto finish_run = [&] {
    if (log.rows() == 0) return;
    judge(log, run_id);
    log.clear();
    ++runs_;
  };
  auto error = each_fetch(sql, waiter, query, [&](const pg_result& result) {
    for (int i = 0; i < postgres::row_count(result); ++i) {
      const auto run = postgres::cell(result, i, 0).value_or(std::string_view{});
      if (run != run_id) {
        finish_run();
        run_id = run;
      }
      ++rows_;
      const table::TableRow row(config_.profile, result, i);
      row.add_to(log, config_.profile, codec_);
    }
    return std::optional<Error>{};
  });
  if (!error) finish_run();
  return error;
}

void BaselineScan::judge(const core::RunLog& log, std::string_view run_id) {
  verdicts_.clear();
  rules_.judge_run(log, verdicts_);
  if (verdicts_.empty()) return;
  std::unique_lock lock(mutex_);
  for (const auto& verdict : verdicts_) {
    room_.wait(lock, [this] { return mailbox_.size() < kMailboxMax || stopped(); });
    mailbox_.push_back(rules_.describe(log, verdict, run_id, core::Origin::kBaseline));
    if (mailbox_.size() == kMailboxMax) wake_.signal();
  }
  wake_.signal();
}

}  // namespace dupwatch::run
