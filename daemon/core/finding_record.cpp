#include "daemon/core/finding_record.hpp"

#include <simdjson.h>

#include <string>

#include "daemon/core/finding_filter.hpp"
#include "daemon/core/first_records.hpp"

namespace dupwatch::core {
namespace {

using simdjson::dom::element;

std::optional<std::string_view> string_at(const element& object, std::string_view key) {
  std::string_view text;
  if (object[key].get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

/// The value of a closed list with this label.
template <class E>
std::optional<E> labelled(std::optional<std::string_view> label, std::size_t count) {
  for (std::size_t i = 0; label && i < count; ++i) {
    if (to_string(static_cast<E>(i)) == *label) return static_cast<E>(i);
  }
  return std::nullopt;
}

std::optional<std::string> nullable(const element& value) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? std::optional(std::string(text)) : std::nullopt;
}

std::vector<std::optional<std::string>> identity_of(const element& object) {
  element value;
  if (object["correlation_id"].get(value) != simdjson::SUCCESS) return {};
  simdjson::dom::array items;
  if (value.get(items) != simdjson::SUCCESS) return {nullable(value)};
  std::vector<std::optional<std::string>> identity;
  for (const auto item : items) identity.push_back(nullable(item));
  return identity;
}

std::optional<decoder::Timestamp> time_of(std::optional<std::string_view> text) {
  return text ? parse_rfc3339(*text) : std::nullopt;
}

std::optional<RowEvidence> row_of(const element& object, std::string_view key) {
  element row;
  if (object[key].get(row) != simdjson::SUCCESS) return std::nullopt;
  const auto id = string_at(row, "id");
  if (!id) return std::nullopt;
  RowEvidence evidence{.id = std::string(*id), .xid = {}, .commit_lsn = {}, .commit_time = {}};
  std::uint64_t xid = 0;
  if (row["xid"].get(xid) == simdjson::SUCCESS) evidence.xid = static_cast<decoder::Xid>(xid);
  evidence.commit_lsn = decoder::parse_lsn(string_at(row, "commit_lsn").value_or(""));
  evidence.commit_time = time_of(string_at(row, "commit_time"));
  return evidence;
}

/// Absent in a record of 0.1.0, and null in that of a finding that nobody has acknowledged.
std::optional<Acknowledgement> acknowledgement_of(const element& object) {
  element value;
  if (object["acknowledgement"].get(value) != simdjson::SUCCESS || !value.is_object()) return std::nullopt;
  const auto at = time_of(string_at(value, "at"));
  const auto until = time_of(string_at(value, "until"));
  const auto severity = labelled<Severity>(string_at(value, "severity"), kSeverities);
  if (!at || !until || !severity) return std::nullopt;
  return Acknowledgement{.by = std::string(string_at(value, "by").value_or("")),
                         .comment = std::string(string_at(value, "comment").value_or("")),
                         .at = *at,
                         .until = *until,
                         .severity = *severity};
}

/// nullopt: a label that this version does not have.
std::optional<std::optional<Shape>> shape_of(const element& object, Rule rule) {
  element value;
  if (object["shape"].get(value) != simdjson::SUCCESS) {
    return shape_in_first_record(rule, string_at(object, "why").value_or(""));
  }
  if (value.is_null()) return std::optional<Shape>{};
  const auto shape = labelled<Shape>(string_at(object, "shape"), kShapes);
  if (!shape) return std::nullopt;
  return std::optional<std::optional<Shape>>(shape);
}

}  // namespace

std::optional<Finding> read_finding(std::string_view json) {
  if (json.empty()) return std::nullopt;  // simdjson copies from it
  simdjson::dom::parser parser;
  element object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
  if (string_at(object, "event") != "finding") return std::nullopt;
  const auto id = parse_finding_id(string_at(object, "finding_id").value_or(""));
  const auto rule = labelled<Rule>(string_at(object, "rule"), kRules);
  const auto severity = labelled<Severity>(string_at(object, "severity"), kSeverities);
  const auto state = labelled<FindingState>(string_at(object, "state"), kFindingStates);
  const auto engine = labelled<Engine>(string_at(object, "engine"), kEngines);
  const auto origin = labelled<Origin>(string_at(object, "origin"), kOrigins);
  const auto table = string_at(object, "table");
  const auto run = string_at(object, "run_id");
  const auto canonical = row_of(object, "canonical");
  const auto duplicate = row_of(object, "duplicate");
  const auto shape = rule ? shape_of(object, *rule) : std::nullopt;
  if (!id || !rule || !shape || !severity || !state || !engine || !origin || !table || !run || !canonical ||
      !duplicate) {
    return std::nullopt;
  }
  Finding finding;
  finding.id = *id;
  finding.rule = *rule;
  finding.profile_rule = std::string(string_at(object, "profile_rule").value_or(""));
  // The table of reasons has that of every other rule.
  if (*rule == Rule::kProfileRule)
    finding.profile_reason = std::string(string_at(object, "why").value_or(""));
  finding.severity = *severity;
  finding.shape = *shape;
  // 0.1.0 did not say it: whoever reads its record may count on nothing less.
  const auto fatal = *severity == Severity::kFatal && *state == FindingState::kOpen;
  finding.pending = labelled<Pending>(string_at(object, "pending"), kPendings)
                        .value_or(fatal ? Pending::kCertain : Pending::kNone);
  finding.state = *state;
  finding.engine = *engine;
  // 0.1.0 did not say it, and went by the log alone.
  finding.engine_from =
      labelled<EngineFrom>(string_at(object, "engine_from"), kEngineFroms).value_or(EngineFrom::kLog);
  finding.origin = *origin;
  finding.change = string_at(object, "change") == "new" ? FindingChange::kNew : FindingChange::kChanged;
  if (object["after_close"].get(finding.after_close) != simdjson::SUCCESS) finding.after_close = false;
  finding.table = std::string(*table);
  finding.by_hand = string_at(object, "fix").value_or("").starts_with("dupwatch explain ");
  finding.run_id = std::string(*run);
  finding.identity = identity_of(object);
  finding.type = std::string(string_at(object, "type").value_or(""));
  finding.canonical = *canonical;
  finding.duplicate = *duplicate;
  finding.closing = row_of(object, "closing");
  finding.flagged_at = time_of(string_at(object, "flagged_at")).value_or(decoder::Timestamp{});
  finding.acknowledgement = acknowledgement_of(object);
  return finding;
}

}  // namespace dupwatch::core
