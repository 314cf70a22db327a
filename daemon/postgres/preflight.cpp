#include "daemon/postgres/preflight.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/checks.hpp"

namespace dupwatch::postgres {
namespace {

// The provider words the remedies of all others. Table and slot come before what depends on them; the probe
// of the plugin comes last of the slot's checks, because it occupies a slot for a moment.
constexpr std::array kChecks = {
    check_provider,
    check_version,
    check_server_role,
    check_wal_level,
    check_replication_right,
    check_replication_connection,
    check_pooler,
    check_table,
    check_rights,
    check_open_transactions,
    check_slot,
    check_slot_headroom,
    check_plugin,
    check_wal_keep_size,
    check_failover,
    check_senders,
    check_connections,
    check_table_form,
    check_publication,
    check_unique_index,
    check_primary_key,
    check_engine,
    check_commit_timestamps,
};

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "fail";
    case Verdict::kSkip:
      return "skip";
  }
  return "?";
}

bool CheckReport::failed() const noexcept {
  return stopped_by || std::any_of(lines.begin(), lines.end(),
                                   [](const CheckLine& line) { return line.verdict == Verdict::kFail; });
}

void CheckContext::add(std::string name, Verdict verdict, std::string found, std::string fix) {
  report.lines.push_back({std::move(name), verdict, std::move(found), std::move(fix)});
}

void CheckContext::add(std::string name, const Error& error) {
  add(std::move(name), Verdict::kFail, error.message, error.remedy);
}

Result CheckContext::query(const std::string& name, const std::string& text,
                           const Connection::Params& params) {
  auto answer = ask(sql, text, params, waiter);
  if (auto* result = std::get_if<Result>(&answer)) return std::move(*result);
  add(name, std::get<Error>(answer));
  stop_if_broken(std::get<Error>(answer));
  return nullptr;
}

void CheckContext::stop_if_broken(const Error& error) {
  // After an interrupt or a timeout the session still waits for the old answer.
  if (sql.broken() || left_unanswered(error)) report.stopped_by = error;
}

std::string text_cell(const pg_result& result, int row, int column) {
  return std::string{cell(result, row, column).value_or("")};
}

std::string readable_bytes(std::int64_t bytes) {
  constexpr std::array kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

CheckReport run_checks(const core::Config& config, Waiter& waiter) {
  CheckReport report;
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) {
    report.lines.push_back({error->cause == Cause::kPooler ? "not_a_pooler" : "reachable", Verdict::kFail,
                            error->message, error->remedy});
    report.stopped_by = std::move(*error);
    return report;
  }
  auto& sql = std::get<Connection>(opened);
  CheckContext context{.config = config,
                       .sql = sql,
                       .waiter = waiter,
                       .report = report,
                       .version = sql.server_version(),
                       .provider = Provider::kPlain,
                       .replication = {},
                       .table = {},
                       .slot = {},
                       .plugin = {}};
  const auto who =
      context.query("reachable",
                    "SELECT current_database(), current_user, coalesce(host(inet_server_addr()) || ':' ||"
                    " inet_server_port(), 'a local socket')");
  if (!who) return report;
  context.add("reachable", Verdict::kPass,
              fmt::format("Postgres {} on {}, database {}, role {}", sql.parameter("server_version"),
                          text_cell(*who, 0, 2), text_cell(*who, 0, 0), text_cell(*who, 0, 1)));
  for (const auto check : kChecks) {
    if (report.stopped_by) break;
    check(context);
  }
  return report;
}

}  // namespace dupwatch::postgres
