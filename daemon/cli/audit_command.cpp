#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/cli/audit_options.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/migration_audit.hpp"
#include "daemon/cli/progress_bar.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/log_traits.hpp"
#include "daemon/core/replay_rules.hpp"
#include "daemon/core/slot_gap.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/table/filtered_scan.hpp"
#include "daemon/table/run_scan.hpp"
#include "daemon/table/table_facts.hpp"
#include "daemon/table/table_row.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;

/// Judges the runs that a scan brings.
class Auditor {
 public:
  Auditor(const core::Config& config, const AuditOptions& options, const core::LogTraits& traits,
          FindingWriter& writer)
      : config_(config),
        options_(options),
        writer_(writer),
        specs_(traits.specs),
        rules_(config.profile, config.rules, codec_) {
    rules_.set_auto_engines(traits.engines);
    codec_.set_order(traits.ids);
  }

  /// Whether a run of ULIDs has a finding for that alone.
  [[nodiscard]] bool refuses_ulids() const { return core::refuses_ulids(rules_.engine_of({}, false).engine); }

  /// Where runs say their own generation, if it matters.
  [[nodiscard]] core::SpecSource specs() const {
    return rules_.is_by_run() ? specs_ : core::SpecSource::kNone;
  }

  void row(const table::TableRow& row) {
    row.add_to(log_, config_.profile, codec_);
    if (config_.profile.slot_ids) slots_.add(row.id());
  }

  void run_end(const std::string& run_id) {
    verdicts_.clear();
    rules_.judge_run(log_, verdicts_);
    for (const auto& verdict : verdicts_) {
      tell(rules_.describe(log_, verdict, run_id, core::Origin::kBaseline));
    }
    if (const auto gap = slots_.first_gap()) {
      const bool ended = log_.run_end() != core::RunLog::kNone;
      auto finding = rules_.describe_gap(*gap, run_id, ended, core::Origin::kBaseline, log_.own_engine());
      if (finding) tell(std::move(*finding));
    }
    log_.clear();
    slots_.clear();
  }

 private:
  void tell(core::Finding finding) {
    if (!options_.severities[static_cast<std::size_t>(finding.severity)]) return;
    finding.flagged_at = process::wall_now();
    writer_.write(finding);
  }

  const core::Config& config_;
  const AuditOptions& options_;
  FindingWriter& writer_;
  core::SpecSource specs_;
  core::TokenCodec codec_{process::random_seed()};
  core::ReplayRules rules_;
  core::RunLog log_;
  core::SlotNumbers slots_;
  std::vector<core::ReplayRules::Verdict> verdicts_;
};

std::optional<std::string> first_run(const AuditOptions& options) {
  if (options.after || !options.since_millis) return options.after;
  return run_id_before(*options.since_millis);
}

/// Runs the scan to its end; the error it ended with.
std::optional<Error> scan_all(table::RunScan& scan, Connection& sql, postgres::Waiter& waiter,
                              const std::function<void(const pg_result&, int)>& row,
                              const std::function<void(const std::string&)>& run_end, ProgressBar& progress) {
  while (!scan.done()) {
    auto error = scan.next(sql, waiter, row, run_end);
    progress.show(scan.rows());
    if (error) return error;
  }
  return std::nullopt;
}

/// How far a scan came.
struct Reach {
  std::optional<Error> error;
  std::uint64_t rows = 0;
  std::uint64_t runs = 0;
  std::optional<std::string> last_run;
};

/// Tells where to go on, too, when the scan was interrupted.
process::ExitCode tell_scan_error(const Error& error, const std::optional<std::string>& last_run,
                                  const AuditOptions& options) {
  if (!postgres::interrupted(error)) return report_error(error);
  const auto next = last_run ? fmt::format("; go on with: dupwatch audit {}--after {}",
                                           options.before_migration ? "--before-migration " : "", *last_run)
                             : std::string{};
  fmt::print(stderr, "interrupted{}\n", next);
  return process::ExitCode::kTemporary;
}

