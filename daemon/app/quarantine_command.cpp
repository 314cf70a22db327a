#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <variant>

#include "daemon/app/commands.hpp"
#include "daemon/app/loop_waiter.hpp"
#include "daemon/app/quarantine_act.hpp"
#include "daemon/app/quarantine_circuit.hpp"
#include "daemon/app/table_ground.hpp"
#include "daemon/postgres/quarantine_queries.hpp"

namespace dupwatch::app {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::kAnswerTimeout;
using Action = QuarantineOptions::Action;
using Kind = ActOutcome::Kind;

/// The error table's remedies are about reading; here other rights and another table can be missing.
ExitCode tell(Error error, Action action) {
  const bool right = error.sqlstate == "42501";
  if (right || error.sqlstate == "42P01" || error.sqlstate == "3F000") {
    error.fault = postgres::Fault::kNeedsOperator;
    error.remedy = "run what `dupwatch setup --print-sql --quarantine` prints";
    if (right && action == Action::kRestore) {
      error.remedy =
          "restore with --dsn as a role that may write the log and dupwatch.quarantine, such as their owner; "
          "dupwatch's own role gets no INSERT on the log";
    } else if (right && action == Action::kResume) {
      error.remedy =
          "resume with --dsn as the owner of dupwatch.quarantine_circuit; dupwatch's own role can open the "
          "circuit only";
    }
  }
  return tell_error(error);
}

/// Nothing is written without a person's word. Asks before signals are blocked, so that Ctrl-C is an answer
/// too.
bool confirmed(const core::Config& config, const QuarantineOptions& options) {
  const bool apply = options.action == Action::kApply;
  const bool resume = options.action == Action::kResume;
  if (options.yes || options.dry_run || (!apply && !resume && options.action != Action::kRestore))
    return true;
  if (isatty(STDIN_FILENO) != 1) {
    fmt::print(stderr,
               "error: this needs a person's word, and there is no terminal to ask; remedy: add --yes\n");
    return false;
  }
  if (resume) {
    fmt::print(stderr, "Let the daemon take rows out of {} again? [y/N] ", config.profile.qualified_name());
  } else {
    fmt::print(stderr, "{} {} {} {}? [y/N] ", apply ? "Take the row of finding" : "Put the row of entry",
               postgres::one_line(apply ? options.finding_id : options.entry), apply ? "out of" : "back into",
               config.profile.qualified_name());
  }
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "yes");
}

std::string quoted(std::string_view text) {
  std::string out;
  core::append_json_string(out, text);
  return out;
}

ExitCode print_outcome(const ActOutcome& outcome, const QuarantineOptions& options) {
  if (outcome.kind == Kind::kUnknown) {
    fmt::print(stderr, "error: {}\n",
               options.action == Action::kApply
                   ? "the run has no such finding; remedy: take run and finding_id from dupwatch explain"
                   : "there is no such entry; remedy: see dupwatch quarantine list");
    return ExitCode::kUsage;
  }
  const bool apply = options.action == Action::kApply;
  if (options.json) {
    fmt::print("{{\"action\":\"{}\",\"result\":\"{}\",\"id\":{},\"event_id\":{},\"reason\":{},\"why\":{}}}\n",
               apply ? "apply" : "restore", to_string(outcome.kind),
               outcome.entry.empty() ? "null" : outcome.entry, quoted(outcome.event_id),
               outcome.reason.empty() ? "null" : quoted(outcome.reason),
               outcome.explanation.empty() ? "null" : quoted(outcome.explanation));
  } else if (outcome.kind == Kind::kRefused) {
    fmt::print("refused ({}): {}: {}\n", outcome.reason, postgres::one_line(outcome.event_id),
               postgres::one_line(outcome.explanation));
  } else if (outcome.kind == Kind::kWouldBeDone) {
    fmt::print("would remove {}\n", postgres::one_line(outcome.event_id));
  } else {
    fmt::print("{} {}{}; entry {}\n", apply ? "removed" : "restored", postgres::one_line(outcome.event_id),
               outcome.kind == Kind::kAlready ? " before" : "", outcome.entry);
  }
  return outcome.kind == Kind::kRefused ? ExitCode::kFindings : ExitCode::kClean;
}

