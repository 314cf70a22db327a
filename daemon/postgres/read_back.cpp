#include <fmt/format.h>

#include <algorithm>

#include "daemon/postgres/catalog.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

constexpr std::string_view kRunsSetting = "dupwatch.runs";

}  // namespace

std::vector<std::string> watched_columns(const core::Profile& profile) {
  std::vector<std::string> columns{profile.run_column, profile.id_column};
  if (!profile.type_column.empty()) columns.push_back(profile.type_column);
  for (const auto& column : profile.identity_columns) {
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  }
  return columns;
}

std::vector<std::string> tracked_types(const core::Profile& profile) {
  return profile.tracked_types();
}

std::string event_select(const core::Profile& profile, bool commit_time, bool xmin) {
  const auto column = [](const std::string& name) { return "e." + quote_identifier(name); };
  // No casts: the text protocol then gives what the type's output function gives, which is what the stream
  // sends.
  std::string text = "SELECT " + column(profile.run_column) + ", " + column(profile.id_column) + ", " +
                     (profile.type_column.empty() ? std::string{"''"} : column(profile.type_column));
  for (const auto& name : profile.identity_columns) text += ", " + column(name);
  text += xmin ? ", e.xmin" : ", NULL";
  // Transaction ids below 3 are marks of bootstrapped rows; the server raises an error for them.
  text += xmin && commit_time
              ? ", CASE WHEN e.xmin::text::bigint >= 3 THEN"
                " (extract(epoch FROM pg_xact_commit_timestamp(e.xmin)) * 1000000)::bigint END"
              : ", NULL";
  return text + " FROM " + qualified(profile.schema, profile.table) + " AS e";
}

std::string named_runs(std::string_view run_type) {
  // The character types compare as text, without the length that a cast to their own name would cut a value
  // to.
  const bool text_like = run_type.empty() || run_type == "text" || run_type == "character varying";
  const auto type = text_like ? std::string_view{"text"} : run_type;
  return fmt::format("((SELECT pg_catalog.current_setting('{}')::{}[])::{}[])", kRunsSetting, type, type);
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

std::string read_back_copy(const core::Profile& profile, bool commit_time, std::string_view run_type,
                           bool xmin) {
  auto query = fmt::format("COPY ({} WHERE e.{} = ANY {}", event_select(profile, commit_time, xmin),
                           quote_identifier(profile.run_column), named_runs(run_type));
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
