#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "daemon/cli/command.hpp"
#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/migration_audit.hpp"
#include "daemon/cli/progress_bar.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/text.hpp"
#include "daemon/core/upgrade.hpp"
#include "daemon/postgres/scan_queries.hpp"
#include "daemon/postgres/upgrade_queries.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/table/run_scan.hpp"
#include "daemon/table/table_facts.hpp"

namespace dupwatch::cli {
namespace {

using core::UpgradeVerdict;
using postgres::Connection;
using postgres::Error;

/// Reads one database for one question: where does this upgrade lead?
class UpgradeReader {
 public:
  UpgradeReader(const core::Config& config, const core::Release& to, Connection& sql,
                postgres::Waiter& waiter)
      : profile_(config.profile), to_(to), sql_(sql), waiter_(waiter) {}

  /// `facts`: what the commands know of the table.
  [[nodiscard]] postgres::Expected<core::UpgradeFacts> read(const table::TableFacts& table,
                                                            std::uint64_t now_millis);

 private:
  /// The value; nullopt for an answer that took too long or that a right is missing for. Any other error ends
  /// the reading.
  template <class T>
  [[nodiscard]] std::optional<T> allowed(postgres::Expected<T> answer) {
    if (auto* value = std::get_if<T>(&answer)) return std::move(*value);
    auto& error = std::get<Error>(answer);
    const bool refused = error.cause == postgres::Cause::kStatementTimeout || postgres::lacks_right(error);
    if (!refused && !failed_) failed_ = std::move(error);
    return std::nullopt;
  }
  void read_runs(core::UpgradeFacts& facts, std::uint64_t now_millis);
  void take_sample(core::UpgradeFacts& facts);
  void read_duplicates(core::UpgradeFacts& facts, const table::TableFacts& table);

