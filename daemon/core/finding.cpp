#include "daemon/core/finding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "daemon/core/shell.hpp"

namespace dupwatch::core {
namespace {

/// An id behind the name of a command, which must not take it for an option.
std::string positional(std::string_view id) {
  const auto word = shell_word(id);
  return word == id ? word : "-- " + word;
}

}  // namespace

std::string_view to_string(Origin origin) noexcept {
  switch (origin) {
    case Origin::kStream:
      return "stream";
    case Origin::kReadBack:
      return "read_back";
    case Origin::kBaseline:
      return "baseline";
    case Origin::kRecheck:
      return "recheck";
  }
  return "?";
}

std::string_view to_string(FindingChange change) noexcept {
  switch (change) {
    case FindingChange::kNew:
      return "new";
    case FindingChange::kChanged:
      return "changed";
  }
  return "?";
}

std::string_view to_string(FindingState state) noexcept {
  switch (state) {
    case FindingState::kOpen:
      return "open";
    case FindingState::kRunEnded:
      return "run_ended";
    case FindingState::kGone:
      return "gone";
    case FindingState::kAcknowledged:
      return "acknowledged";
    case FindingState::kQuarantined:
      return "quarantined";
  }
  return "?";
}

std::string_view to_string(Pending pending) noexcept {
  switch (pending) {
    case Pending::kNone:
      return "none";
    case Pending::kCertain:
      return "certain";
    case Pending::kMayReturn:
      return "may_return";
  }
  return "?";
}

std::optional<std::int64_t> Finding::commit_gap_micros() const noexcept {
  if (!canonical.commit_time || !duplicate.commit_time) return std::nullopt;
  return duplicate.commit_time->micros - canonical.commit_time->micros;
}

bool is_beyond_repair(const Finding& finding) noexcept {
  return finding.rule == Rule::kLifecycleAfterClose && finding.type == "wait_created";
}

std::string finding_id_text(std::uint64_t id) {
  return fmt::format("{:016x}", id);
}

std::string to_iso8601(decoder::Timestamp time) {
  // Days to civil date after Howard Hinnant's algorithm; <chrono>'s calendar streams need a locale.
  constexpr std::int64_t kMicrosPerDay = 86'400'000'000;
  std::int64_t days = time.micros / kMicrosPerDay;
  std::int64_t micros = time.micros % kMicrosPerDay;
  if (micros < 0) {
    micros += kMicrosPerDay;
    --days;
  }
  const std::int64_t z = days + 719'468;
  const std::int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const std::int64_t doe = z - era * 146'097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const std::int64_t day = doy - (153 * mp + 2) / 5 + 1;
  const std::int64_t month = mp < 10 ? mp + 3 : mp - 9;
  const std::int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  const std::int64_t seconds = micros / 1'000'000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", year, month, day, seconds / 3600,
                     seconds / 60 % 60, seconds % 60, micros % 1'000'000);
}

namespace {

void append_optional(std::string& out, const std::optional<std::string>& text) {
  if (text) {
    append_json_string(out, *text);
  } else {
    out += "null";
  }
}

void append_row(std::string& out, std::string_view key, const RowEvidence& row) {
  out += fmt::format(R"(,"{}":{{"id":)", key);
  append_json_string(out, row.id);
  out += row.xid ? fmt::format(R"(,"xid":{})", *row.xid) : R"(,"xid":null)";
  out += row.commit_lsn ? fmt::format(R"(,"commit_lsn":"{}")", decoder::to_string(*row.commit_lsn))
                        : R"(,"commit_lsn":null)";
  out += row.commit_time ? fmt::format(R"(,"commit_time":"{}")", to_iso8601(*row.commit_time))
                         : R"(,"commit_time":null)";
  out += '}';
}

/// The ids of the finding's rows as replay meets them.
void append_log_order(std::string& out, const Finding& finding) {
  std::vector<std::string_view> ids{finding.canonical.id, finding.duplicate.id};
  if (finding.closing) ids.push_back(finding.closing->id);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  out += R"(,"log_order":[)";
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i != 0) out += ',';
    append_json_string(out, ids[i]);
  }
  out += ']';
}

