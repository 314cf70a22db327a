#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "daemon/cli/commands.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/postgres/preflight.hpp"
#include "daemon/process/loop_waiter.hpp"

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
  fmt::print("{}\n", report.failed() ? "not ready: mend the lines marked fail" : "ready");
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

}  // namespace

process::ExitCode check_command(const core::Config& config, bool json) {
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  const auto report = postgres::run_checks(config, waiter);
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

}  // namespace dupwatch::cli