  const core::Profile& profile_;
  const core::Release& to_;
  Connection& sql_;
  postgres::Waiter& waiter_;
  std::optional<Error> failed_;
};

void UpgradeReader::read_runs(core::UpgradeFacts& facts, std::uint64_t now_millis) {
  const auto readable = allowed(postgres::can_read_runs(sql_, *profile_.runs, waiter_));
  if (!readable.value_or(false)) return;
  facts.open_runs = allowed(postgres::read_open_runs(sql_, profile_, now_millis, waiter_));
  if (facts.open_runs) facts.drain = allowed(postgres::read_drain_rate(sql_, profile_, now_millis, waiter_));
}

void UpgradeReader::take_sample(core::UpgradeFacts& facts) {
  const auto sample = postgres::sort_sample(profile_, facts.table_bytes);
  const auto began = process::steady_now();
  auto answer = sql_.execute(sample.query, {}, waiter_, postgres::kAnswerTimeout);
  if (!allowed(std::move(answer))) return;
  const auto took = std::chrono::duration<double, std::micro>(process::steady_now() - began);
  facts.sort_time = std::chrono::microseconds(static_cast<std::int64_t>(took.count() / sample.part));
}

void UpgradeReader::read_duplicates(core::UpgradeFacts& facts, const table::TableFacts& table) {
  core::IndexMigration migration(profile_, [](const core::MigrationOutcome&) {});
  table::RunScan scan(profile_, table.key_types,
                      {.select = postgres::migration_select(profile_),
                       .condition = migration_condition(profile_, migration),
                       .after = std::nullopt,
                       .rate_max = 0});
  ProgressBar progress("rows", 0);
  while (!scan.done() && !failed_) {
    failed_ = scan.next(
        sql_, waiter_, [&](const pg_result& result, int row) { add_migration_row(migration, result, row); },
        [&](const std::string& run) { migration.run_end(run); });
    progress.show(scan.rows());
  }
  progress.clear();
  facts.duplicates = migration.totals();
}

postgres::Expected<core::UpgradeFacts> UpgradeReader::read(const table::TableFacts& table,
                                                           std::uint64_t now_millis) {
  auto answer = postgres::read_upgrade_catalogue(sql_, profile_, waiter_);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  auto facts = std::get<core::UpgradeFacts>(std::move(answer));
  read_runs(facts, now_millis);
  if (!failed_) take_sample(facts);
  if (!failed_ && core::needs_duplicates(core::plan_migrations(to_, facts.schema))) {
    read_duplicates(facts, table);
  }
  // Last, so that it is as fresh as can be.
  if (!failed_ && !facts.standby) {
    facts.writers =
        allowed(postgres::read_writers(sql_, profile_, waiter_)).value_or(std::vector<core::WriterGroup>{});
  }
  if (failed_) return std::move(*failed_);
  return facts;
}

std::string_view colour(UpgradeVerdict verdict) {
  switch (verdict) {
    case UpgradeVerdict::kPass:
      return "\x1b[32m";
    case UpgradeVerdict::kWarn:
      return "\x1b[33m";
    case UpgradeVerdict::kFail:
      return "\x1b[31m";
  }
  return "";
}

void print_for_people(const core::UpgradeReport& report, const std::string& to,
                      const core::Release& release) {
  const bool colours = isatty(STDOUT_FILENO) == 1;
  std::size_t failed = 0;
  for (const auto& line : report.lines) {
    failed += line.verdict == UpgradeVerdict::kFail ? 1U : 0U;
    print(fmt::format("{}{}{}  {:<13} {}\n", colours ? colour(line.verdict) : "", to_string(line.verdict),
                      colours ? "\x1b[0m" : "", line.name, core::visible(line.found)));
    if (!line.fix.empty()) print(fmt::format("      {:<13} fix: {}\n", "", core::visible(line.fix)));
  }
  const auto target = release.name == to ? to : fmt::format("{} (what is known of {})", to, release.name);
  if (report.go()) {
    print(fmt::format("go: the upgrade to {} can be made now\n", target));
  } else {
    print(fmt::format("no-go: {} of {} lines {} in the way of {}\n", failed, report.lines.size(),
                      failed == 1 ? "stands" : "stand", target));
  }
}

std::string json_tags(const std::vector<const core::Migration*>& list) {
  std::string out;
  for (const auto* one : list)
    out += fmt::format("{}{}", out.empty() ? "" : ",", core::json_string(one->tag));
  return "[" + out + "]";
}

void print_json(const core::UpgradeReport& report, const std::string& to, const core::Release& release) {
  std::string lines;
  for (const auto& line : report.lines) {
    std::string numbers;
    for (const auto& [name, value] : line.numbers) {
      numbers += fmt::format(R"({}"{}":{})", numbers.empty() ? "" : ",", name, value);
    }
    lines += fmt::format(R"({}{{"name":"{}","verdict":"{}","found":{},"fix":{},"numbers":{{{}}}}})",
                         lines.empty() ? "" : ",", line.name, to_string(line.verdict),
                         core::json_string(line.found), core::json_string(line.fix), numbers);
  }
  print(fmt::format(R"({{"to":{},"known_as":"{}","go":{},"pending":{},"skipped":{},"milliseconds":{},)"
                    R"("lines":[{}]}})"
                    "\n",
                    core::json_string(to), release.name, report.go(), json_tags(report.plan.pending),
                    json_tags(report.plan.skipped),
                    report.takes ? std::to_string(report.takes->count()) : std::string("null"), lines));
}

process::ExitCode upgrade_check(const core::Config& config, const std::string& to,
                                const core::Release& release, bool json) {
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return report_error(*error);
  auto& sql = std::get<Connection>(opened);
  const auto looked = table::read_table_facts(config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return report_error(*error);
  const auto& table = std::get<table::TableFacts>(looked);
  if (!table.run_index) return report_error(table::no_run_index(config));
  const auto now_millis = static_cast<std::uint64_t>(process::wall_now().micros / 1000);
  const auto facts = UpgradeReader(config, release, sql, waiter).read(table, now_millis);
  if (const auto* error = std::get_if<Error>(&facts)) return report_error(*error);
  const auto report = core::judge_upgrade(release, to, std::get<core::UpgradeFacts>(facts), now_millis);
  if (json) {
    print_json(report, to, release);
  } else {
    print_for_people(report, to, release);
  }
  return report.go() ? process::ExitCode::kClean : process::ExitCode::kFindings;
}

class UpgradeCheckCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--to", to_, "Version of @workflow/world-postgres, such as 4.3.7, 4.3, 5.0 or 5.x")
        ->required()
        ->type_name("VERSION");
    app.add_option("-o,--output", output_, "text or json")->check(CLI::IsMember({"text", "json"}));
    app.add_flag_callback(
        "--json", [this] { output_ = "json"; }, "The same as -o json");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    if (invocation.config.profile.name != "workflow-devkit") {
      fmt::print(stderr, "error: upgrade-check knows the migrations of profile workflow-devkit alone\n");
      return process::ExitCode::kUsage;
    }
    if (!invocation.config.profile.runs) {
      fmt::print(stderr,
                 "error: upgrade-check knows the engine's own schema, which has no table.scope_columns\n");
      return process::ExitCode::kUsage;
    }
    const auto* release = core::find_release(to_);
    if (release == nullptr) {
      std::string known;
      for (const auto& one : core::releases())
        known += fmt::format("{}{}", known.empty() ? "" : ", ", one.name);
      fmt::print(stderr, "--to: nothing is known of {}; known are {} and what lies between\n",
                 core::visible(to_), known);
      return process::ExitCode::kUsage;
    }
    return upgrade_check(invocation.config, to_, *release, output_ == "json");
  }

 private:
  std::string to_;
  std::string output_ = "text";
};

}  // namespace

std::unique_ptr<Command> make_upgrade_check() {
  return std::make_unique<UpgradeCheckCommand>();
}

}  // namespace dupwatch::cli