void append_text(std::string& out, std::string_view key, std::string_view text) {
  out += fmt::format(R"(,"{}":)", key);
  append_json_string(out, text);
}

}  // namespace

std::string explain_command(std::string_view run_id, std::string_view options) {
  return fmt::format("dupwatch explain{} {}", options, positional(run_id));
}

void Finding::set_table(const Profile& profile) {
  table = profile.qualified_name();
  by_hand = !profile.takes_rows_out();
}

std::string fix_command(const Finding& finding, std::string_view options) {
  const bool heals = finding.shape && rule_case(finding.rule, *finding.shape).removal == Removal::kHeals;
  const bool over = finding.state == FindingState::kRunEnded || finding.state == FindingState::kGone ||
                    finding.state == FindingState::kQuarantined;
  if (finding.severity != Severity::kFatal || !heals || over) return {};
  // The row that replay reads first stays, and in a run of slot numbers every row.
  if (finding.duplicate.id <= finding.canonical.id) return {};
  if (slot_of(finding.duplicate.id)) return {};
  if (finding.by_hand)
    return explain_command(finding.run_id, fmt::format("{}{}", options, kRepairPlanOption));
  return fmt::format("dupwatch quarantine apply{} {} {}", options, positional(finding.run_id),
                     finding_id_text(finding.id));
}

std::string to_json(const Finding& finding) {
  const auto& rule = rule_info(finding.rule);
  std::string out =
      fmt::format(R"({{"event":"finding","change":"{}","finding_id":"{}","rule":"{}",)",
                  to_string(finding.change), finding_id_text(finding.id), to_string(finding.rule));
  out += finding.shape ? fmt::format(R"("shape":"{}",)", to_string(*finding.shape)) : R"("shape":null,)";
  if (!finding.profile_rule.empty()) {
    out += R"("profile_rule":)";
    append_json_string(out, finding.profile_rule);
    out += ',';
  }
  out += fmt::format(R"("severity":"{}",)", to_string(finding.severity));
  out += fmt::format(R"("pending":"{}",)", to_string(finding.pending));
  out += fmt::format(R"("state":"{}","engine":"{}","engine_from":"{}","origin":"{}","after_close":{})",
                     to_string(finding.state), to_string(finding.engine), to_string(finding.engine_from),
                     to_string(finding.origin), finding.after_close);
  append_text(out, "table", finding.table);
  append_text(out, "run_id", finding.run_id);
  // One identity column is the usual case and is written plainly; several come as an array in the profile's
  // order.
  out += R"(,"correlation_id":)";
  if (finding.identity.size() == 1) {
    append_optional(out, finding.identity[0]);
  } else {
    out += '[';
    for (std::size_t i = 0; i < finding.identity.size(); ++i) {
      if (i != 0) out += ',';
      append_optional(out, finding.identity[i]);
    }
    out += ']';
  }
  append_text(out, "type", finding.type);
  append_row(out, "canonical", finding.canonical);
  append_row(out, "duplicate", finding.duplicate);
  if (finding.closing) {
    append_row(out, "closing", *finding.closing);
  } else {
    out += R"(,"closing":null)";
  }
  append_log_order(out, finding);
  const auto gap = finding.commit_gap_micros();
  out += gap ? fmt::format(R"(,"commit_gap_ms":{:.3f})", static_cast<double>(*gap) / 1000.0)
             : R"(,"commit_gap_ms":null)";
  out += fmt::format(R"(,"flagged_at":"{}")", to_iso8601(finding.flagged_at));
  out += R"(,"acknowledgement":)" +
         (finding.acknowledgement ? to_json(*finding.acknowledgement) : std::string{"null"});
  append_text(out, "what", rule.sentence);
  append_text(out, "why", finding.reason());
  append_text(out, "versions", rule.versions);
  append_text(out, "confidence", to_string(rule.confidence));
  append_text(out, "look", explain_command(finding.run_id));
  const auto fix = fix_command(finding);
  out += R"(,"fix":)";
  append_optional(out, fix.empty() ? std::nullopt : std::optional(fix));
  return out + '}';
}

}  // namespace dupwatch::core
