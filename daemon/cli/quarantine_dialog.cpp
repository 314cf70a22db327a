#include "daemon/cli/quarantine_dialog.hpp"
#include "daemon/cli/report_error.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <utility>

#include "daemon/core/finding.hpp"
#include "daemon/table/table_facts.hpp"

namespace dupwatch::cli {
namespace {

using Action = QuarantineOptions::Action;

std::string_view right_remedy(Action action) noexcept {
  switch (action) {
    case Action::kRestore:
      return "restore with --dsn as a role that may write the log and dupwatch.quarantine, such as their "
             "owner; "
             "dupwatch's own role gets no INSERT on the log";
    case Action::kPurge:
      return "purge with --dsn as a role that may DELETE from dupwatch.quarantine, such as its owner; "
             "dupwatch's own "
             "role does not get that right, for an entry may be the only copy of its row";
    case Action::kResume:
      return "resume with --dsn as the owner of dupwatch.quarantine_circuit; dupwatch's own role can open "
             "the "
             "circuit only";
    case Action::kApply:
      return "run what `dupwatch setup --print-sql --quarantine` prints; --neutralise needs UPDATE on the "
             "log as "
             "well, which dupwatch's own role does not get: say --dsn";
    case Action::kStatus:
    case Action::kList:
    case Action::kShow:
      break;
  }
  return "run what `dupwatch setup --print-sql --quarantine` prints";
}

}  // namespace

bool person_agrees(const std::string& question, std::string_view changes) {
  if (isatty(STDIN_FILENO) != 1) {
    fmt::print(stderr, "error: this changes {} and there is no terminal to ask; remedy: add --yes\n",
               changes);
    return false;
  }
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "yes");
}

process::ExitCode report_quarantine_error(postgres::Error error, Action action) {
  const bool right = postgres::lacks_right(error);
  // The error table's remedies are about reading; here other rights and another table can be missing.
  if (right || postgres::lacks_table(error)) {
    error.fault = postgres::Fault::kNeedsOperator;
    error.remedy = right_remedy(right ? action : Action::kList);
  }
  return report_error(error);
}

}  // namespace dupwatch::cli
