#include "daemon/table/table_row.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dupwatch::table::table_row_test {
namespace {

using Columns = std::vector<std::optional<std::string_view>>;

/// Run, id, type, the identity, xmin, commit time, spec version.
const Columns kColumns = {"wrun_a", "wevt_1", "step_created", "step_1", "4711", "1795497698000000", "8"};

core::RunLog log_of(const Columns& columns, const core::Profile& profile = core::workflow_devkit_profile()) {
  core::RunLog log;
  core::TokenCodec codec;
  TableRow(profile, columns).add_to(log, profile, codec);
  return log;
}

TEST(TableRow, HasItsColumnsInTheOrderOfTheSelect) {
  const auto profile = core::workflow_devkit_profile();
  const TableRow row(profile, kColumns);
  EXPECT_EQ(row.run_id(), "wrun_a");
  EXPECT_EQ(row.id(), "wevt_1");
  EXPECT_EQ(row.type(), "step_created");
  ASSERT_EQ(row.identity().size(), 1U);
  EXPECT_EQ(row.identity().front().text, "step_1");
  EXPECT_EQ(row.commit().xid, 4711U);
  EXPECT_EQ(row.commit().time.micros, 1'795'497'698'000'000);
  EXPECT_EQ(row.spec(), 8);
}

TEST(TableRow, KnowsNullFromEmptyInItsIdentityAlone) {
  const auto profile = core::workflow_devkit_profile();
  const TableRow null(
      profile, Columns{"wrun_a", "wevt_1", std::nullopt, std::nullopt, std::nullopt, "", std::nullopt});
  EXPECT_EQ(null.type(), "");
  EXPECT_EQ(null.spec(), 0);
  EXPECT_EQ(null.identity().front().kind, decoder::Value::Kind::kNull);
  EXPECT_EQ(null.commit().xid, 0U) << "the server does not tell it";
  EXPECT_EQ(null.commit().time.micros, 0);
  const TableRow empty(profile, Columns{"wrun_a", "wevt_1", "step_created", "", "1", "1", "x"});
  EXPECT_EQ(empty.identity().front().kind, decoder::Value::Kind::kText);
  EXPECT_EQ(empty.spec(), 0);
}

TEST(TableRow, TakesAsManyIdentityColumnsAsTheProfileHas) {
  auto profile = core::workflow_devkit_profile();
  profile.identity_columns = {"order_id", "line"};
  const TableRow row(profile, Columns{"t", "1", "opened", "o-1", "2", "4711", std::nullopt, std::nullopt});
  ASSERT_EQ(row.identity().size(), 2U);
  EXPECT_EQ(row.identity().back().text, "2");
  EXPECT_EQ(row.commit().xid, 4711U);
}

TEST(TableRow, GoesToTheLogOfItsRun) {
  EXPECT_EQ(log_of(kColumns).rows(), 1U);
  EXPECT_EQ(log_of(kColumns).own_engine(), core::Engine::kV5);
}

TEST(TableRow, IsLeftOutWhereNoRuleNeedsIt) {
  auto columns = kColumns;
  columns[2] = "a_type_of_a_later_version";
  EXPECT_EQ(log_of(columns).rows(), 0U);
  auto profile = core::workflow_devkit_profile();
  profile.unlisted_unique = true;
  EXPECT_EQ(log_of(columns, profile).rows(), 1U);
  columns = kColumns;
  columns[0] = std::nullopt;
  EXPECT_EQ(log_of(columns).rows(), 0U) << "of no run";
  columns = kColumns;
  columns[1] = std::nullopt;
  EXPECT_EQ(log_of(columns).rows(), 0U) << "without an id";
}

}  // namespace
}  // namespace dupwatch::table::table_row_test
