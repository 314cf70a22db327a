#include "daemon/postgres/copy_fields.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dupwatch::postgres::copy_fields_test {
namespace {

using Row = std::vector<std::optional<std::string>>;

Row split(std::string_view line) {
  CopyFields fields;
  fields.split(line);
  Row row;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    row.push_back(fields[i] ? std::optional(std::string(*fields[i])) : std::nullopt);
  }
  return row;
}

TEST(CopyFields, SplitsAtTabsAndLeavesTheNewlineOut) {
  EXPECT_EQ(split("wrun_1\twevt_1\tstep_created\n"), (Row{"wrun_1", "wevt_1", "step_created"}));
  EXPECT_EQ(split("a\t\tb"), (Row{"a", "", "b"}));
  EXPECT_EQ(split("\n"), (Row{""}));
}

TEST(CopyFields, TellsNullFromTextsThatLookLikeIt) {
  EXPECT_EQ(split("\\N\tN\t\\\\N\t\\N\n"), (Row{std::nullopt, "N", "\\N", std::nullopt}));
}

TEST(CopyFields, WritesEscapesOut) {
  EXPECT_EQ(split("a\\tb\t\\b\\f\\n\\r\\v\t\\\\n\tplain\n"), (Row{"a\tb", "\b\f\n\r\v", "\\n", "plain"}));
  EXPECT_EQ(split("\\x\t\\"), (Row{"x", "\\"}));
}

TEST(CopyFields, LeavesOutWhatIsTooMuch) {
  std::string line = "0";
  for (int i = 1; i < 20; ++i) line += "\t" + std::to_string(i);
  const auto row = split(line);
  ASSERT_EQ(row.size(), CopyFields::kMax);
  EXPECT_EQ(row.back(), std::to_string(CopyFields::kMax - 1));
}

TEST(CopyFields, IsUsedAgain) {
  CopyFields fields;
  fields.split("\\n\tb\tc\n");
  fields.split("x\\ty\n");
  ASSERT_EQ(fields.size(), 1U);
  EXPECT_EQ(*fields[0], "x\ty");
}

}  // namespace
}  // namespace dupwatch::postgres::copy_fields_test