/// Another session with the very server of `sql`; nullopt: there is none, and one has to do.
std::optional<Connection> second_session(const core::Config& config, Connection& sql,
                                         postgres::Waiter& waiter) {
  auto connection = config.connection;
  const auto started = postgres::server_started(sql, waiter);
  if (std::holds_alternative<Error>(started)) return std::nullopt;
  connection.server = sql.server();
  connection.server.started = std::get<std::string>(started);
  auto opened = Connection::open(connection, Connection::Kind::kSql, waiter);
  auto* session = std::get_if<Connection>(&opened);
  return session != nullptr ? std::optional{std::move(*session)} : std::nullopt;
}

/// The whole table by pages; nullopt: it has to be read in order of runs.
std::optional<Reach> audit_by_pages(const core::Config& config, const table::TableFacts& ground,
                                    Connection& sql, postgres::Waiter& waiter, Auditor& auditor) {
  table::FilteredScan scan(config.profile,
                           {.select = postgres::event_select(config.profile, ground.extras),
                            .key_types = ground.key_types,
                            .refuses_ulids = auditor.refuses_ulids(),
                            .specs = auditor.specs(),
                            .ids = ground.traits.ids},
                           sql, [&] { return second_session(config, sql, waiter); });
  ProgressBar progress("rows", ground.rows_estimate);
  const auto found = scan.find(waiter, [&](std::uint64_t rows) { progress.show(rows); });
  progress.clear();
  const auto* error = std::get_if<Error>(&found);
  if (error == nullptr && !std::get<bool>(found)) return std::nullopt;
  auto failed = error != nullptr ? std::optional(*error)
                                 : scan.read(
                                       waiter,
                                       [&](const postgres::CopyFields& fields) {
                                         auditor.row(table::TableRow(config.profile, fields));
                                       },
                                       [&](const std::string& run) { auditor.run_end(run); });
  return Reach{
      .error = std::move(failed), .rows = scan.rows(), .runs = scan.runs(), .last_run = scan.last_run()};
}

Reach audit_by_runs(const core::Config& config, const AuditOptions& options, const table::TableFacts& ground,
                    Connection& sql, postgres::Waiter& waiter, Auditor& auditor) {
  table::RunScan scan(config.profile, ground.key_types,
                      {.select = postgres::event_select(config.profile, ground.extras),
                       .condition = {},
                       .after = first_run(options),
                       .rate_max = options.rate_max});
  ProgressBar progress("rows", first_run(options) ? 0 : ground.rows_estimate);
  auto error = scan_all(
      scan, sql, waiter,
      [&](const pg_result& result, int row) { auditor.row(table::TableRow(config.profile, result, row)); },
      [&](const std::string& run) { auditor.run_end(run); }, progress);
  progress.clear();
  return {.error = std::move(error), .rows = scan.rows(), .runs = scan.runs(), .last_run = scan.last_run()};
}

process::ExitCode audit_rules(const core::Config& config, const AuditOptions& options,
                              const table::TableFacts& ground, Connection& sql, postgres::Waiter& waiter) {
  FindingWriter writer(options.format, options.config_option);
  Auditor auditor(config, options, ground.traits, writer);
  std::optional<Reach> reach;
  // A part is found by the index, and who sets a rate wants small pieces that can be gone on with.
  if (!first_run(options) && options.rate_max == 0) {
    reach = audit_by_pages(config, ground, sql, waiter, auditor);
  }
  if (!reach) reach = audit_by_runs(config, options, ground, sql, waiter, auditor);
  writer.finish({.rows = reach->rows,
                 .runs = reach->runs,
                 .complete = !reach->error,
                 .next_after = reach->error ? reach->last_run.value_or("") : std::string{}});
  if (reach->error) return tell_scan_error(*reach->error, reach->last_run, options);
  return writer.written() != 0 ? process::ExitCode::kFindings : process::ExitCode::kClean;
}

