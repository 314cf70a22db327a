#include "daemon/postgres/setup.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "daemon/postgres/dsn.hpp"
#include "daemon/postgres/preflight.hpp"

namespace dupwatch::postgres::setup_test {
namespace {

core::Config devkit() {
  core::Config config;
  config.connection.dsn = "host=db.example dbname=app user=dupwatch password=s3cret";
  return config;
}

core::Config hostile() {
  core::Config config;
  config.connection.dsn = "user='we\"ird $dupwatch$' dbname=app";
  config.slot.publication = "pub\"$dupwatch$ it's";
  config.profile = core::Profile{};
  config.profile.name = "generic";
  config.profile.schema = "Sch\"ema";
  config.profile.table = "ta'ble\n-- DROP TABLE x";
  config.profile.run_column = "run";
  config.profile.id_column = "id";
  config.profile.identity_columns = {"a b"};
  config.profile.unlisted_unique = true;
  return config;
}

/// Compares with the file, or writes it when UPDATE_GOLDEN is set.
void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::string{DUPWATCH_POSTGRES_GOLDEN_DIR} + "/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream{path} << text;
  std::ostringstream expected;
  expected << std::ifstream{path}.rdbuf();
  EXPECT_EQ(text, expected.str()) << "UPDATE_GOLDEN=1 writes " << path << " anew";
}

TEST(SetupSql, IsWhatTheGoldenFilesSay) {
  expect_golden("setup_workflow_devkit.sql", setup_sql(devkit()));
  expect_golden("teardown_workflow_devkit.sql", teardown_sql(devkit()));
  expect_golden("setup_hostile_names.sql", setup_sql(hostile()));
  expect_golden("teardown_hostile_names.sql", teardown_sql(hostile()));
}

TEST(SetupSql, HoldsNoPassword) {
  EXPECT_EQ(setup_sql(devkit()).find("s3cret"), std::string::npos);
  EXPECT_EQ(teardown_sql(devkit()).find("s3cret"), std::string::npos);
}

TEST(SetupSql, NoNameEndsADollarQuote) {
  const auto sql = setup_sql(hostile());
  EXPECT_NE(sql.find("DO $dupwatch_$"), std::string::npos);
}

TEST(SetupSql, ANameNeverEndsAComment) {
  std::istringstream lines{setup_sql(hostile())};
  std::string title;
  std::getline(lines, title);
  EXPECT_NE(title.find("DROP TABLE"), std::string::npos) << title;
}

TEST(SetupSql, Wal2jsonNeedsNoPublication) {
  auto config = devkit();
  config.slot.plugin = core::PluginChoice::kWal2json;
  EXPECT_EQ(setup_sql(config).find("CREATE PUBLICATION"), std::string::npos);
}

TEST(RowFilter, HoldsTheTypesThatAreKept) {
  auto config = devkit();
  config.profile.types.push_back({.name = "of_no_interest"});
  const auto filter = row_filter(config);
  for (const auto& type : config.profile.types) {
    EXPECT_EQ(filter.find("'" + type.name + "'") != std::string::npos, type.name != "of_no_interest")
        << type.name;
  }
  EXPECT_EQ(row_filter(hostile()), "");
}

TEST(DsnRole, FallsBackWhereTheDsnHasNone) {
  core::Config config;
  EXPECT_EQ(dsn_role(config), "dupwatch");
  config.connection.dsn = "host=h broken";
  EXPECT_EQ(dsn_role(config), "dupwatch");
  config.connection.dsn = "postgres://me@h/db";
  EXPECT_EQ(dsn_role(config), "me");
}

}  // namespace
}  // namespace dupwatch::postgres::setup_test
