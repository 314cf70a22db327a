#include "daemon/postgres/form_faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/postgres/dsn.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup.hpp"

namespace dupwatch::postgres {
namespace {

constexpr int kColumnListsSince = 150000;
constexpr int kGeneratedSince = 180000;

/// Types of which two values may be equal and have different texts, e.g. 1.0 and 1.00.
constexpr std::array<std::string_view, 11> kLooseTypes = {"numeric",  "citext",        "bpchar", "interval",
                                                          "float4",   "float8",        "jsonb",  "numrange",
                                                          "tsvector", "nummultirange", "record"};

/// Of which two values are equal if and only if their texts are, as both plugins and our queries write them.
constexpr std::array<std::string_view, 6> kScopeTypes = {"text", "varchar", "uuid", "int2", "int4", "int8"};

/// Of which a cast to text, as in a row filter, gives another text than the stream brings.
constexpr std::array<std::string_view, 3> kTypesCastOtherwise = {"bool", "bpchar", "inet"};

using Problems = std::vector<FormProblem>;

struct Judge {
  const FormQuestion& question;
  const TableForm& table;
  Problems& out;

  [[nodiscard]] const core::Profile& profile() const { return question.config.profile; }
  [[nodiscard]] std::string name() const { return profile().qualified_name(); }
  [[nodiscard]] std::string quoted_name() const { return qualified(profile().schema, profile().table); }
  [[nodiscard]] std::string publication() const { return quote_identifier(question.config.slot.publication); }
  [[nodiscard]] bool pgoutput() const { return question.plugin == decoder::Plugin::kPgoutput; }
  void add(FormFault fault, std::string found, std::string fix, bool refuses = true) const {
    out.push_back({.fault = fault, .found = std::move(found), .fix = std::move(fix), .refuses = refuses});
  }

