#include "daemon/postgres/run_key.hpp"

#include <gtest/gtest.h>

namespace dupwatch::postgres::run_key_test {
namespace {

core::Profile log_of(std::vector<std::string> scope) {
  core::Profile profile;
  profile.run_column = "run";
  profile.scope_columns = std::move(scope);
  return profile;
}

TEST(RunKey, IsTheRunColumnWithoutScopeColumns) {
  const RunKey key(log_of({}), "character varying");
  EXPECT_EQ(key.text("e"), "e.\"run\"");
  EXPECT_EQ(key.compare("e", ">", "$1"), "e.\"run\" > $1::text");
  EXPECT_EQ(key.is_one_of("e", "$1"), "e.\"run\" = ANY ($1::text[])");
  EXPECT_EQ(key.named_runs(), "(SELECT pg_catalog.current_setting('dupwatch.runs')::text[])");
}

TEST(RunKey, ComparesEachColumnAsItIsInItsOwnType) {
  const RunKey key(log_of({"Tenant"}), {"bigint", {"uuid"}});
  EXPECT_EQ(key.columns("e"), "e.\"Tenant\", e.\"run\"");
  EXPECT_EQ(key.same("a", "b"), "a.\"Tenant\" = b.\"Tenant\" AND a.\"run\" = b.\"run\"");
  EXPECT_EQ(key.compare("e", "=", "$1"),
            "e.\"Tenant\" = replace(replace(split_part($1::text, '/', 1), '%2F', '/'), '%25', '%')::uuid AND "
            "e.\"run\" = substr($1::text, length(split_part($1::text, '/', 1)) + 2)::bigint");
  EXPECT_TRUE(key.compare("e", "<=", "$1").starts_with("(e.\"Tenant\", e.\"run\") <= (replace("))
      << key.compare("e", "<=", "$1");
  EXPECT_TRUE(key.is_one_of("e", "$1").starts_with("(e.\"Tenant\", e.\"run\") IN (SELECT "))
      << key.is_one_of("e", "$1");
  EXPECT_TRUE(
      key.text("e").starts_with("CASE WHEN e.\"Tenant\" IS NOT NULL AND e.\"run\" IS NOT NULL AND "
                                "concat(e.\"run\") <> '' THEN concat("))
      << key.text("e");
  // A key is a text whatever its parts are.
  EXPECT_EQ(key.named_runs(), "(SELECT pg_catalog.current_setting('dupwatch.runs')::text[])");
}

}  // namespace
}  // namespace dupwatch::postgres::run_key_test
