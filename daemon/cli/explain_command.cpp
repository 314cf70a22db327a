#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <variant>

#include "daemon/cli/command.hpp"
#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/findings_source.hpp"
#include "daemon/cli/rehearsal.hpp"
#include "daemon/cli/repair_script.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/cli/run_text.hpp"
#include "daemon/core/page_link.hpp"
#include "daemon/core/run_key.hpp"
#include "daemon/core/text.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/table/judged_run.hpp"
#include "daemon/table/repair_plan.hpp"
#include "daemon/table/table_facts.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::kAnswerTimeout;

/// False after telling why the plan could not be written.
bool write_plan(const table::JudgedRun& story, const RunFix& fix, const std::string& file) {
  const auto& plan = fix.plan;
  if (!fix.offered()) {
    fmt::print(stderr, "the plan is not known to save this run: {} was not written\n", core::visible(file));
    return true;
  }
  if (plan.sql.empty()) {
    fmt::print(stderr, "no SQL would repair this run: {} was not written\n", core::visible(file));
    return true;
  }
  if (const int failed = write_new_file(file, repair_script(story.run_id(), plan, process::wall_now()))) {
    fmt::print(stderr, "error: {} can't be written: {}; remedy: name a file that does not exist yet\n",
               core::visible(file), std::strerror(failed));  // NOLINT(concurrency-mt-unsafe): no other thread
    return false;
  }
  fmt::print(stderr, "{} holds the SQL; dupwatch has not run it\n", core::visible(file));
  return true;
}

/// The columns of a key, as it is written.
std::string run_key_form(const core::Profile& profile) {
  return fmt::format("{}/{}", fmt::join(profile.scope_columns, "/"), profile.run_column);
}

struct ExplainOptions {
  std::string run_id;
  std::string repair_file;
  std::string engine;
  bool rehearse = false;
  bool json = false;
};

process::ExitCode explain_command(const Invocation& invocation, const ExplainOptions& options) {
  const auto& [run_id, repair_file, engine, rehearsed, json] = options;
  const auto& config = invocation.config;
  if (!core::split_run_key(run_id, config.profile.scope_columns.size())) {
    fmt::print(
        stderr,
        "error: {} is no whole key; remedy: write {}, with a / as %2F and a % as %25 in all but the last\n",
        core::visible(run_id), run_key_form(config.profile));
    return process::ExitCode::kUsage;
  }
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return report_error(*error);
  auto& sql = std::get<Connection>(opened);
  const auto looked = table::read_table_facts(config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return report_error(*error);
  const auto& ground = std::get<table::TableFacts>(looked);
  const auto query = postgres::run_rows_query(sql, config.profile, ground.key_types, ground.extras,
                                              ground.traits.ids, waiter);
  if (const auto* error = std::get_if<Error>(&query)) return report_error(*error);
  const auto answer = sql.execute(std::get<std::string>(query), {run_id}, waiter, kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) return report_error(*error);
  const auto& result = *std::get<postgres::Result>(answer);
  if (postgres::row_count(result) == 0) {
    fmt::print(stderr,
               "error: {} has no events of run {}; remedy: check the run id and dbname in connection.dsn\n",
               config.profile.qualified_name(), run_id);
    return process::ExitCode::kUsage;
  }
  table::JudgedRun story(config, run_id, ground.traits);
  for (int i = 0; i < postgres::row_count(result); ++i) story.add(result, i);
  story.judge();
  for (const auto& finding : find_acknowledged(config, run_id)) story.acknowledge(finding);
  RunFix fix{.plan = table::repair_plan(story, config.profile)};
  if (rehearsed) fix.rehearsal = rehearse(story, fix.plan, engine);
  const auto text =
      json ? run_json(story, fix)
           : run_text(story, config.profile, fix,
                      {.colours = isatty(STDOUT_FILENO) == 1, .config_option = invocation.config_option});
  print(text);
  if (const auto link = core::run_link(config.http.external_url, run_id); !json && !link.empty())
    print(fmt::format("\nOn the page: {}\n", link));
  if (!repair_file.empty() && !write_plan(story, fix, repair_file)) return process::ExitCode::kUsage;
  return story.findings().empty() ? process::ExitCode::kClean : process::ExitCode::kFindings;
}

class ExplainCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("RUN_ID", options_.run_id, "The run")->required();
    app.add_option("--repair-plan", options_.repair_file,
                   "Write the SQL that would fix the run to this new file; dupwatch does not run it")
        ->type_name("FILE");
    auto* rehearse = app.add_flag("--rehearse", options_.rehearse,
                                  "Judge the log as it would be after the fix, and offer no fix that does "
                                  "not save the run");
    app.add_option("--engine", options_.engine,
                   "Ask this shell command too, as rehearse.mjs: it gets --run RUN_ID --without ID,... and "
                   "ends with 0 if the run lives, 1 if its log is rejected")
        ->type_name("COMMAND")
        ->needs(rehearse);
    app.add_flag("--json", options_.json, "One JSON document on stdout");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return explain_command(invocation, options_);
  }

 private:
  ExplainOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_explain() {
  return std::make_unique<ExplainCommand>();
}

}  // namespace dupwatch::cli
