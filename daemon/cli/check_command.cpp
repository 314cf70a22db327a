#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "daemon/cli/check_surroundings.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/config/web_config_file.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/process/loop_waiter.hpp"
#include "daemon/web/http_server.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Verdict;

const char* colour(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "\x1b[32m";
    case Verdict::kWarn:
      return "\x1b[33m";
    case Verdict::kFail:
      return "\x1b[31m";
    case Verdict::kSkip:
      return "\x1b[2m";
  }
  return "";
}

void print_for_people(const postgres::CheckReport& report) {
  const bool colours = isatty(STDOUT_FILENO) == 1;
  for (const auto& line : report.lines) {
    fmt::print("{}{:4}{}  {:<24} {}\n", colours ? colour(line.verdict) : "", to_string(line.verdict),
               colours ? "\x1b[0m" : "", line.name, line.found);
    if (!line.fix.empty()) fmt::print("      {:<24} fix: {}\n", "", line.fix);
  }
  fmt::print("{}\n", report.failed() ? "not ready: fix the checks marked fail" : "ready");
}

void print_json(const postgres::CheckReport& report) {
  std::string out = "{\"ok\":";
  out += report.failed() ? "false" : "true";
  out += ",\"lines\":[";
  for (std::size_t i = 0; i < report.lines.size(); ++i) {
    const auto& line = report.lines[i];
    if (i != 0) out += ',';
    out += "{\"name\":";
    core::append_json_string(out, line.name);
    out += ",\"verdict\":";
    core::append_json_string(out, to_string(line.verdict));
    out += ",\"found\":";
    core::append_json_string(out, line.found);
    out += ",\"fix\":";
    core::append_json_string(out, line.fix);
    out += '}';
  }
  out += "]}";
  fmt::print("{}\n", out);
}

process::ExitCode check_web_config(const core::Config& wanted) {
  const auto& file = wanted.http.web_config_file;
  if (file.empty()) return process::ExitCode::kClean;
  const auto problems = web::HttpServer::problems_of([&] { return config::load_web_config(file); });
  for (const auto& problem : problems) fmt::print(stderr, "{}\n", problem);
  return problems.empty() ? process::ExitCode::kClean : process::ExitCode::kUsage;
}

process::ExitCode check_command(const core::Config& config, bool json, bool offline) {
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  auto report = offline ? postgres::CheckReport{} : postgres::run_checks(config, waiter);
  check_host(config, report);
  if (!offline && !report.stopped_by) check_other_sessions(config, waiter, report);
  if (json) {
    print_json(report);
  } else {
    print_for_people(report);
  }
  if (report.stopped_by) {
    return report.stopped_by->fault == postgres::Fault::kTransient ? process::ExitCode::kTemporary
                                                                   : process::ExitCode::kOperator;
  }
  return report.failed() ? process::ExitCode::kFindings : process::ExitCode::kClean;
}

class CheckCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--json", json_, "One JSON document on stdout");
    app.add_flag("--offline", offline_, "The configuration and this host alone; no server is asked");
  }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    const auto code = check_web_config(invocation.config);
    return code == process::ExitCode::kClean ? check_command(invocation.config, json_, offline_) : code;
  }

 private:
  bool json_ = false;
  bool offline_ = false;
};

}  // namespace

std::unique_ptr<Command> make_check() {
  return std::make_unique<CheckCommand>();
}

}  // namespace dupwatch::cli
