#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "daemon/postgres/ask.hpp"
#include "daemon/postgres/checks.hpp"
#include "daemon/postgres/form_faults.hpp"
#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup.hpp"

namespace dupwatch::postgres {
namespace {

/// One publication as far as the watched table goes.
struct Shape {
  bool whole_database = false;
  bool insert = false;
  bool update = false;
  bool remove = false;
  bool truncate = false;
  bool via_root = false;
  /// The table is listed by name, not by its schema.
  bool listed = false;
  std::string filter;
  std::vector<std::string> columns;
  /// Columns of the replica identity that the column list lacks, comma separated.
  std::string uncovered;
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string shape_query(int version) {
  std::string query =
      "SELECT p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubviaroot, r.prrelid IS NOT NULL";
  if (version >= 150000) {
    query +=
        ", pg_get_expr(r.prqual, r.prrelid), (SELECT string_agg(a.attname, E'\\x1f' ORDER BY a.attnum) FROM"
        " pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])),"
        " (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_catalog.pg_index i, "
        "pg_catalog.pg_attribute a, "
        " pg_catalog.pg_class c WHERE r.prattrs IS NOT NULL AND c.oid = r.prrelid AND i.indrelid = c.oid AND"
        " CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END"
        " AND a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[]) AND NOT a.attnum = ANY "
        "(r.prattrs::int2[]))";
  } else {
    query += ", NULL, NULL, NULL";
  }
  return query +
         ", p.pubtruncate FROM pg_catalog.pg_publication p LEFT JOIN pg_catalog.pg_publication_rel r ON "
         "r.prpubid = p.oid"
         " AND r.prrelid = $2::oid WHERE p.pubname = $1";
}

Shape read_shape(const pg_result& result) {
  const auto yes = [&](int column) { return cell(result, 0, column) == "t"; };
  Shape shape;
  shape.whole_database = yes(0);
  shape.insert = yes(1);
  shape.update = yes(2);
  shape.remove = yes(3);
  shape.via_root = yes(4);
  shape.listed = yes(5);
  shape.filter = text_cell(result, 0, 6);
  shape.columns = split(cell(result, 0, 7).value_or(""), '\x1f');
  shape.uncovered = text_cell(result, 0, 8);
  shape.truncate = yes(9);
  return shape;
}

std::string set_table(const core::Config& config) {
  return "ALTER PUBLICATION " + quote_identifier(config.slot.publication) + " SET TABLE " +
         published_table(config) + ";";
}

bool holds_table(const CheckContext& context) {
  return context.table->publication && context.table->publication->holds_table;
}

/// A publication before Postgres 18 can't hold it, and no statement would cure that.
bool has_generated_column(const CheckContext& context) {
  const auto problems =
      find_form_faults({.config = context.config, .plugin = decoder::Plugin::kPgoutput}, context.table);
  return std::ranges::any_of(
      problems, [](const FormProblem& problem) { return problem.fault == FormFault::kGeneratedColumn; });
}

void check_membership(CheckContext& context, const Shape& shape) {
  const auto& config = context.config;
  const auto name = quote_identifier(config.slot.publication);
  if (!holds_table(context)) {
    context.add("publication", Verdict::kFail, name + " does not hold " + config.profile.qualified_name(),
                "ALTER PUBLICATION " + name + " ADD TABLE " + published_table(config) + ";");
  } else if (!shape.listed) {
    context.add(
        "publication", Verdict::kWarn,
        name +
            (shape.whole_database ? " holds all tables"
                                  : " holds the table by its schema or its partitions") +
            ": more is sent than is needed",
        "DROP PUBLICATION " + name + "; " + create_publication_statement(config, context.version >= 150000));
  } else if (context.table->partitioned() && !shape.via_root) {
    context.add("publication", Verdict::kFail, name + " publishes the partitions under their own names",
                "ALTER PUBLICATION " + name + " SET (publish_via_partition_root = true);");
  } else {
    context.add("publication", Verdict::kPass, name + " holds " + config.profile.qualified_name());
  }
}

void check_actions(CheckContext& context, const Shape& shape) {
  const auto fix = "ALTER PUBLICATION " + quote_identifier(context.config.slot.publication) +
                   " SET (publish = 'insert, truncate');";
  const bool changes = shape.update || shape.remove;
  if (!shape.insert) {
    context.add("publication_actions", Verdict::kFail,
                "inserts are not published: dupwatch would see nothing", fix);
  } else if (changes && !shape.uncovered.empty()) {
    context.add("publication_actions", Verdict::kFail,
                "updates or deletes are published and the column list lacks " + shape.uncovered +
                    " of the replica identity: the application's own UPDATE and DELETE fail",
                fix);
  } else if (changes && !shape.filter.empty()) {
    context.add(
        "publication_actions", Verdict::kFail,
        "updates or deletes are published with a row filter on columns outside the replica identity: the "
        "application's own UPDATE and DELETE fail",
        fix);
  } else if (changes) {
    context.add(
        "publication_actions", Verdict::kWarn,
        "updates or deletes are published: they are not needed, and fail in the application should the table "
        "lose its primary key",
        fix);
  } else if (!shape.truncate) {
    context.add("publication_actions", Verdict::kWarn,
                "TRUNCATE is not published: rows that follow one are judged with rows that are gone, until "
                "the stream "
                "and the table are compared",
                fix);
  } else {
    context.add("publication_actions", Verdict::kPass, "inserts and truncates only");
  }
}

void check_columns(CheckContext& context, const Shape& shape) {
  if (context.version < 150000) {
    context.add("publication_columns", Verdict::kSkip,
                "Postgres 14 has no column lists: whole rows are sent");
    return;
  }
  if (shape.columns.empty()) {
    context.add("publication_columns", Verdict::kWarn, "no column list: payloads are sent too",
                set_table(context.config));
    return;
  }
  const auto watched = watched_columns(context.config.profile);
  const auto without = [](const std::vector<std::string>& from, const std::vector<std::string>& what) {
    std::vector<std::string> rest;
    std::copy_if(from.begin(), from.end(), std::back_inserter(rest), [&](const std::string& name) {
      return std::find(what.begin(), what.end(), name) == what.end();
    });
    return rest;
  };
  const auto missing = without(watched, shape.columns);
  const auto extra = without(shape.columns, watched);
  if (!missing.empty()) {
    context.add("publication_columns", Verdict::kFail,
                "the column list lacks " + quoted_list(missing, quote_identifier), set_table(context.config));
  } else if (!extra.empty()) {
    context.add(
        "publication_columns", Verdict::kWarn,
        "the column list holds more than is needed, and none of it can be dropped or change its type: " +
            quoted_list(extra, quote_identifier),
        set_table(context.config));
  } else {
    context.add("publication_columns", Verdict::kPass,
                "just the watched ones; while they are listed they can't be dropped or change their type");
  }
}

void check_filter(CheckContext& context, const Shape& shape) {
  if (context.version < 150000) return;
  if (shape.filter.empty()) {
    context.add("publication_filter", Verdict::kPass, "none: rows of all types are sent");
    return;
  }
  const auto& profile = context.config.profile;
  const auto loss =
      context.take("publication_filter", filter_loss(context.sql, profile, *context.table, context.waiter));
  if (!loss) return;
  if (*loss) {
    context.add("publication_filter", Verdict::kFail, **loss,
                "ALTER PUBLICATION " + quote_identifier(context.config.slot.publication) + " SET TABLE " +
                    published_table(context.config) + row_filter(context.config) + ";");
    return;
  }
  context.add("publication_filter", Verdict::kPass,
              "lets all needed types through; while it is there, column " +
                  quote_identifier(profile.type_column) + " can't change its type");
}

}  // namespace

void check_publication(CheckContext& context) {
  const auto& config = context.config;
  if (!context.table) return;
  if (context.plugin == decoder::Plugin::kWal2json) {
    context.add("publication", Verdict::kSkip,
                "wal2json needs none; pgoutput with one sends far less (dupwatch setup)");
    return;
  }
  if (has_generated_column(context)) return;
  const auto answer = context.query("publication", shape_query(context.version),
                                    {config.slot.publication, std::to_string(context.table->oid)});
  if (!answer) return;
  if (row_count(*answer) == 0) {
    context.add("publication", Verdict::kFail, quote_identifier(config.slot.publication) + " does not exist",
                create_publication_statement(config, context.version >= 150000));
    return;
  }
  const auto shape = read_shape(*answer);
  check_membership(context, shape);
  if (!holds_table(context)) return;
  check_actions(context, shape);
  check_columns(context, shape);
  check_filter(context, shape);
}

}  // namespace dupwatch::postgres
