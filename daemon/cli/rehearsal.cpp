#include "daemon/cli/rehearsal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

using RehearsalOutcome = Rehearsal::Outcome;

RehearsalOutcome outcome_of(int status) noexcept {
  if (status == 0) return RehearsalOutcome::kLives;
  return status == 1 ? RehearsalOutcome::kRejected : RehearsalOutcome::kUnknown;
}

std::string_view to_string(RehearsalOutcome outcome) noexcept {
  switch (outcome) {
    case RehearsalOutcome::kLives:
      return "lives";
    case RehearsalOutcome::kRejected:
      return "rejected";
    case RehearsalOutcome::kUnknown:
      return "unknown";
  }
  return "";
}

std::string_view words(RehearsalOutcome outcome) noexcept {
  switch (outcome) {
    case RehearsalOutcome::kLives:
      return "the run lives";
    case RehearsalOutcome::kRejected:
      return "the log is rejected";
    case RehearsalOutcome::kUnknown:
      return "can't be told";
  }
  return "";
}

}  // namespace

bool Rehearsal::lives() const noexcept {
  return rules == RehearsalOutcome::kLives &&
         engine.value_or(RehearsalOutcome::kLives) == RehearsalOutcome::kLives;
}

Rehearsal rehearse(const table::JudgedRun& story, const table::RepairPlan& plan, const std::string& command) {
  Rehearsal out{.rows = plan.rows, .rules = RehearsalOutcome::kUnknown, .engine = {}, .engine_says = {}};
  if (plan.rows.empty()) return out;
  const table::JudgedRun after(story, plan.rows, table::JudgedRun::Rewrite::kRemoved);
  out.rules = after.fails() ? RehearsalOutcome::kRejected : RehearsalOutcome::kLives;
  if (command.empty()) return out;
  auto end = process::run_program(
      command, {"--run", story.run_id(), "--without", fmt::format("{}", fmt::join(plan.rows, ","))});
  out.engine = outcome_of(end.status);
  out.engine_says =
      end.last_line.empty() ? fmt::format("exit status {}", end.status) : std::move(end.last_line);
  return out;
}

std::string rehearsal_text(const Rehearsal& rehearsal) {
  if (rehearsal.rows.empty()) return "\nRehearsal: there is no plan to rehearse.\n";
  auto out =
      fmt::format("\nRehearsal without {} ({}):\n  rules   {}\n",
                  rehearsal.rows.size() == 1 ? "one row" : fmt::format("{} rows", rehearsal.rows.size()),
                  core::visible(fmt::format("{}", fmt::join(rehearsal.rows, ", "))), words(rehearsal.rules));
  if (rehearsal.engine)
    out += fmt::format("  engine  {}: {}\n", words(*rehearsal.engine), core::visible(rehearsal.engine_says));
  if (!rehearsal.lives()) out += "No fix is offered: it is not known to save the run.\n";
  return out;
}

std::string rehearsal_json(const Rehearsal& rehearsal) {
  std::string rows;
  for (const auto& row : rehearsal.rows) rows += (rows.empty() ? "" : ",") + core::json_string(row);
  return fmt::format(R"({{"rows":[{}],"rules":"{}","engine":{},"engine_says":{}}})", rows,
                     to_string(rehearsal.rules),
                     rehearsal.engine ? fmt::format("\"{}\"", to_string(*rehearsal.engine)) : "null",
                     rehearsal.engine ? core::json_string(rehearsal.engine_says) : "null");
}

}  // namespace dupwatch::cli
