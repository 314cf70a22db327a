#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <variant>

#include "daemon/app/audit_output.hpp"
#include "daemon/app/clock.hpp"
#include "daemon/app/commands.hpp"
#include "daemon/app/loop_waiter.hpp"
#include "daemon/app/repair_script.hpp"
#include "daemon/app/run_story.hpp"
#include "daemon/app/table_ground.hpp"

namespace dupwatch::app {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::kAnswerTimeout;

/// False after telling why the plan could not be written.
bool write_plan(const RunStory& story, const core::Profile& profile, const std::string& file) {
  const auto plan = repair_plan(story, profile);
  if (plan.sql.empty()) {
    fmt::print(stderr, "no SQL would mend this run: {} was not written\n", on_screen(file));
    return true;
  }
  if (const int failed = write_new_file(file, repair_script(story.run_id(), plan, wall_now()))) {
    fmt::print(stderr, "error: {} can't be written: {}; remedy: name a file that does not exist yet\n",
               on_screen(file), std::strerror(failed));  // NOLINT(concurrency-mt-unsafe): no other thread
    return false;
  }
  fmt::print(stderr, "{} holds the SQL; nobody has run it\n", on_screen(file));
  return true;
}

}  // namespace

ExitCode explain_command(const core::Config& config, const std::string& run_id, bool json,
                         const std::string& repair_file) {
  const StopSignals stop;
  LoopWaiter waiter(stop.fd(), [] {});
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<Error>(&opened)) return tell_error(*error);
  auto& sql = std::get<Connection>(opened);
  const auto looked = look_at_table(config, sql, waiter);
  if (const auto* error = std::get_if<Error>(&looked)) return tell_error(*error);
  const auto& ground = std::get<TableGround>(looked);
  const auto query = postgres::run_rows_query(sql, config.profile, ground.run_type, waiter);
  if (const auto* error = std::get_if<Error>(&query)) return tell_error(*error);
  const auto answer = sql.execute(std::get<std::string>(query), {run_id}, waiter, kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) return tell_error(*error);
  const auto& result = *std::get<postgres::Result>(answer);
  if (postgres::row_count(result) == 0) {
    fmt::print(stderr,
               "error: {} has no events of run {}; remedy: check the run id and dbname in connection.dsn\n",
               config.profile.qualified_name(), run_id);
    return ExitCode::kUsage;
  }
  RunStory story(config, run_id, ground.ulid_engine);
  for (int i = 0; i < postgres::row_count(result); ++i) story.add(result, i);
  story.judge();
  const auto text = json ? story_json(story, config.profile)
                         : story_text(story, config.profile, isatty(STDOUT_FILENO) == 1);
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  if (!repair_file.empty() && !write_plan(story, config.profile, repair_file)) return ExitCode::kUsage;
  return story.findings().empty() ? ExitCode::kClean : ExitCode::kFindings;
}

}  // namespace dupwatch::app
