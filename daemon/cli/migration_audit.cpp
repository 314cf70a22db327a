#include "daemon/cli/migration_audit.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/core/text.hpp"
#include "daemon/postgres/connection.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::cli {
namespace {

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

std::string migration_condition(const core::Profile& profile, const core::IndexMigration& of) {
  return fmt::format("e.{}::text IN ({})", postgres::quote_identifier(profile.type_column),
                     postgres::quoted_list(of.types(), postgres::quote_literal));
}

void add_migration_row(core::IndexMigration& to, const pg_result& result, int row) {
  const auto text = [&](int column) {
    return postgres::cell(result, row, column).value_or(std::string_view{});
  };
  to.add(text(1), text(2), postgres::cell(result, row, 3),
         {number(postgres::cell(result, row, 4)), number(postgres::cell(result, row, 5))});
}

MigrationAudit::MigrationAudit(const core::Profile& profile, OutputFormat format, bool whole)
    : format_(format),
      whole_(whole),
      migration_(profile, [this](const core::MigrationOutcome& outcome) { write(outcome); }) {
  if (format_ == OutputFormat::kCsv) {
    print("run_id,correlation_id,type,canonical_id,kept_id,differs,left_fatal,closing_id,deleted_ids\n");
  }
}

void MigrationAudit::write(const core::MigrationOutcome& outcome) const {
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
          core::visible(outcome.run_id), outcome.type, core::visible(outcome.correlation_id.value_or("NULL")),
          core::visible(outcome.canonical_id), core::visible(outcome.kept_id),
          outcome.left_fatal ? fmt::format("  BEHIND THE CLOSING EVENT {}: the run will die",
                                           core::visible(*outcome.closing_id))
          : differs          ? "  another row: the original is lost"
                             : "",
          joined(outcome.deleted_ids, " ", core::visible)));
  }
}

std::string MigrationAudit::verdict(const postgres::MigrationIndex& index) const {
  const auto& found = migration_.totals();
  if (index.exists && found.blocking == 0) {
    return is_clean(index) ? "the unique index exists: nothing to do"
                           : "the unique index exists; the attributes that were set twice stand in the way "
                             "of the migration of 5.0 that adds attr_set to it";
  }
  if (index.exists) {
    return "an index of that name exists, and duplicates too: it is not the migration's; look at it";
  }
  if (!whole_ && found.blocking == 0) {
    return "nothing in the runs that were read keeps the index from being created; only a look at all of "
           "them "
           "tells whether it can be";
  }
  if (found.identities == 0) {
    return "no duplicates: the index can be created now; stop writers older than 4.1.2 before, they crash on "
           "it";
  }
  if (found.blocking == 0) {
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

void MigrationAudit::finish(const postgres::MigrationIndex& index) const {
  const auto& found = migration_.totals();
  const auto advice = verdict(index);
  if (format_ == OutputFormat::kCsv) return;
  if (format_ == OutputFormat::kJson) {
    const std::string_view can_create = index.exists || found.blocking != 0 ? "false"
                                        : whole_                            ? "true"
                                                                            : "null";
    print(
        fmt::format(R"({{"event":"migration_summary","identities":{},"rows_deleted":{},"other_row_kept":{},)"
                    R"("left_fatal":{},"duplicate_attributes":{},"index_exists":{},"can_create_index":{},)"
                    R"("advice":{}}})"
                    "\n",
                    found.identities, found.deleted, found.other_kept, found.left_fatal, found.attributes,
                    index.exists, can_create, core::json_string(advice)));
    return;
  }
  print(fmt::format(
      "{}{} {} with more than one row; the migration would delete {} {}, keep a non-canonical row in {} {}, "
      "and leave {} fatal\n",
      found.identities != 0 ? "\n" : "", found.identities, found.identities == 1 ? "identity" : "identities",
      found.deleted, found.deleted == 1 ? "row" : "rows", found.other_kept,
      found.other_kept == 1 ? "case" : "cases", found.left_fatal));
  if (found.attributes != 0 && !index.covers_attributes) {
    print(fmt::format(
        "{} attributes were set twice: the migration that adds attr_set to the index fails on them\n",
        found.attributes));
  }
  print(advice + "\n");
}

}  // namespace dupwatch::cli