  void kind() const;
  void storage() const;
  void row_security() const;
  void publication_form() const;
  void columns() const;
  void scope_column(const ColumnForm& column) const;
  void type_column(const ColumnForm& column) const;
  [[nodiscard]] bool carries_generated(const ColumnForm& column) const;
};

void Judge::kind() const {
  std::string_view what;
  if (table.kind == 'v') what = "a view";
  if (table.kind == 'm') what = "a materialized view";
  if (table.kind == 'f') what = "a foreign table";
  if (what.empty()) return;
  add(FormFault::kNotATable,
      fmt::format("{} is {}: what is written there is not in the WAL under its name", name(), what),
      "put the table that holds the rows into table.name");
}

void Judge::storage() const {
  if (table.persistence == 'u' || table.unlogged_leaf) {
    add(FormFault::kNotInWal,
        fmt::format("{}{} is unlogged: its rows are not in the WAL",
                    table.unlogged_leaf ? "a partition of " : "", name()),
        fmt::format("ALTER TABLE {} SET LOGGED;", quoted_name()));
  } else if (table.persistence == 't') {
    add(FormFault::kNotInWal, fmt::format("{} is temporary: its rows are not in the WAL", name()),
        "put a permanent table into table.name");
  }
  if (table.has_children) {
    add(FormFault::kChildren,
        fmt::format(
            "{} keeps rows in tables that inherit from it (a hypertable, or partitions made by hand): "
            "the stream names those tables, and their rows do not come under its name",
            name()),
        "watch a table without children; partitioned by PARTITION BY it can be watched by pgoutput");
  }
  if (table.partitioned() && !pgoutput()) {
    add(FormFault::kPartitionsByName,
        fmt::format(
            "{} is partitioned, and wal2json names the partitions: its rows do not come under its name",
            name()),
        "use pgoutput with a publication that has publish_via_partition_root = true: dupwatch setup "
        "--print-sql | psql, then slot.plugin: pgoutput and dupwatch drop");
  }
}

void Judge::row_security() const {
  if (!table.row_security) return;
  const auto role = quote_identifier(dsn_role(question.config));
  add(FormFault::kRowSecurity,
      fmt::format("row-level security on {} applies to role {}: dupwatch can't read all rows", name(), role),
      fmt::format(
          "ALTER ROLE {} BYPASSRLS; or connect as the table's owner (where FORCE ROW LEVEL SECURITY is "
          "off); a policy for the role does not help, since rows that are hidden are an error to dupwatch",
          role));
}

void Judge::publication_form() const {
  if (!pgoutput()) return;
  const auto& found = table.publication;
  const bool lists = table.server_version >= kColumnListsSince;
  if (!found) {
    add(FormFault::kPublicationMissing,
        fmt::format("publication {} does not exist", question.config.slot.publication),
        create_publication_statement(question.config, lists));
    return;
  }
  const auto listed = lists ? published_table(question.config) : quoted_name();
  if (!found->holds_table) {
    add(FormFault::kTableNotPublished,
        fmt::format("publication {} does not hold table {}", question.config.slot.publication, name()),
        fmt::format("ALTER PUBLICATION {} ADD TABLE {};", publication(), listed));
    return;
  }
  if (table.partitioned() && !found->via_root) {
    add(FormFault::kPartitionsByName,
        fmt::format("publication {} publishes the partitions of {} under their own names",
                    question.config.slot.publication, name()),
        fmt::format("ALTER PUBLICATION {} SET (publish_via_partition_root = true);", publication()));
  }
  if (table.published_as_root) {
    add(FormFault::kPublishedAsRoot,
        fmt::format("{} is a partition, and publication {} publishes it under the name of its root", name(),
                    question.config.slot.publication),
        "put the root into table.name, or use a publication of the partition alone");
  }
  if (!found->inserts) {
    add(FormFault::kInsertsNotPublished,
        fmt::format("publication {} does not publish inserts", question.config.slot.publication),
        fmt::format("ALTER PUBLICATION {} SET (publish = 'insert, truncate');", publication()));
  }
  if (question.filter_loss) {
    add(FormFault::kRowFilter,
        fmt::format("publication {}: {}", question.config.slot.publication, *question.filter_loss),
        fmt::format("ALTER PUBLICATION {} SET TABLE {}{};", publication(), listed,
                    row_filter(question.config)));
  }
  std::vector<std::string> lacking;
  for (const auto& column : table.columns) {
    if (!found->columns.empty() && !column.missing &&
        std::ranges::find(found->columns, column.name) == found->columns.end()) {
      lacking.push_back(column.name);
    }
  }
  if (!lacking.empty()) {
    add(FormFault::kColumnList,
        fmt::format("publication {}: the column list lacks {}", question.config.slot.publication,
                    quoted_list(lacking, quote_identifier)),
        fmt::format("ALTER PUBLICATION {} SET TABLE {};", publication(), listed));
  }
}

bool Judge::carries_generated(const ColumnForm& column) const {
  if (column.generated == 'v') return false;
  if (!pgoutput()) return true;
  if (table.server_version < kGeneratedSince || !table.publication) return false;
  const auto& list = table.publication->columns;
  return list.empty() ? table.publication->generated_columns
                      : std::ranges::find(list, column.name) != list.end();
}

void Judge::scope_column(const ColumnForm& column) const {
  const bool plain = std::ranges::find(kScopeTypes, column.type) != kScopeTypes.end();
  if ((plain || column.category == 'E') && column.category != 'A' && !column.loose_collation) return;
  add(FormFault::kScopeUnfit,
      fmt::format(
          "scope column {} is of type {}{}: runs are told apart by its text, and equal values may have "
          "different ones",
          quote_identifier(column.name), column.sql_type,
          column.loose_collation ? " with a nondeterministic collation" : ""),
      "take columns of type text, varchar, uuid, smallint, integer, bigint or an enum into "
      "table.scope_columns");
}

void Judge::type_column(const ColumnForm& column) const {
  const bool named =
      std::ranges::any_of(profile().types, [](const auto& type) { return !type.name.empty(); });
  if (!named || std::ranges::find(kTypesCastOtherwise, column.type) == kTypesCastOtherwise.end()) return;
  add(FormFault::kTypeUnfit,
      fmt::format("type column {} is of type {}: the stream and a query write its values in two ways, so no "
                  "name of a type fits both",
                  quote_identifier(column.name), column.sql_type),
      "take a column of type text, varchar, an enum or integer into table.type_column, or name no types");
}

void Judge::columns() const {
  for (const auto& column : table.columns) {
    const auto quoted = quote_identifier(column.name);
    if (column.missing) {
      add(FormFault::kColumnMissing, fmt::format("table {} has no column {}", name(), column.name),
          "correct table.scope_columns, run_column, id_column, identity_columns and type_column");
      continue;
    }
    if (column.generated != 0 && !carries_generated(column)) {
      add(FormFault::kGeneratedColumn,
          fmt::format("column {} is generated{}: {} does not carry it", quoted,
                      column.generated == 'v' ? " and not stored" : "", to_string(question.plugin)),
          column.generated == 's' ? "set slot.plugin: wal2json, which carries stored generated columns, or "
                                    "watch the columns that it is made of"
                                  : "watch the columns that it is made of");
    }
    if (std::ranges::find(profile().scope_columns, column.name) != profile().scope_columns.end()) {
      scope_column(column);
      continue;
    }
    if (column.name == profile().type_column) type_column(column);
    // Ids are compared only with themselves.
    const bool loose =
        column.loose_collation || std::ranges::find(kLooseTypes, column.type) != kLooseTypes.end();
    if (loose && column.name != profile().id_column) {
      add(FormFault::kEqualityNotOfBytes,
          fmt::format("column {} ({}{}): values that are equal in SQL may differ in their text, and dupwatch "
                      "compares texts: duplicates that are written in different forms are not found",
                      quoted, column.type,
                      column.loose_collation ? " with a nondeterministic collation" : ""),
          "have the application write one form, or watch a column of type text, uuid or bigint that is made "
          "of it",
          false);
    }
  }
}

}  // namespace

Cause cause_of(FormFault fault) noexcept {
  constexpr std::array<Cause, kFormFaults> kCausesOfFaults = {Cause::kTableMissing,
                                                              Cause::kNotATable,
                                                              Cause::kColumnMissing,
                                                              Cause::kRowSecurity,
                                                              Cause::kNotInWal,
                                                              Cause::kInheritance,
                                                              Cause::kPartitionsByName,
                                                              Cause::kPublishedAsRoot,
                                                              Cause::kPublicationMissing,
                                                              Cause::kTableNotPublished,
                                                              Cause::kInsertsNotPublished,
                                                              Cause::kRowFilter,
                                                              Cause::kColumnList,
                                                              Cause::kGeneratedColumn,
                                                              Cause::kEqualityNotOfBytes,
                                                              Cause::kScopeUnfit,
                                                              Cause::kTypeUnfit};
  return kCausesOfFaults.at(static_cast<std::size_t>(fault));
}

std::string_view to_string(FormFault fault) noexcept {
  return to_string(cause_of(fault));
}

bool is_of_publication(FormFault fault) noexcept {
  return fault == FormFault::kPublicationMissing || fault == FormFault::kTableNotPublished ||
         fault == FormFault::kInsertsNotPublished || fault == FormFault::kRowFilter ||
         fault == FormFault::kColumnList;
}

std::vector<FormProblem> find_form_faults(const FormQuestion& question,
                                          const std::optional<TableForm>& table) {
  Problems out;
  if (!table) {
    out.push_back({.fault = FormFault::kTableMissing,
                   .found = fmt::format("table {} does not exist in this database",
                                        question.config.profile.qualified_name()),
                   .fix = "check dbname in connection.dsn and table.name, and run the engine's migrations"});
    return out;
  }
  const Judge judge{.question = question, .table = *table, .out = out};
  judge.kind();
  if (!out.empty()) return out;
  judge.storage();
  judge.row_security();
  judge.columns();
  judge.publication_form();
  return out;
}

std::optional<FormProblem> refusal(std::vector<FormProblem> problems) {
  const auto found =
      std::ranges::find_if(problems, [](const FormProblem& problem) { return problem.refuses; });
  return found == problems.end() ? std::nullopt : std::optional(std::move(*found));
}

}  // namespace dupwatch::postgres
