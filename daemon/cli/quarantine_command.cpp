#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "daemon/cli/audit_options.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/findings_source.hpp"
#include "daemon/cli/quarantine_batch.hpp"
#include "daemon/cli/quarantine_circuit.hpp"
#include "daemon/cli/quarantine_dialog.hpp"
#include "daemon/cli/quarantine_purge.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/text.hpp"
#include "daemon/core/watch.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/quarantine/act.hpp"
#include "daemon/quarantine/queries.hpp"
#include "daemon/table/table_facts.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::kAnswerTimeout;
using Action = QuarantineOptions::Action;
using Kind = quarantine::ActOutcome::Kind;

bool confirmed(const core::Config& config, const QuarantineOptions& options) {
  if (options.yes || options.dry_run) return true;
  const auto table = config.profile.qualified_name();
  switch (options.action) {
    case Action::kApply:
      return person_agrees(
          fmt::format("Take the row of finding {} out of {}?", postgres::one_line(options.finding_id), table),
          "the event log");
    case Action::kRestore:
      return person_agrees(
          fmt::format("Put the row of entry {} back into {}?", postgres::one_line(options.entry), table),
          "the event log");
    case Action::kResume:
      return person_agrees(fmt::format("Let the daemon take rows out of {} again?", table),
                           "what the daemon may do");
    case Action::kList:
    case Action::kShow:
    case Action::kPurge:
    case Action::kStatus:
      break;
  }
  return true;
}

const char* done_word(const QuarantineOptions& options) {
  return options.neutralise.empty() ? "removed" : "made a noop of";
}

/// A running daemon need not wait for its next round to see that the row is gone. Where the server does not
/// take the message, it does.
void ask_for_look(const std::string& run_id, Connection& sql, postgres::Waiter& waiter) {
  (void)sql.execute(postgres::heartbeat_query(), {std::string(core::Watch::kLookRequest) + run_id}, waiter,
                    kAnswerTimeout);
}

process::ExitCode print_outcome(const quarantine::ActOutcome& outcome, const QuarantineOptions& options) {
  if (outcome.kind == Kind::kUnknown) {
    fmt::print(stderr, "error: {}\n",
               options.action == Action::kApply
                   ? "the run has no such finding; remedy: take run and finding_id from dupwatch explain"
                   : "there is no such entry; remedy: see dupwatch quarantine list");
    return process::ExitCode::kUsage;
  }
  const bool apply = options.action == Action::kApply;
  if (options.json) {
    fmt::print("{{\"action\":\"{}\",\"result\":\"{}\",\"id\":{},\"event_id\":{},\"reason\":{},\"why\":{}}}\n",
               apply ? "apply" : "restore", to_string(outcome.kind),
               outcome.entry.empty() ? "null" : outcome.entry, core::json_string(outcome.event_id),
               outcome.reason.empty() ? "null" : core::json_string(outcome.reason),
               outcome.explanation.empty() ? "null" : core::json_string(outcome.explanation));
  } else if (outcome.kind == Kind::kRefused) {
    fmt::print("refused ({}): {}: {}\n", outcome.reason, postgres::one_line(outcome.event_id),
               postgres::one_line(outcome.explanation));
  } else if (outcome.kind == Kind::kWouldBeDone) {
    fmt::print("would {} {}\n", options.neutralise.empty() ? "remove" : "make a noop of",
               postgres::one_line(outcome.event_id));
  } else {
    fmt::print("{} {}{}; entry {}\n", apply ? done_word(options) : "restored",
               postgres::one_line(outcome.event_id), outcome.kind == Kind::kAlready ? " before" : "",
               outcome.entry);
  }
  return outcome.kind == Kind::kRefused ? process::ExitCode::kFindings : process::ExitCode::kClean;
}

