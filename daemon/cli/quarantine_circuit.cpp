#include "daemon/cli/quarantine_circuit.hpp"

#include <fmt/format.h>

#include <string>
#include <variant>

#include "daemon/core/finding.hpp"
#include "daemon/quarantine/limits.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Expected;
using postgres::Result;
using postgres::Waiter;

/// `name`: the cell as a JSON string, or null.
std::string field(const char* name, const pg_result& result, int column) {
  const auto text = postgres::cell(result, 0, column);
  return fmt::format("\"{}\":{}", name, text ? core::json_string(*text) : "null");
}

std::string plain(const pg_result& result, int column) {
  return postgres::one_line(postgres::cell(result, 0, column).value_or(""));
}

}  // namespace

Expected<process::ExitCode> circuit_status(const core::Config& config, const QuarantineOptions& options,
                                           Connection& sql, Waiter& waiter) {
  auto answer = sql.execute(quarantine::status_query(), {config.profile.qualified_name()}, waiter,
                            postgres::kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<Result>(answer);
  const bool open = postgres::cell(result, 0, 0).has_value();
  if (options.json) {
    fmt::print(
        "{{\"table\":{},\"circuit\":\"{}\",{},{},{},{},\"acts_within_minute\":{},\"acts_within_hour\":{}}}\n",
        core::json_string(config.profile.qualified_name()), open ? "open" : "closed",
        field("opened_at", result, 0), field("reason", result, 1), field("detail", result, 2),
        field("opened_by", result, 3), plain(result, 4), plain(result, 5));
  } else {
    fmt::print("{}: rows the daemon took out: {} in the last minute, {} in the last hour\n",
               config.profile.qualified_name(), plain(result, 4), plain(result, 5));
    if (open) {
      fmt::print("the circuit is open since {} ({}): {}; remedy: dupwatch quarantine resume\n",
                 plain(result, 0), plain(result, 1), plain(result, 2));
    } else {
      fmt::print("the circuit is closed\n");
    }
  }
  return open ? process::ExitCode::kFindings : process::ExitCode::kClean;
}

Expected<process::ExitCode> circuit_resume(const core::Config& config, const QuarantineOptions& options,
                                           Connection& sql, Waiter& waiter) {
  const Connection::Statement statements[] = {
      {"BEGIN READ WRITE", {}},
      {quarantine::close_circuit_query(), {config.profile.qualified_name()}},
      {"COMMIT", {}}};
  auto answer = sql.execute_batch(statements, waiter, postgres::kAnswerTimeout);
  if (auto* error = std::get_if<Error>(&answer)) return std::move(*error);
  const auto& result = *std::get<std::vector<Result>>(answer)[1];
  const bool was_open = postgres::row_count(result) != 0;
  if (options.json) {
    fmt::print("{{\"action\":\"resume\",\"result\":\"{}\"}}\n", was_open ? "done" : "already_done");
  } else if (was_open) {
    fmt::print("the circuit, open since {} ({}), is closed: rows are taken out again\n", plain(result, 0),
               plain(result, 1));
  } else {
    fmt::print("the circuit was closed\n");
  }
  return process::ExitCode::kClean;
}

}  // namespace dupwatch::cli
