#include "daemon/cli/run_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/findings_view.hpp"
#include "daemon/cli/repair_script.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/text.hpp"
#include "daemon/table/repair_plan.hpp"

namespace dupwatch::cli {
namespace {

using core::Severity;

constexpr std::size_t kTailChars = 6;
// No finding: the log is in order.
constexpr std::string_view kBegunAgain =
    "      ~ repeated work: begun again without a retry, so what the body does may have been done twice\n";

std::string_view mark(Severity severity) noexcept {
  switch (severity) {
    case Severity::kFatal:
      return "✗";
    case Severity::kConflict:
      return "!";
    case Severity::kHarmless:
      return "·";
    case Severity::kUnknown:
      return "?";
  }
  return " ";
}

/// "step_01JZ...TV4K2M" as "step …TV4K2M": the last characters tell the ids of one run apart.
std::string short_id(const std::optional<std::string>& id) {
  if (!id) return "";
  const auto prefix = id->find('_');
  const bool ulid = prefix != std::string::npos && id->size() >= prefix + 27;
  return ulid ? fmt::format("{} …{}", id->substr(0, prefix), id->substr(id->size() - kTailChars)) : *id;
}

std::string gap_text(const table::JudgedRun& story, std::size_t i) {
  const auto time = story.events()[i].time.micros;
  if (i == 0 || time == 0 || story.events()[i - 1].time.micros == 0) return "";
  const auto millis = (time - story.events()[i - 1].time.micros) / 1000;
  if (millis > -10'000 && millis < 10'000) return fmt::format("{:+} ms", millis);
  return fmt::format("{:+} s", millis / 1000);
}

std::string time_text(decoder::Timestamp time) {
  if (time.micros == 0) return "";
  return core::to_iso8601(time).substr(0, 23);
}

std::string heading(const table::JudgedRun& story, const core::Profile& profile, bool colours) {
  auto out = fmt::format("{} {}: {} {}s, {}{}\n", profile.labels.run, core::visible(story.run_id()),
                         story.events().size(), profile.labels.event,
                         !profile.slot_ids       ? ""
                         : story.slot_numbered() ? "slot-numbered (5.0), "
                                                 : "ULIDs (4.x), ",
                         profile.has_rules()        ? "judged by profile " + profile.name
                         : story.end_type().empty() ? "not ended"
                                                    : "ended by " + story.end_type());
  if (!profile.slot_ids) return out;  // no workflow engine's log
  const bool ended = !story.end_type().empty() && story.end_type() != "run_failed";
  std::vector engines = {core::Engine::kV4, core::Engine::kV5BeforeClassSkip, core::Engine::kV5};
  if (std::ranges::count(engines, story.engine()) == 0) engines.push_back(story.engine());
  for (const auto engine : engines) {
    const auto worst = story.worst(engine);
    const bool own = engine == story.engine();
    out += fmt::format("  {} {:<21} ", own ? ">" : " ", to_string(engine));
    const bool says_why = own && story.engine_from() != core::EngineFrom::kLog;
    const auto why = says_why ? fmt::format(" ({})", clause_of(story.engine_from())) : std::string{};
    if (core::refuses_ulids(engine) && !story.slot_numbered()) {
      out += fmt::format("refuses every run with ULIDs{}\n", why);
      continue;
    }
    out += fmt::format("{}{}{}{}\n", worst ? colour_of(*worst, colours) : std::string_view{},
                       table::outcome_text(worst, ended), colour_end(colours && worst.has_value()), why);
  }
  return out;
}

std::string timeline(const table::JudgedRun& story, const core::Profile& profile, bool colours) {
  std::string out = fmt::format("\n{:>4}  {:<23}  {:>9}  {:<15}  {:<14}  {}\n", "#", "time (UTC)", "gap",
                                profile.labels.event, "entity", "id");
  const auto again = story.begun_again();
  for (std::size_t i = 0; i < story.events().size(); ++i) {
    const auto& event = story.events()[i];
    const bool begun_again = std::ranges::binary_search(again, i);
    const auto findings = story.findings_at(i);
    auto line =
        fmt::format("{:>4}  {:<23}  {:>9}  {:<15}  {}  {}", i + 1, time_text(event.time), gap_text(story, i),
                    core::visible(event.type), padded(core::visible(short_id(event.correlation_id)), 14),
                    core::visible(event.id));
    if (findings.empty()) {
      out += line + "\n";
      if (begun_again) out += std::string(kBegunAgain);
      continue;
    }
    const auto worst = story.findings()[findings.front()].severity;
    out += fmt::format("{}{}{}\n", colour_of(worst, colours), line, colour_end(colours));
    for (const auto index : findings) {
      const auto& finding = story.findings()[index];
      out += fmt::format("      {}{} {}{} {}: {}; {}\n", colour_of(finding.severity, colours),
                         mark(finding.severity), to_string(finding.severity), colour_end(colours),
                         finding.rule_name(), core::rule_info(finding.rule).sentence, finding.reason());
      out += fmt::format("        finding {}\n", core::finding_id_text(finding.id));
      if (finding.acknowledgement)
        out += fmt::format("        acknowledged {}\n", acknowledgement_text(*finding.acknowledgement));
    }
    if (begun_again) out += std::string(kBegunAgain);
  }
  return out;
}

/// One for each row that `dupwatch quarantine` would take out.
std::vector<std::string> quarantine_commands(const table::JudgedRun& story, const core::Profile& profile,
                                             std::string_view config_option) {
  std::vector<std::string> out;
  if (!profile.takes_rows_out() || story.slot_numbered() || !story.end_type().empty()) return out;
  for (const auto& finding : story.findings()) {
    auto command = core::fix_command(finding, config_option);
    if (!command.empty()) out.push_back(std::move(command));
  }
  // The first of several leaves a run that is fatal still, which is done only when it is asked for.
  for (std::size_t i = 0; i + 1 < out.size(); ++i) out[i] += " --partial";
  return out;
}

std::string fix_text(const table::JudgedRun& story, const core::Profile& profile,
                     const table::RepairPlan& plan, const RunTextStyle& style) {
  const auto acts = quarantine_commands(story, profile, style.config_option);
  if (plan.sentences.empty() && acts.empty()) return {};
  std::string out = "\nHow to fix it (dupwatch has not changed anything):\n";
  if (!acts.empty()) {
    out += fmt::format("  - Take {} out of the log; what is taken out is kept, and can be put back:\n",
                       acts.size() == 1 ? "the row" : "the rows");
    for (const auto& act : acts) out += fmt::format("      {}\n", core::visible(act));
  }
  for (const auto& sentence : plan.sentences) out += fmt::format("  - {}\n", core::visible(sentence));
  if (plan.sql.empty()) return out;
  const auto to_file = core::explain_command(
      story.run_id(), fmt::format("{}{}", style.config_option, core::kRepairPlanOption));
  out += fmt::format(
      "  - The same as a file for psql, which changes nothing if the log has changed meanwhile:\n      {}\n",
      core::visible(to_file));
  out += "  - By hand, in one statement that changes all of it or nothing:\n\n";
  return out + repair_block(plan, "    ");
}

}  // namespace

std::string run_text(const table::JudgedRun& story, const core::Profile& profile, const RunFix& fix,
                     const RunTextStyle& style) {
  auto out = heading(story, profile, style.colours) + timeline(story, profile, style.colours);
  if (story.findings().empty()) return out + "\nNo findings for this " + profile.labels.run + ".\n";
  if (fix.rehearsal) out += rehearsal_text(*fix.rehearsal);
  return fix.offered() ? out + fix_text(story, profile, fix.plan, style) : out;
}

std::string run_json(const table::JudgedRun& story, const RunFix& fix) {
  std::string engines;
  for (const auto engine : {core::Engine::kV4, core::Engine::kV5BeforeClassSkip, core::Engine::kV5}) {
    const auto worst = story.worst(engine);
    engines += fmt::format(R"({}"{}":"{}")", engines.empty() ? "" : ",", to_string(engine),
                           worst ? to_string(*worst) : "none");
  }
  std::string events;
  for (const auto& event : story.events()) {
    events +=
        fmt::format(R"({}{{"id":{},"type":{},"correlation_id":{},"time":{}}})", events.empty() ? "" : ",",
                    core::json_string(event.id), core::json_string(event.type),
                    event.correlation_id ? core::json_string(*event.correlation_id) : "null",
                    event.time.micros != 0 ? core::json_string(core::to_iso8601(event.time)) : "null");
  }
  std::string repeated;
  for (const auto i : story.begun_again())
    repeated += (repeated.empty() ? "" : ",") + core::json_string(story.events()[i].id);
  std::string findings;
  for (const auto& finding : story.findings()) {
    findings += (findings.empty() ? "" : ",") + core::to_json(finding);
  }
  const table::RepairPlan none;
  const auto& plan = fix.offered() ? fix.plan : none;
  std::string sentences;
  for (const auto& sentence : plan.sentences)
    sentences += (sentences.empty() ? "" : ",") + core::json_string(sentence);
  std::string sql;
  for (const auto& statement : plan.sql)
    sql += (sql.empty() ? "" : ",") + core::json_string(table::printed(statement));
  return fmt::format(
      R"({{"run_id":{},"engine":"{}","engine_from":"{}","severities":{{{}}},"ended_by":{},"events":[{}],"findings":[{}],"repeated_work":[{}],)"
      R"("repair":{{"sentences":[{}],"sql":[{}]}}{}}})"
      "\n",
      core::json_string(story.run_id()), to_string(story.engine()), to_string(story.engine_from()), engines,
      story.end_type().empty() ? "null" : core::json_string(story.end_type()), events, findings, repeated,
      sentences, sql, fix.rehearsal ? ",\"rehearsal\":" + rehearsal_json(*fix.rehearsal) : "");
}

}  // namespace dupwatch::cli