process::ExitCode apply(const core::Config& config, const QuarantineOptions& options, Connection& sql,
                        postgres::Waiter& waiter) {
  const auto looked = table::read_table_facts(config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return report_error(*error);
  const quarantine::ActRequest request{
      .run_id = options.run_id,
      .finding_id = options.finding_id,
      .dry_run = options.dry_run,
      .write = options.neutralise.empty() ? quarantine::Write::kMove : quarantine::Write::kNoop,
      .partial = options.partial};
  auto outcome =
      quarantine::quarantine_row(config, std::get<table::TableFacts>(looked), request, sql, waiter);
  if (auto* error = std::get_if<Error>(&outcome)) {
    return report_quarantine_error(std::move(*error), options.action);
  }
  const auto& done = std::get<quarantine::ActOutcome>(outcome);
  if (done.kind == Kind::kDone) ask_for_look(options.run_id, sql, waiter);
  return print_outcome(done, options);
}

process::ExitCode restore(const core::Config& config, const QuarantineOptions& options, Connection& sql,
                          postgres::Waiter& waiter) {
  auto outcome = quarantine::restore_row(config, options.entry, sql, waiter);
  if (auto* error = std::get_if<Error>(&outcome))
    return report_quarantine_error(std::move(*error), options.action);
  return print_outcome(std::get<quarantine::ActOutcome>(outcome), options);
}

process::ExitCode tell(postgres::Expected<process::ExitCode> ended, const QuarantineOptions& options) {
  if (auto* error = std::get_if<Error>(&ended))
    return report_quarantine_error(std::move(*error), options.action);
  return std::get<process::ExitCode>(ended);
}

process::ExitCode list(const QuarantineOptions& options, Connection& sql, postgres::Waiter& waiter) {
  auto answer = sql.execute(quarantine::list_query(), {std::to_string(options.limit), options.list_run},
                            waiter, kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer))
    return report_quarantine_error(std::move(*error), options.action);
  const auto& result = *std::get<postgres::Result>(answer);
  const auto text = [&](int row, int column) {
    return postgres::one_line(postgres::cell(result, row, column).value_or(""));
  };
  const int rows = postgres::row_count(result);
  const auto matched = rows == 0 ? std::string("0") : text(0, 8);
  if (options.json) fmt::print(R"({{"matched":{},"entries":[)", matched);
  for (int i = 0; i < rows; ++i) {
    if (options.json) {
      fmt::print("{}{}", i == 0 ? "\n" : ",\n", postgres::cell(result, i, 0).value_or("null"));
    } else {
      fmt::print("{:>6}  {}  {}  run {}  {}  {}\n", text(i, 1), text(i, 2), text(i, 3), text(i, 4),
                 text(i, 5), text(i, 6).empty() ? text(i, 7) : "restored " + text(i, 6));
    }
  }
  if (options.json) fmt::print("]}}\n");
  if (!options.json && rows == 0) fmt::print("nothing was taken out of the log\n");
  if (!options.json && matched != std::to_string(rows))
    fmt::print(stderr, "{} of {} entries, the newest first; --limit N shows N\n", rows, matched);
  return process::ExitCode::kClean;
}

process::ExitCode show(const QuarantineOptions& options, Connection& sql, postgres::Waiter& waiter) {
  auto answer = sql.execute(quarantine::show_query(), {options.entry}, waiter, kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer))
    return report_quarantine_error(std::move(*error), options.action);
  const auto& result = *std::get<postgres::Result>(answer);
  if (postgres::row_count(result) == 0) return print_outcome({.kind = Kind::kUnknown}, options);
  fmt::print("{}\n", postgres::cell(result, 0, options.json ? 0 : 1).value_or(""));
  return process::ExitCode::kClean;
}

/// A finding alone was named: its run is where the daemon's findings are.
std::optional<process::ExitCode> name_run(const core::Config& config, QuarantineOptions& options) {
  options.finding_id = std::exchange(options.run_id, {});
  const auto id = core::parse_finding_id(options.finding_id);
  if (!id) {
    fmt::print(stderr,
               "error: {} is no finding id; remedy: take the 16 hexadecimal digits of FINDING from "
               "dupwatch findings, or name RUN_ID and FINDING\n",
               core::visible(options.finding_id));
    return process::ExitCode::kUsage;
  }
  const auto found = find_finding(config, {}, *id);
  if (const auto* failure = std::get_if<SourceFailure>(&found)) {
    fmt::print(stderr, "error: the run of finding {} is not known: {}; remedy: name RUN_ID and FINDING\n",
               options.finding_id, failure->what);
    return failure->code;
  }
  const auto& finding = std::get<std::optional<core::Finding>>(found);
  if (!finding) {
    fmt::print(stderr,
               "error: there is no finding {}; remedy: see dupwatch findings, or name RUN_ID and "
               "FINDING\n",
               options.finding_id);
    return process::ExitCode::kUsage;
  }
  options.run_id = finding->run_id;
  return std::nullopt;
}

process::ExitCode quarantine_command(const core::Config& config, const QuarantineOptions& options) {
  if (options.action == Action::kApply && config.profile.name != "workflow-devkit") {
    fmt::print(stderr,
               "error: only rows of the profile workflow-devkit are ever removed: what heals a log was "
               "measured with that engine\n");
    return process::ExitCode::kUsage;
  }
  if (options.action == Action::kApply && !config.profile.scope_columns.empty()) {
    fmt::print(
        stderr,
        "error: rows of a table with table.scope_columns are never removed; remedy: `dupwatch explain` "
        "prints SQL to read and run\n");
    return process::ExitCode::kUsage;
  }
  if (options.action == Action::kPurge) return purge_entries(config, options);
  if (!options.from_audit.empty()) return apply_from_audit(config, options);
  if (options.action == Action::kApply && options.run_id.empty()) {
    fmt::print(stderr, "error: which rows? remedy: name FINDING, or --from-audit FILE\n");
    return process::ExitCode::kUsage;
  }
  // bigint has 19 digits.
  if (options.entry.find_first_not_of("0123456789") != std::string::npos || options.entry.size() > 18) {
    return print_outcome({.kind = Kind::kUnknown}, options);
  }
  if (!confirmed(config, options)) return process::ExitCode::kUsage;
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return report_error(*error);
  auto& sql = std::get<Connection>(opened);
  switch (options.action) {
    case Action::kList:
      return list(options, sql, waiter);
    case Action::kShow:
      return show(options, sql, waiter);
    case Action::kApply:
      return apply(config, options, sql, waiter);
    case Action::kRestore:
      return restore(config, options, sql, waiter);
    case Action::kStatus:
      return tell(circuit_status(config, options, sql, waiter), options);
    case Action::kResume:
      return tell(circuit_resume(config, options, sql, waiter), options);
    case Action::kPurge:
      break;
  }
  return process::ExitCode::kUsage;
}

class QuarantineCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.require_subcommand(1);
    app.fallthrough();
    app.add_flag("--json", options_.json, "One JSON document on stdout");
    auto* list = action(app, "list", "The rows that were taken out, the newest first", Action::kList);
    list->add_option("--run", options_.list_run, "Only of this run")->type_name("RUN_ID");
    list->add_option("--limit", options_.limit, "At most this many")->check(CLI::Range(1, 100'000));
    auto* show = action(app, "show", "One entry with the row that was kept", Action::kShow);
    auto* apply =
        action(app, "apply", "Take the row at fault of a fatal finding out of the log", Action::kApply);
    add_apply(*apply);
    auto* restore = action(app, "restore", "Put a row back as it was", Action::kRestore);
    for (auto* sub : {show, restore}) {
      sub->add_option("ID", options_.entry, "The entry's number")->required()->check(CLI::PositiveNumber);
    }
    auto* purge = action(app, "purge", "Delete old entries with the rows that they keep", Action::kPurge);
    purge->add_option("--older-than", older_than_, "Age, such as 12h or 30d")->required()->type_name("AGE");
    for (auto* sub : {apply, purge}) {
      sub->add_flag("--dry-run", options_.dry_run, "Say what would be done, and do nothing");
    }
    action(app, "status", "What the daemon took out by itself, and whether it may go on", Action::kStatus);
    auto* resume =
        action(app, "resume", "Let the daemon take rows out again after it stopped itself", Action::kResume);
    for (auto* sub : {apply, restore, purge, resume}) sub->add_flag("--yes", options_.yes, "Do not ask");
    for (auto* sub : app.get_subcommands({}))
      sub->add_flag("--json", options_.json, "One JSON document on stdout");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    if (options_.action == Action::kPurge) {
      options_.older_than_millis = parse_age(older_than_).value_or(0);
      if (options_.older_than_millis == 0) {
        fmt::print(stderr, "--older-than: expected an age like 12h or 30d, not less than 1h\n");
        return process::ExitCode::kUsage;
      }
    }
    if (options_.action == Action::kApply && !options_.run_id.empty() && options_.finding_id.empty()) {
      if (const auto failed = name_run(invocation.config, options_)) return *failed;
    }
    return quarantine_command(invocation.config, options_);
  }

 private:
  CLI::App* action(CLI::App& app, const char* name, const char* text, Action what) {
    auto* sub = app.add_subcommand(name, text);
    sub->callback([this, what] { options_.action = what; });
    return sub;
  }
  void add_apply(CLI::App& apply) {
    auto* run_id =
        apply.add_option("RUN_ID", options_.run_id,
                         "The run; it may be left out where the daemon or its findings are at hand");
    auto* finding = apply.add_option("FINDING", options_.finding_id, "The finding's id");
    auto* file = apply.add_option("--from-audit", options_.from_audit,
                                  "Every row of a file that dupwatch audit --format json wrote; -: stdin");
    file->type_name("FILE")->excludes(run_id)->excludes(finding);
    apply
        .add_flag("--before-migration", options_.before_migration,
                  "The rows in the way of the engine's unique-index migration, fatal or not")
        ->needs(file);
    apply.add_option("--rate", options_.rate, "Rows a second at most; 0: no limit")
        ->check(CLI::Range(0.0, 10'000.0))
        ->needs(file)
        ->type_name("ROWS");
    apply.add_option("--limit", options_.rows_max, "Stop after this many rows")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000}))
        ->needs(file)
        ->type_name("ROWS");
    apply
        .add_option("--neutralise", options_.neutralise,
                    "noop: leave the row in its place with that type, in a run with slot numbers")
        ->check(CLI::IsMember({"noop"}))
        ->needs(run_id);
    apply.add_flag("--partial", options_.partial, "Also where the run stays fatal without the row");
  }

  QuarantineOptions options_;
  std::string older_than_;
};

}  // namespace

std::unique_ptr<Command> make_quarantine() {
  return std::make_unique<QuarantineCommand>();
}

}  // namespace dupwatch::cli
