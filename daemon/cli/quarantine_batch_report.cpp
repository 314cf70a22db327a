#include "daemon/cli/quarantine_batch_report.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/quarantine_dialog.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

using Kind = quarantine::ActOutcome::Kind;

std::string json_or_nothing(const std::string& text) {
  return text.empty() ? std::string("null") : core::json_string(text);
}

/// To one row of many, "unknown" is "no longer in the log".
std::string_view batch_result(Kind kind) noexcept {
  return kind == Kind::kUnknown ? std::string_view("gone") : to_string(kind);
}

void print_act_json(const quarantine::BatchRow& row, const quarantine::ActOutcome& outcome) {
  fmt::print(
      R"({{"event":"act","action":"apply","result":"{}","run_id":{},"finding_id":{},"event_id":{},"id":{},)"
      R"("reason":{},"why":{}}})"
      "\n",
      batch_result(outcome.kind), core::json_string(row.run_id), json_or_nothing(row.finding_id),
      core::json_string(row.event_id), outcome.entry.empty() ? "null" : outcome.entry,
      json_or_nothing(outcome.reason), json_or_nothing(outcome.explanation));
}

void print_act_text(const quarantine::BatchRow& row, const quarantine::ActOutcome& outcome) {
  const auto where = fmt::format("run {}: {}", core::visible(row.run_id), core::visible(row.event_id));
  switch (outcome.kind) {
    case Kind::kDone:
      return fmt::print("{} removed; entry {}\n", where, outcome.entry);
    case Kind::kAlready:
      return fmt::print("{} was already removed (entry {})\n", where, outcome.entry);
    case Kind::kWouldBeDone:
      return fmt::print("{} would be removed\n", where);
    case Kind::kRefused:
      return fmt::print("{} refused ({}): {}\n", where, outcome.reason, core::visible(outcome.explanation));
    case Kind::kUnknown:
      return fmt::print("{} is no longer in the log\n", where);
  }
}

}  // namespace

void BatchReport::refused_by_file(const quarantine::BatchRow& row) {
  const auto why = row.refused.value_or(quarantine::Refusal::kRule);
  const quarantine::ActOutcome outcome{.kind = Kind::kRefused,
                                       .event_id = row.event_id,
                                       .reason = std::string(core::to_string(why)),
                                       .explanation = std::string(quarantine::explanation(why))};
  ++seen_;
  ++refused_[outcome.reason];
  // A person has read of these in the audit; the summary counts them.
  if (options_.json) print_act_json(row, outcome);
}

void BatchReport::acted(const quarantine::BatchRow& row, const quarantine::ActOutcome& outcome) {
  ++seen_;
  switch (outcome.kind) {
    case Kind::kDone:
      ++done_;
      break;
    case Kind::kAlready:
      ++already_;
      break;
    case Kind::kWouldBeDone:
      ++would_;
      break;
    case Kind::kRefused:
      ++refused_[outcome.reason];
      break;
    case Kind::kUnknown:
      ++gone_;
  }
  options_.json ? print_act_json(row, outcome) : print_act_text(row, outcome);
  // Whoever reads along, or kills us, has every act that was committed.
  (void)std::fflush(stdout);
}

void BatchReport::finish() const {
  std::uint64_t refused = 0;
  std::string reasons;
  for (const auto& [reason, count] : refused_) {
    refused += count;
    reasons += reasons.empty() ? "" : options_.json ? "," : ", ";
    reasons += options_.json ? fmt::format(R"({{"reason":"{}","rows":{}}})", reason, count)
                             : fmt::format("{} {}", count, reason);
  }
  if (options_.json) {
    fmt::print(R"({{"event":"apply_summary","rows":{},"done":{},"already_done":{},"dry_run":{},"gone":{},)"
               R"("refused":{},"by_reason":[{}],"not_reached":{}}})"
               "\n",
               rows_, done_, already_, would_, gone_, refused, reasons, rows_ - seen_);
    return;
  }
  fmt::print("{} {}, {} already removed, {} no longer in the log, {} refused{}", moved(),
             options_.dry_run ? "would be removed" : "removed", already_, gone_, refused,
             reasons.empty() ? "" : fmt::format(" ({})", reasons));
  if (seen_ != rows_)
    fmt::print("; {} of {} not reached: run it again on the same file", rows_ - seen_, rows_);
  fmt::print("\n");
  if (options_.before_migration && moved() + already_ != 0 && !options_.dry_run) {
    fmt::print("look again before you migrate: dupwatch audit --before-migration\n");
  }
}

}  // namespace dupwatch::cli
