#include "daemon/core/finding_record.hpp"

#include <simdjson.h>

#include <charconv>
#include <string>

namespace dupwatch::core {
namespace {

using simdjson::dom::element;

std::optional<std::string_view> text_of(const element& object, std::string_view key) {
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

std::optional<std::uint64_t> id_of(std::optional<std::string_view> text) {
  std::uint64_t id = 0;
  if (!text || text->size() != 16) return std::nullopt;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), id, 16);
  if (failed != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return id;
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

std::optional<RowEvidence> row_of(const element& object, std::string_view key) {
  element row;
  if (object[key].get(row) != simdjson::SUCCESS) return std::nullopt;
  const auto id = text_of(row, "id");
  if (!id) return std::nullopt;
  RowEvidence evidence{.id = std::string(*id), .xid = {}, .commit_lsn = {}, .commit_time = {}};
  std::uint64_t xid = 0;
  if (row["xid"].get(xid) == simdjson::SUCCESS) evidence.xid = static_cast<decoder::Xid>(xid);
  return evidence;
}

/// Texts of the table live as long as the process; those of the record do not.
std::string_view reason_of(Rule rule, std::string_view text) {
  for (const auto& entry : rule_cases()) {
    if (entry.rule == rule && entry.reason == text) return entry.reason;
  }
  return {};
}

}  // namespace

std::optional<Finding> read_finding(std::string_view json) {
  simdjson::dom::parser parser;
  element object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
  if (text_of(object, "event") != "finding") return std::nullopt;
  const auto id = id_of(text_of(object, "finding_id"));
  const auto rule = labelled<Rule>(text_of(object, "rule"), kRules);
  const auto severity = labelled<Severity>(text_of(object, "severity"), kSeverities);
  const auto state = labelled<FindingState>(text_of(object, "state"), kFindingStates);
  const auto engine = labelled<Engine>(text_of(object, "engine"), kEngines);
  const auto origin = labelled<Origin>(text_of(object, "origin"), kOrigins);
  const auto table = text_of(object, "table");
  const auto run = text_of(object, "run_id");
  const auto canonical = row_of(object, "canonical");
  const auto duplicate = row_of(object, "duplicate");
  if (!id || !rule || !severity || !state || !engine || !origin || !table || !run || !canonical ||
      !duplicate) {
    return std::nullopt;
  }
  Finding finding;
  finding.id = *id;
  finding.rule = *rule;
  finding.severity = *severity;
  finding.state = *state;
  finding.engine = *engine;
  finding.origin = *origin;
  finding.change = text_of(object, "change") == "new" ? FindingChange::kNew : FindingChange::kChanged;
  if (object["after_close"].get(finding.after_close) != simdjson::SUCCESS) finding.after_close = false;
  finding.table = std::string(*table);
  finding.run_id = std::string(*run);
  finding.identity = identity_of(object);
  finding.type = std::string(text_of(object, "type").value_or(""));
  finding.canonical = *canonical;
  finding.duplicate = *duplicate;
  finding.closing = row_of(object, "closing");
  finding.reason = reason_of(*rule, text_of(object, "why").value_or(""));
  return finding;
}

}  // namespace dupwatch::core
