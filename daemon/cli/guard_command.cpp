#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/postgres/guard_queries.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/table/table_facts.hpp"

namespace dupwatch::cli {
namespace {

/// Command line of `guard`.
struct GuardOptions {
  enum class Action : std::uint8_t { kNone, kInstall, kRemove, kStatus };
  Action action = Action::kNone;
  bool print_sql = false;
  /// Guard lifecycle events behind the closing event too.
  bool lifecycle = false;
  bool json = false;
  /// A person has said so already.
  bool yes = false;
};

using postgres::Connection;
using postgres::Error;
using postgres::GuardFacts;
using postgres::GuardScope;
using postgres::GuardState;
using postgres::kAnswerTimeout;
using Action = GuardOptions::Action;

struct Advice {
  /// "useful", or the slug of why not: for the answer in JSON.
  std::string_view reason;
  std::string sentence;
  bool useful = false;
};

/// Whether the guard may stand on this table. What is dangerous comes before what is merely unnecessary.
Advice advice(const core::Profile& profile, const GuardFacts& ground) {
  if (ground.slot_schema) {
    return {
        "slot_schema",
        "the table is of engine 5.x, whose writers take a dropped row for a slot that is taken, and whose "
        "index does the guard's work"};
  }
  if (ground.unique_index) {
    return {"unique_index", "the engine's own unique index keeps duplicates out: no guard is needed"};
  }
  if (!ground.plain_table) return {"not_a_plain_table", "it is a partitioned table or no table at all"};
  if (ground.forced_row_security) {
    return {"row_security", "row-level security is forced on the table and would hide rows from the guard"};
  }
  if (!ground.indexed) {
    return {"no_index", fmt::format("an index that leads with {} and one with {} are needed: every insert "
                                    "would read the table",
                                    profile.run_column, profile.identity_columns[0])};
  }
  if (!ground.isolation.empty()) {
    return {"isolation", fmt::format("{} begins transactions at a stronger level than read committed; there "
                                     "a writer that waited does not see the row it waited for",
                                     ground.isolation)};
  }
  if (ground.on_other_table) return {"other_table", "the guard of this schema stands on another table"};
  return {.reason = "useful",
          .sentence = "nothing else keeps a second creation event out of this table",
          .useful = true};
}

std::string_view scope_name(const std::optional<GuardScope>& scope) {
  if (!scope) return "unknown";
  return *scope == GuardScope::kLifecycle ? "lifecycle" : "created";
}

std::string count_text(const std::optional<std::uint64_t>& count) {
  return count ? std::to_string(*count) : std::string("null");
}

std::string state_json(const std::optional<GuardState>& state) {
  if (!state) return "null";
  return fmt::format(R"({{"enabled":{},"scope":{},"suppressed":{},"passed":{}}})", state->enabled,
                     state->scope ? core::json_string(scope_name(state->scope)) : "null",
                     count_text(state->suppressed), count_text(state->passed));
}

/// Nothing is written without a person's word.
bool confirmed(const core::Config& config, const GuardOptions& options) {
  if (options.yes || options.action == Action::kStatus) return true;
  if (isatty(STDIN_FILENO) != 1) {
    fmt::print(stderr, "error: this changes the table and there is no terminal to ask; remedy: add --yes\n");
    return false;
  }
  const bool install = options.action == Action::kInstall;
  fmt::print(stderr, "{} the guard {} {}? [y/N] ", install ? "Put" : "Take", install ? "on" : "off",
             postgres::one_line(config.profile.qualified_name()));
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "yes");
}

/// All or nothing; a lock that is not to be had at once is given up, because writers queue behind the wait.
std::optional<Error> carry_out(const std::vector<std::string>& statements, Connection& sql,
                               postgres::Waiter& waiter) {
  std::vector<std::string> all{"BEGIN READ WRITE", "SET LOCAL lock_timeout = '500ms'"};
  all.insert(all.end(), statements.begin(), statements.end());
  all.emplace_back("COMMIT");
  for (const auto& statement : all) {
    auto answer = sql.execute(statement, {}, waiter, kAnswerTimeout);
    auto* error = std::get_if<Error>(&answer);
    if (error == nullptr) continue;
    if (postgres::lacks_right(*error)) {
      error->fault = postgres::Fault::kNeedsOperator;
      error->remedy =
          "use --dsn as the owner of the table, or give a DBA what `dupwatch guard --print-sql` "
          "prints";
    }
    if (postgres::lacks_lock(*error)) {
      error->remedy = "a transaction holds the table; nothing was changed: run it again in a quiet moment";
    }
    return std::move(*error);
  }
  return std::nullopt;
}

process::ExitCode told(const GuardOptions& options, std::string_view result, const Advice& advice,
                       const std::optional<GuardState>& state, bool fine) {
  const std::string_view action = options.action == Action::kInstall  ? "install"
                                  : options.action == Action::kRemove ? "remove"
                                                                      : "status";
  if (options.json) {
    fmt::print("{{\"action\":\"{}\",\"result\":\"{}\",\"reason\":\"{}\",\"why\":{},\"guard\":{}}}\n", action,
               result, advice.reason, core::json_string(advice.sentence), state_json(state));
  } else {
    fmt::print("{}: {}\n", result, postgres::one_line(advice.sentence));
    if (state && options.action == Action::kRemove) {
      fmt::print("it kept out {} rows and let {} through unchecked\n", count_text(state->suppressed),
                 count_text(state->passed));
    } else if (state) {
      fmt::print("scope {}, {}; rows kept out: {}, let through unchecked: {}\n", scope_name(state->scope),
                 state->enabled ? "enabled" : "DISABLED", count_text(state->suppressed),
                 count_text(state->passed));
    }
  }
  return fine ? process::ExitCode::kClean : process::ExitCode::kFindings;
}

process::ExitCode install(const core::Config& config, const GuardOptions& options, const Advice& found,
                          const std::optional<GuardState>& before, Connection& sql,
                          postgres::Waiter& waiter) {
  const auto scope = options.lifecycle ? GuardScope::kLifecycle : GuardScope::kCreated;
  if (!found.useful) return told(options, "refused", found, before, false);
  if (before && before->enabled && before->scope == scope) {
    return told(options, "already_done", found, before, true);
  }
  if (auto error = carry_out(postgres::guard_install_statements(config.profile, scope), sql, waiter)) {
    return report_error(*error);
  }
  const auto now = postgres::find_guard(sql, config.profile, waiter);
  if (const auto* error = std::get_if<Error>(&now)) return report_error(*error);
  const auto& state = std::get<std::optional<GuardState>>(now);
  // CREATE OR REPLACE TRIGGER leaves a trigger disabled that somebody had disabled.
  return told(options, "done", found, state, state && state->enabled);
}

process::ExitCode status(const GuardOptions& options, const Advice& found,
                         const std::optional<GuardState>& state) {
  if (!state) return told(options, "absent", found, state, true);
  if (!found.useful) {
    const Advice remove{found.reason, found.sentence + "; remove it: dupwatch guard remove"};
    return told(options, "present", remove, state, false);
  }
  return told(options, "present", found, state, state->enabled && state->scope.has_value());
}

process::ExitCode guard_command(const core::Config& config, const GuardOptions& options) {
  if (config.profile.name != "workflow-devkit") {
    fmt::print(stderr,
               "error: the guard is for the profile workflow-devkit alone: other writers may take a "
               "dropped row for a written one\n");
    return process::ExitCode::kUsage;
  }
  if (!config.profile.scope_columns.empty()) {
    fmt::print(stderr,
               "error: the guard knows runs by their run column alone, and table.scope_columns names more\n");
    return process::ExitCode::kUsage;
  }
  if (options.print_sql == (options.action != Action::kNone)) {
    fmt::print(stderr, "error: one of --print-sql, install, remove and status is needed\n");
    return process::ExitCode::kUsage;
  }
  if (options.print_sql) {
    fmt::print("{}", postgres::guard_sql(config.profile,
                                         options.lifecycle ? GuardScope::kLifecycle : GuardScope::kCreated));
    return process::ExitCode::kClean;
  }
  if (!confirmed(config, options)) return process::ExitCode::kUsage;
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return report_error(*error);
  auto& sql = std::get<Connection>(opened);
  const auto looked = table::read_table_facts(config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return report_error(*error);
  const auto ground = postgres::read_guard_facts(sql, config.profile, waiter);
  if (const auto* error = std::get_if<Error>(&ground)) return report_error(*error);
  const auto found =
      advice(config.profile, std::get<std::optional<GuardFacts>>(ground).value_or(GuardFacts{}));
  const auto guard = postgres::find_guard(sql, config.profile, waiter);
  if (const auto* error = std::get_if<Error>(&guard)) return report_error(*error);
  const auto& state = std::get<std::optional<GuardState>>(guard);
  if (options.action == Action::kInstall) return install(config, options, found, state, sql, waiter);
  if (options.action == Action::kStatus) return status(options, found, state);
  if (auto error = carry_out(postgres::guard_remove_statements(config.profile), sql, waiter)) {
    return report_error(*error);
  }
  return told(options, state ? "done" : "already_done", found, state, true);
}

class GuardCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.require_subcommand(0, 1);
    app.fallthrough();
    app.add_flag("--json", options_.json, "One JSON document on stdout");
    app.add_flag("--print-sql", options_.print_sql, "Print the SQL and change nothing");
    app.add_flag("--lifecycle", options_.lifecycle,
                 "Keep out step_started and step_retrying after the step's closing event too");
    const auto action = [&](const char* name, const char* text, Action what) {
      auto* sub = app.add_subcommand(name, text);
      sub->callback([this, what] { options_.action = what; });
      return sub;
    };
    auto* install = action("install", "Put the trigger on the table, as its owner", Action::kInstall);
    auto* remove = action("remove", "Take it off again, without trace", Action::kRemove);
    action("status", "Whether it is there, what it kept out, and whether it is needed", Action::kStatus);
    for (auto* sub : {install, remove}) sub->add_flag("--yes", options_.yes, "Do not ask");
    for (auto* sub : app.get_subcommands({}))
      sub->add_flag("--json", options_.json, "One JSON document on stdout");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return guard_command(invocation.config, options_);
  }

 private:
  GuardOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_guard() {
  return std::make_unique<GuardCommand>();
}

}  // namespace dupwatch::cli