ExitCode apply(const core::Config& config, const QuarantineOptions& options, Connection& sql,
               postgres::Waiter& waiter) {
  const auto looked = look_at_table(config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return tell_error(*error);
  const ActRequest request{
      .run_id = options.run_id, .finding_id = options.finding_id, .dry_run = options.dry_run};
  auto outcome = quarantine_row(config, std::get<TableGround>(looked), request, sql, waiter);
  if (auto* error = std::get_if<Error>(&outcome)) return tell(std::move(*error), options.action);
  return print_outcome(std::get<ActOutcome>(outcome), options);
}

ExitCode restore(const core::Config& config, const QuarantineOptions& options, Connection& sql,
                 postgres::Waiter& waiter) {
  auto outcome = restore_row(config, options.entry, sql, waiter);
  if (auto* error = std::get_if<Error>(&outcome)) return tell(std::move(*error), options.action);
  return print_outcome(std::get<ActOutcome>(outcome), options);
}

ExitCode tell(postgres::Expected<ExitCode> ended, const QuarantineOptions& options) {
  if (auto* error = std::get_if<Error>(&ended)) return tell(std::move(*error), options.action);
  return std::get<ExitCode>(ended);
}

ExitCode list(const QuarantineOptions& options, Connection& sql, postgres::Waiter& waiter) {
  auto answer = sql.execute(postgres::quarantine_list_query(),
                            {std::to_string(options.limit), options.list_run}, waiter, kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer)) return tell(std::move(*error), options.action);
  const auto& result = *std::get<postgres::Result>(answer);
  const auto text = [&](int row, int column) {
    return postgres::one_line(postgres::cell(result, row, column).value_or(""));
  };
  const int rows = postgres::row_count(result);
  if (options.json) fmt::print("[");
  for (int i = 0; i < rows; ++i) {
    if (options.json) {
      fmt::print("{}{}", i == 0 ? "" : ",\n ", postgres::cell(result, i, 0).value_or("null"));
    } else {
      fmt::print("{:>6}  {}  {}  run {}  {}  {}\n", text(i, 1), text(i, 2), text(i, 3), text(i, 4),
                 text(i, 5), text(i, 6).empty() ? text(i, 7) : "restored " + text(i, 6));
    }
  }
  if (options.json) fmt::print("]\n");
  if (!options.json && rows == 0) fmt::print("nothing was taken out of the log\n");
  return ExitCode::kClean;
}

ExitCode show(const QuarantineOptions& options, Connection& sql, postgres::Waiter& waiter) {
  auto answer = sql.execute(postgres::quarantine_show_query(), {options.entry}, waiter, kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer)) return tell(std::move(*error), options.action);
  const auto& result = *std::get<postgres::Result>(answer);
  if (postgres::row_count(result) == 0) return print_outcome({.kind = Kind::kUnknown}, options);
  fmt::print("{}\n", postgres::cell(result, 0, options.json ? 0 : 1).value_or(""));
  return ExitCode::kClean;
}

}  // namespace

ExitCode quarantine_command(const core::Config& config, const QuarantineOptions& options) {
  if (options.action == Action::kApply && config.profile.name != "workflow-devkit") {
    fmt::print(stderr,
               "error: only rows of the profile workflow-devkit are ever removed: what heals a log was "
               "measured with that engine\n");
    return ExitCode::kUsage;
  }
  // bigint has 19 digits.
  if (options.entry.find_first_not_of("0123456789") != std::string::npos || options.entry.size() > 18) {
    return print_outcome({.kind = Kind::kUnknown}, options);
  }
  if (!confirmed(config, options)) return ExitCode::kUsage;
  const StopSignals stop;
  LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return tell_error(*error);
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
  }
  return ExitCode::kUsage;
}

}  // namespace dupwatch::app
