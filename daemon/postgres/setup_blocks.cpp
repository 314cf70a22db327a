#include "daemon/postgres/setup_blocks.hpp"

#include <fmt/format.h>

#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {

std::string do_block(const std::string& body, const std::string& variables) {
  std::string tag = "dupwatch";
  while (body.find('$' + tag + '$') != std::string::npos) tag += '_';
  return fmt::format("DO ${0}$\n{2}BEGIN\n{1}END\n${0}$;\n", tag, body,
                     variables.empty() ? "" : "DECLARE\n" + variables);
}

std::string table_condition(std::string_view schema, std::string_view table) {
  return fmt::format(
      "EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " WHERE n.nspname = {} AND c.relname = {})",
      quote_literal(schema), quote_literal(table));
}

std::string schema_block(const std::string& schema) {
  // CREATE SCHEMA IF NOT EXISTS asks for the right to create one even where there is none to create.
  return do_block(
      fmt::format("  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {0}) THEN\n"
                  "    CREATE SCHEMA {1};\n    COMMENT ON SCHEMA {1} IS {2};\n  END IF;\n",
                  quote_literal(schema), quote_identifier(schema), quote_literal(kSetupMark)));
}

}  // namespace dupwatch::postgres
