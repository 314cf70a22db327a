#include "daemon/cli/migration_audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/quarantine/eligibility.hpp"

namespace dupwatch::cli {
namespace {

using core::kAttributeType;
using core::kDeduplicatedTypes;

std::int64_t number(std::optional<std::string_view> text) {
  std::int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

std::string json_or_null(const std::optional<std::string>& text) {
  return text ? core::json_string(*text) : std::string("null");
}

template <class Each>
std::string joined(const std::vector<std::string>& items, std::string_view separator, Each each) {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += separator;
    out += each(item);
  }
  return out;
}

}  // namespace

MigrationAudit::MigrationAudit(const core::Profile& profile, OutputFormat format, bool whole)
    : profile_(profile), format_(format), whole_(whole) {
  if (format_ == OutputFormat::kCsv) {
    print("run_id,correlation_id,type,canonical_id,kept_id,differs,left_fatal,closing_id,deleted_ids\n");
  }
}

std::string MigrationAudit::condition() const {
  std::string types = fmt::format("'{}'", kAttributeType);
  for (const auto& name : kDeduplicatedTypes) types += fmt::format(", '{}'", name);
  for (const auto& type : profile_.types) {
    if (type.closes) types += fmt::format(", '{}'", type.name);
  }
  return fmt::format("e.{}::text IN ({})", profile_.type_column, types);
}

void MigrationAudit::row(const pg_result& result, int row) {
  const auto text = [&](int column) {
    return std::string(postgres::cell(result, row, column).value_or(std::string_view{}));
  };
  const auto correlation = postgres::cell(result, row, 3);
  auto& entity = entities_[correlation ? std::optional<std::string>(*correlation) : std::nullopt];
  const auto type = text(2);
  auto id = text(1);
  const auto listed = profile_.find_type(type);
  if (listed && profile_.types[*listed].closes) {
    if (!entity.closing_id || id < *entity.closing_id) entity.closing_id = std::move(id);
    return;
  }
  const auto block = number(postgres::cell(result, row, 4));
  const auto line = number(postgres::cell(result, row, 5));
  entity.by_type[type].push_back({.id = std::move(id), .ctid = {block, line}});
}

void MigrationAudit::run_end(const std::string& run_id) {
  for (const auto& [correlation_id, entity] : entities_) {
    for (const auto& [type, rows] : entity.by_type) {
      if (rows.size() < 2) continue;
      if (type == kAttributeType) {
        if (correlation_id) ++attributes_;
      } else {
        judge(run_id, correlation_id, type, rows, entity.closing_id);
      }
    }
  }
  entities_.clear();
}

void MigrationAudit::judge(const std::string& run_id, const std::optional<std::string>& correlation_id,
                           const std::string& type, const std::vector<Row>& rows,
                           const std::optional<std::string>& closing_id) {
  const auto canonical = std::ranges::min_element(rows, {}, &Row::id);
  const auto kept = std::ranges::min_element(rows, {}, &Row::ctid);
  MigrationOutcome outcome{.run_id = run_id,
                           .correlation_id = correlation_id,
                           .type = type,
                           .closing_id = closing_id,
                           .canonical_id = canonical->id,
                           .kept_id = kept->id,
                           .deleted_ids = {},
                           .left_fatal = closing_id && kept->id > *closing_id};
  for (const auto& row : rows) {
    if (row.id != kept->id) outcome.deleted_ids.push_back(row.id);
  }
  ++identities_;
  blocking_ += correlation_id ? 1U : 0U;
  deleted_ += outcome.deleted_ids.size();
  other_kept_ += kept != canonical ? 1U : 0U;
  left_fatal_ += outcome.left_fatal ? 1U : 0U;
  write(outcome);
}

void MigrationAudit::write(const MigrationOutcome& outcome) const {
  const bool differs = outcome.kept_id != outcome.canonical_id;
  const auto as_is = [](const std::string& text) { return text; };
  switch (format_) {
    case OutputFormat::kJson:
      print(fmt::format(R"({{"event":"migration","run_id":{},"correlation_id":{},"type":"{}",)"
                        R"("canonical_id":{},"kept_id":{},"differs":{},"left_fatal":{},"closing_id":{},)"
                        R"("deleted_ids":[{}]}})"
                        "\n",
                        core::json_string(outcome.run_id), json_or_null(outcome.correlation_id), outcome.type,
                        core::json_string(outcome.canonical_id), core::json_string(outcome.kept_id), differs,
                        outcome.left_fatal, json_or_null(outcome.closing_id),
                        joined(outcome.deleted_ids, ",", core::json_string)));
      break;
    case OutputFormat::kCsv:
      print(fmt::format("{},{},{},{},{},{},{},{},{}\n", csv_field(outcome.run_id),
                        csv_field(outcome.correlation_id.value_or("NULL")), outcome.type,
                        csv_field(outcome.canonical_id), csv_field(outcome.kept_id), differs,
                        outcome.left_fatal, csv_field(outcome.closing_id.value_or("")),
                        csv_field(joined(outcome.deleted_ids, " ", as_is))));
      break;
    case OutputFormat::kText:
      print(fmt::format(
          "run {}\n  {} {}\n  replay reads first    {}\n  the migration keeps   {}{}\n"
          "  and deletes           {}\n",
          on_screen(outcome.run_id), outcome.type, on_screen(outcome.correlation_id.value_or("NULL")),
          on_screen(outcome.canonical_id), on_screen(outcome.kept_id),
          outcome.left_fatal
              ? fmt::format("  BEHIND THE CLOSING EVENT {}: the run will die", on_screen(*outcome.closing_id))
          : differs ? "  another row: the original is lost"
                    : "",
          joined(outcome.deleted_ids, " ", on_screen)));
  }
}

std::string MigrationAudit::verdict(const postgres::MigrationIndex& index) const {
  if (index.exists && blocking_ == 0) {
    return is_clean(index) ? "the unique index exists: nothing to do"
                           : "the unique index exists; the attributes that were set twice stand in the way "
                             "of the migration of 5.0 that adds attr_set to it";
  }
  if (index.exists) {
    return "an index of that name exists, and duplicates too: it is not the migration's; look at it";
  }
  if (!whole_ && blocking_ == 0) {
    return "nothing in the runs that were read keeps the index from being created; only a look at all of "
           "them "
           "tells whether it can be";
  }
  if (identities_ == 0) {
    return "no duplicates: the index can be created now; stop writers older than 4.1.2 before, they crash on "
           "it";
  }
  if (blocking_ == 0) {
    return "the index can be created now: rows without correlation id are distinct to it. The migration "
           "deletes those listed all the same; stop writers older than 4.1.2 before";
  }
  return "the index can't be created now. Stop all writers older than 4.1.2, move away all rows but the "
         "canonical ones (dupwatch quarantine apply --before-migration --from-audit FILE, the JSON of this "
         "list), "
         "then migrate: the migration itself keeps the wrong row where this list says so, and fails when a "
         "writer "
         "adds a duplicate while it runs. Until then `dupwatch guard install` keeps new duplicates out";
}

void MigrationAudit::finish(const postgres::MigrationIndex& index) {
  const auto advice = verdict(index);
  if (format_ == OutputFormat::kCsv) return;
  if (format_ == OutputFormat::kJson) {
    const std::string_view can_create = index.exists || blocking_ != 0 ? "false" : whole_ ? "true" : "null";
    print(
        fmt::format(R"({{"event":"migration_summary","identities":{},"rows_deleted":{},"other_row_kept":{},)"
                    R"("left_fatal":{},"duplicate_attributes":{},"index_exists":{},"can_create_index":{},)"
                    R"("advice":{}}})"
                    "\n",
                    identities_, deleted_, other_kept_, left_fatal_, attributes_, index.exists, can_create,
                    core::json_string(advice)));
    return;
  }
  print(fmt::format(
      "{}{} {} with more than one row; the migration would delete {} {}, keep a non-canonical row in {} {}, "
      "and leave {} fatal\n",
      identities_ != 0 ? "\n" : "", identities_, identities_ == 1 ? "identity" : "identities", deleted_,
      deleted_ == 1 ? "row" : "rows", other_kept_, other_kept_ == 1 ? "case" : "cases", left_fatal_));
  if (attributes_ != 0 && !index.covers_attributes) {
    print(fmt::format(
        "{} attributes were set twice: the migration that adds attr_set to the index fails on them\n",
        attributes_));
  }
  print(advice + "\n");
}

}  // namespace dupwatch::cli
