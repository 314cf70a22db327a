#include "daemon/postgres/findings_table.hpp"

#include <fmt/format.h>

#include <iterator>

#include "daemon/postgres/quoting.hpp"
#include "daemon/postgres/setup_blocks.hpp"

namespace dupwatch::postgres {
namespace {

std::string name_of(const core::FindingsConfig& config) {
  return qualified(config.table_schema, config.table_name);
}

/// As in JSON: a server that checks its encoding takes no byte that is not part of a character.
std::string valid_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7F;
    if (plain) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

std::string findings_row(const core::Finding& finding) {
  const auto flagged = core::to_iso8601(finding.flagged_at);
  return fmt::format("({}, {}, {}, {}, {}, {}, {}, {})", quote_literal(core::finding_id_text(finding.id)),
                     quote_literal(to_string(finding.rule)), quote_literal(to_string(finding.severity)),
                     quote_literal(to_string(finding.state)), quote_literal(valid_text(finding.run_id)),
                     quote_literal(flagged), quote_literal(flagged), quote_literal(core::to_json(finding)));
}

std::string findings_upsert(const core::FindingsConfig& config, std::span<const std::string> rows,
                            bool only_other) {
  // The session is read only, and a role may have synchronous_commit off: both are for this transaction
  // alone. Statements sent together are one transaction.
  auto sql = fmt::format(
      "SET TRANSACTION READ WRITE; SET LOCAL synchronous_commit = on; INSERT INTO {} AS known (finding_id, "
      "rule, "
      "severity, state, run_id, first_flagged_at, flagged_at, record) VALUES ",
      name_of(config));
  for (const auto& row : rows) {
    if (&row != &rows.front()) sql += ", ";
    sql += row;
  }
  return sql +
         " ON CONFLICT (finding_id) DO UPDATE SET severity = EXCLUDED.severity, state = EXCLUDED.state, "
         "flagged_at = EXCLUDED.flagged_at, record = EXCLUDED.record" +
         (only_other ? " WHERE (known.severity, known.state) <> (EXCLUDED.severity, EXCLUDED.state)" : "");
}

std::string findings_load_query(const core::FindingsConfig& config, std::size_t count) {
  return fmt::format(
      "SELECT record FROM (SELECT record, flagged_at FROM {} WHERE state <> 'gone' ORDER BY flagged_at DESC "
      "LIMIT {}) AS newest ORDER BY flagged_at",
      name_of(config), count);
}

std::string findings_table_sql(const core::FindingsConfig& config, const std::string& role) {
  const auto table = name_of(config);
  const auto schema = quote_identifier(config.table_schema);
  const auto who = quote_identifier(role);
  return fmt::format(
      "{3}"
      "CREATE TABLE IF NOT EXISTS {1} (\n"
      "  finding_id text PRIMARY KEY,\n"
      "  rule text NOT NULL,\n"
      "  severity text NOT NULL,\n"
      "  state text NOT NULL,\n"
      "  run_id text NOT NULL,\n"
      "  first_flagged_at timestamptz NOT NULL,\n"
      "  flagged_at timestamptz NOT NULL,\n"
      "  record json NOT NULL\n"
      ");\n"
      "GRANT USAGE ON SCHEMA {0} TO {2};\n"
      "GRANT SELECT, INSERT ON {1} TO {2};\n"
      "GRANT UPDATE (severity, state, flagged_at, record) ON {1} TO {2};\n",
      schema, table, who, schema_block(config.table_schema));
}

}  // namespace dupwatch::postgres