process::ExitCode audit_migration(const core::Config& config, const AuditOptions& options,
                                  const table::TableFacts& ground, Connection& sql,
                                  postgres::Waiter& waiter) {
  const auto index = postgres::migration_index(sql, config.profile, waiter);
  if (const auto* error = std::get_if<Error>(&index)) return report_error(*error);
  MigrationAudit audit(config.profile, options.format, !first_run(options));
  table::RunScan scan(config.profile, ground.key_types,
                      {.select = postgres::migration_select(config.profile),
                       .condition = migration_condition(config.profile, audit.migration()),
                       .after = first_run(options),
                       .rate_max = options.rate_max});
  ProgressBar progress("rows", 0);
  const auto error = scan_all(
      scan, sql, waiter,
      [&](const pg_result& result, int row) { add_migration_row(audit.migration(), result, row); },
      [&](const std::string& run) { audit.migration().run_end(run); }, progress);
  progress.clear();
  if (error) return tell_scan_error(*error, scan.last_run(), options);
  const auto& found = std::get<postgres::MigrationIndex>(index);
  audit.finish(found);
  return audit.is_clean(found) ? process::ExitCode::kClean : process::ExitCode::kFindings;
}

process::ExitCode audit_command(const core::Config& config, const AuditOptions& options) {
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  if (options.before_migration && !config.profile.runs) {
    fmt::print(stderr,
               "error: --before-migration is about the engine's own table; the profile is generic or has "
               "table.scope_columns\n");
    return process::ExitCode::kUsage;
  }
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return report_error(*error);
  auto& sql = std::get<Connection>(opened);
  const auto looked = table::read_table_facts(config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return report_error(*error);
  const auto& ground = std::get<table::TableFacts>(looked);
  if (!ground.run_index) return report_error(table::no_run_index(config));
  return options.before_migration ? audit_migration(config, options, ground, sql, waiter)
                                  : audit_rules(config, options, ground, sql, waiter);
}

class AuditCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--format", format_, "text, json (one object a line) or csv")
        ->check(CLI::IsMember({"text", "json", "csv"}));
    app.add_flag_callback(
        "--json", [this] { format_ = "json"; }, "The same as --format json");
    app.add_option("--severity", severities_,
                   "Only these: fatal, conflict, harmless, unknown; several with commas")
        ->type_name("LIST");
    app.add_option("--since", since_, "Only runs begun since: a UTC time, or an age such as 12h or 7d")
        ->type_name("TIME");
    app.add_option("--after", options_.after, "Continue after this run, as an interrupted audit said")
        ->type_name("RUN_ID");
    app.add_option("--max-rate", options_.rate_max, "Rows a second at most; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->type_name("ROWS");
    app.add_flag("--before-migration", options_.before_migration,
                 "What the engine's unique-index migration would delete");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    options_.config_option = invocation.config_option;
    if (!understand()) return process::ExitCode::kUsage;
    return audit_command(invocation.config, options_);
  }

 private:
  /// False after reporting what is wrong.
  [[nodiscard]] bool understand() {
    if (format_ == "json") options_.format = OutputFormat::kJson;
    if (format_ == "csv") options_.format = OutputFormat::kCsv;
    if (since_) {
      const auto now = process::wall_now().micros / 1000;
      options_.since_millis = parse_since(*since_, static_cast<std::uint64_t>(now));
      if (!options_.since_millis) {
        fmt::print(stderr, "--since: expected a UTC time like 2026-11-24T05:21 or an age like 12h or 7d\n");
        return false;
      }
    }
    if (severities_ && !parse_severities(*severities_, options_.severities)) {
      fmt::print(stderr,
                 "--severity: expected one or more of fatal, conflict, harmless, unknown, with commas\n");
      return false;
    }
    return true;
  }

  AuditOptions options_;
  std::string format_ = "text";
  std::optional<std::string> since_;
  std::optional<std::string> severities_;
};

}  // namespace

std::unique_ptr<Command> make_audit() {
  return std::make_unique<AuditCommand>();
}

}  // namespace dupwatch::cli
