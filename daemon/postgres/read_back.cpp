#include <fmt/format.h>

#include <algorithm>

#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {

std::vector<std::string> watched_columns(const core::Profile& profile) {
  std::vector<std::string> columns{profile.run_column, profile.id_column};
  if (!profile.type_column.empty()) columns.push_back(profile.type_column);
  for (const auto& column : profile.identity_columns) {
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  }
  columns.insert(columns.end(), profile.scope_columns.begin(), profile.scope_columns.end());
  return columns;
}

std::vector<std::string> tracked_types(const core::Profile& profile) {
  return profile.tracked_types();
}

std::string spec_of_run(const core::Profile& profile, core::SpecSource source, const std::string& run) {
  const auto column = [](char alias, const std::string& name) {
    return fmt::format("{}.{}", alias, quote_identifier(name));
  };
  switch (source) {
    case core::SpecSource::kNone:
      break;
    case core::SpecSource::kEvents: {
      const auto spec = column('s', profile.runs->spec_column);
      return fmt::format(
          "(SELECT {0} FROM {1} s WHERE {2} = {3} AND {0} IS NOT NULL ORDER BY {4}::text"
          " COLLATE \"C\" LIMIT 1)",
          spec, qualified(profile.schema, profile.table), column('s', profile.run_column), run,
          column('s', profile.id_column));
    }
    case core::SpecSource::kRuns:
      return fmt::format("(SELECT {} FROM {} w WHERE {} = {})", column('w', profile.runs->spec_column),
                         qualified(profile.runs->schema, profile.runs->name),
                         column('w', profile.runs->id_column), run);
  }
  return "NULL";
}

std::string spec_of_row(const core::Profile& profile, core::SpecSource source) {
  const auto column = [](const std::string& name) { return "e." + quote_identifier(name); };
  if (source == core::SpecSource::kEvents) return column(profile.runs->spec_column);
  if (source == core::SpecSource::kNone) return "NULL";
  return fmt::format("CASE WHEN {} IS NULL THEN {} END", column(profile.identity_columns.front()),
                     spec_of_run(profile, source, column(profile.run_column)));
}

std::string event_select(const core::Profile& profile, const RowExtras& extras) {
  const auto column = [](const std::string& name) { return "e." + quote_identifier(name); };
  // No casts: the text protocol then gives what the type's output function gives, which is what the stream
  // sends.
  std::string text = "SELECT " + RunKey(profile).text("e") + ", " + column(profile.id_column) + ", " +
                     (profile.type_column.empty() ? std::string{"''"} : column(profile.type_column));
  for (const auto& name : profile.identity_columns) text += ", " + column(name);
  text += extras.xmin ? ", e.xmin" : ", NULL";
  // Transaction ids below 3 are marks of bootstrapped rows; the server raises an error for them.
  text += extras.xmin && extras.commit_time
              ? ", CASE WHEN e.xmin::text::bigint >= 3 THEN"
                " (extract(epoch FROM pg_xact_commit_timestamp(e.xmin)) * 1000000)::bigint END"
              : ", NULL";
  text += ", " + spec_of_row(profile, extras.specs);
  return text + " FROM " + qualified(profile.schema, profile.table) + " AS e";
}

std::string for_runs(std::span<const std::string> runs, std::string_view copy) {
  // Until the end of the transaction: nothing of it stays with a session that a pooler lends to others.
  return fmt::format("SELECT pg_catalog.set_config('{}', {}, true) IS NULL; {}", kRunsSetting,
                     quote_literal(array_literal(runs)), copy);
}

std::string without_statement_timeout(std::string_view statements) {
  // The server looks at the setting when each statement of a message begins.
  return fmt::format("SELECT pg_catalog.set_config('statement_timeout', '0', true) IS NULL; {}", statements);
}

std::string read_back_copy(const core::Profile& profile, const RowExtras& extras, const KeyTypes& types) {
  const RunKey key(profile, types);
  auto query =
      fmt::format("COPY ({} WHERE {}", event_select(profile, extras), key.is_one_of("e", key.named_runs()));
  if (!profile.any_type()) {
    query += fmt::format(" AND e.{}::text = ANY ({}::text[])", quote_identifier(profile.type_column),
                         quote_literal(array_literal(tracked_types(profile))));
  }
  return query + ") TO STDOUT";
}

std::string array_literal(std::span<const std::string> items) {
  std::string literal = "{";
  for (const auto& item : items) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (const char c : item) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }
  literal += '}';
  return literal;
}

}  // namespace dupwatch::postgres
