#include "daemon/core/index_migration.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace dupwatch::core::index_migration_test {
namespace {

struct Fixture : testing::Test {
  Profile profile = workflow_devkit_profile();
  std::vector<MigrationOutcome> outcomes;
  IndexMigration migration{profile, [this](const MigrationOutcome& one) { outcomes.push_back(one); }};
};
using IndexMigrationTest = Fixture;

TEST_F(IndexMigrationTest, KeepsTheLowestPlaceAndDeletesTheOthers) {
  migration.add("e3", "step_created", "s", {0, 1});
  migration.add("e1", "step_created", "s", {2, 1});
  migration.add("e2", "step_created", "s", {0, 9});
  migration.run_end("r");
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].run_id, "r");
  EXPECT_EQ(outcomes[0].kept_id, "e3");
  EXPECT_EQ(outcomes[0].canonical_id, "e1");
  EXPECT_EQ(outcomes[0].deleted_ids, (std::vector<std::string>{"e1", "e2"}));
  EXPECT_FALSE(outcomes[0].left_fatal);
  EXPECT_EQ(migration.totals().identities, 1U);
  EXPECT_EQ(migration.totals().deleted, 2U);
  EXPECT_EQ(migration.totals().other_kept, 1U);
  EXPECT_EQ(migration.totals().blocking, 1U);
}

TEST_F(IndexMigrationTest, AKeptRowBehindTheFirstClosingEventIsFatal) {
  for (const bool late : {false, true}) {
    migration.add(late ? "e9" : "e2", "step_created", "s", {0, 1});
    migration.add("e1", "step_created", "s", {0, 2});
    migration.add("e8", "step_completed", "s", {0, 3});
    migration.add("e5", "step_failed", "s", {0, 4});
    migration.run_end("r");
    ASSERT_FALSE(outcomes.empty());
    EXPECT_EQ(outcomes.back().left_fatal, late);
    EXPECT_EQ(outcomes.back().closing_id, "e5");
  }
  EXPECT_EQ(migration.totals().left_fatal, 1U);
}

TEST_F(IndexMigrationTest, NullsAreOneIdentityAndDoNotBlockTheIndex) {
  migration.add("e0", "step_completed", std::nullopt, {0, 0});
  migration.add("e1", "hook_created", std::nullopt, {0, 1});
  migration.add("e2", "hook_created", std::nullopt, {0, 2});
  migration.run_end("r");
  EXPECT_EQ(migration.totals().identities, 1U);
  EXPECT_EQ(migration.totals().blocking, 0U);
  EXPECT_EQ(outcomes.at(0).correlation_id, std::nullopt);
  EXPECT_EQ(outcomes.at(0).closing_id, std::nullopt);
}

TEST_F(IndexMigrationTest, AttributesAreCountedAndNoRunSharesThemWithAnother) {
  for (const auto* id : {"e1", "e2", "e3"}) migration.add(id, "attr_set", "a", {0, 1});
  migration.add("e4", "attr_set", std::nullopt, {0, 2});
  migration.add("e5", "attr_set", std::nullopt, {0, 3});
  migration.add("e6", "step_created", "s", {0, 4});
  migration.run_end("r");
  migration.add("e7", "step_created", "s", {0, 5});
  migration.run_end("q");
  EXPECT_EQ(migration.totals().attributes, 1U);
  EXPECT_EQ(migration.totals().identities, 0U);
  EXPECT_TRUE(outcomes.empty());
}

TEST_F(IndexMigrationTest, IsShownTheTypesOfTheIndexAndThoseThatClose) {
  const auto types = migration.types();
  for (const auto* type : {"step_created", "hook_created", "wait_created", "attr_set", "step_completed",
                           "step_failed", "wait_completed", "hook_disposed"}) {
    EXPECT_NE(std::ranges::find(types, type), types.end()) << type;
  }
  EXPECT_EQ(types.size(), 8U);
}

}  // namespace
}  // namespace dupwatch::core::index_migration_test
