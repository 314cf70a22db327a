#include "daemon/quarantine/batch_file.hpp"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "daemon/core/finding_record.hpp"

namespace dupwatch::quarantine {
namespace {

using simdjson::dom::element;

constexpr std::size_t kShownMax = 60;
constexpr std::string_view kExpected =
    "one JSON object a line, as dupwatch audit --format json or audit --before-migration --format json "
    "writes";

BatchProblem not_ours(std::string found) {
  return {.found = std::move(found), .expected = std::string(kExpected)};
}

/// As a JSON string: nothing in it moves a terminal's cursor.
std::string shown(std::string_view text) {
  std::string out;
  core::append_json_string(out, text.substr(0, kShownMax));
  return out + (text.size() > kShownMax ? "..." : "");
}

std::optional<std::string> text_of(const element& object, std::string_view key) {
  std::string_view text;
  if (object[key].get(text) != simdjson::SUCCESS) return std::nullopt;
  return std::string(text);
}

/// The rows of a line about the migration that are to go: all but the one replay reads first. nullopt: the
/// line lacks something.
std::optional<std::vector<BatchRow>> migration_rows(const element& object) {
  const auto run = text_of(object, "run_id");
  const auto canonical = text_of(object, "canonical_id");
  const auto kept = text_of(object, "kept_id");
  simdjson::dom::array deleted;
  if (!run || !canonical || !kept || object["deleted_ids"].get(deleted) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  std::vector<std::string> ids{*kept};
  for (const auto item : deleted) {
    std::string_view id;
    if (item.get(id) != simdjson::SUCCESS) return std::nullopt;
    ids.emplace_back(id);
  }
  std::erase(ids, *canonical);
  std::ranges::sort(ids);
  std::vector<BatchRow> rows;
  rows.reserve(ids.size());
  for (auto& id : ids) {
    rows.push_back({.run_id = *run, .finding_id = {}, .event_id = std::move(id), .refused = {}});
  }
  return rows;
}

}  // namespace

std::optional<BatchProblem> BatchFile::add(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return std::nullopt;
  any_line_ = true;
  simdjson::dom::parser parser;
  element object;
  if (parser.parse(line.data(), line.size()).get(object) != simdjson::SUCCESS || !object.is_object()) {
    return not_ours(shown(line));
  }
  const auto event = text_of(object, "event").value_or("");
  if (event == "finding") return add_finding(line);
  if (event == "audit") {
    bool complete = true;
    if (object["complete"].get(complete) == simdjson::SUCCESS) complete_ = complete_ && complete;
    return std::nullopt;
  }
  if (event == "migration_summary") return std::nullopt;
  if (event != "migration") return not_ours(shown(line));
  if (!before_migration_) {
    return BatchProblem{.found = "a line of dupwatch audit --before-migration",
                        .expected = "findings, or --before-migration on this command line too"};
  }
  auto rows = migration_rows(object);
  if (!rows)
    return not_ours("a line about the migration without all of run_id, canonical_id, kept_id, deleted_ids");
  for (auto& row : *rows) {
    if (auto problem = add_row(std::move(row))) return problem;
  }
  return std::nullopt;
}

std::optional<BatchProblem> BatchFile::add_finding(std::string_view line) {
  const auto finding = core::read_finding(line);
  if (!finding)
    return not_ours("a finding that lacks a field or has a value that this version does not know");
  if (finding->table != table_) {
    return BatchProblem{.found = "a finding about table " + shown(finding->table),
                        .expected = "findings about " + table_ + ", the table of this configuration"};
  }
  return add_row({.run_id = finding->run_id,
                  .finding_id = core::finding_id_text(finding->id),
                  .event_id = finding->duplicate.id,
                  .refused = refused(*finding)});
}

std::optional<Refusal> BatchFile::refused(const core::Finding& finding) const noexcept {
  // The run's ids are for the act to see.
  // Without a shape the file does not say whether the row may go: the act judges the log again.
  if (!before_migration_ && !finding.shape) return std::nullopt;
  if (!before_migration_) return refusal(finding, false);
  const bool speaks_of_it = finding.rule == core::Rule::kDuplicateCreated;
  return speaks_of_it ? std::nullopt : std::optional(Refusal::kNotIndexed);
}

std::optional<BatchProblem> BatchFile::add_row(BatchRow row) {
  // One row may have several findings, each with an act of its own; for the migration only the row counts.
  const bool by_row = before_migration_ && !row.refused;
  const auto key = row.run_id + ' ' + (by_row ? row.event_id : row.finding_id);
  const auto [place, added] = places_.try_emplace(key, rows_.size());
  if (!added) {
    rows_[place->second].refused = row.refused;
    return std::nullopt;
  }
  if (rows_.size() == rows_max_) {
    return BatchProblem{.found = "more than " + std::to_string(rows_max_) + " rows",
                        .expected =
                            "at most so many; leave out harmless findings with audit --severity fatal, or "
                            "split the file"};
  }
  rows_.push_back(std::move(row));
  return std::nullopt;
}

}  // namespace dupwatch::quarantine
