#include "daemon/cli/repair_script.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "tests/unit/process/scratch_folder.hpp"

namespace dupwatch::cli::repair_script_test {
namespace {

using table::RepairPlan;

const RepairPlan kPlan{.sentences = {"One row goes."},
                       .sql = {{.text = "BEGIN"},
                               {.text = "DELETE FROM events WHERE id = 'a'", .note = "look first", .rows = 1},
                               {.text = "COMMIT"}}};

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(RepairScript, StopsWhereAStatementTouchesOtherRowsThanItIsMeantFor) {
  const auto script = repair_script("wrun_a", kPlan, {});
  EXPECT_TRUE(holds(script, "\n\\set ON_ERROR_STOP on\nBEGIN;\n-- by hand: look first\nDO $plan$"));
  EXPECT_TRUE(
      holds(script, "  DELETE FROM events WHERE id = 'a';\n  GET DIAGNOSTICS touched = ROW_COUNT;\n"));
  EXPECT_TRUE(holds(script, "IF touched <> 1 THEN\n    RAISE EXCEPTION"));
  EXPECT_TRUE(script.ends_with("END $plan$;\nCOMMIT;\n"));
  EXPECT_TRUE(holds(script, "-- One row goes.\n"));
}

TEST(RepairScript, NoTextOfARunEndsItsComment) {
  RepairPlan plan = kPlan;
  plan.sentences = {"first\nDROP TABLE events;"};
  const auto script = repair_script("wrun_a\nDROP TABLE runs;", plan, {});
  EXPECT_FALSE(holds(script, "\nDROP"));
}

TEST(RepairScript, NoTextOfARowEndsItsQuote) {
  RepairPlan plan = kPlan;
  plan.sql[1].text = "DELETE FROM events WHERE id = '$plan$; DROP $xplan$'";
  for (const auto& text : {repair_script("wrun_a", plan, {}), repair_block(plan, "")}) {
    EXPECT_TRUE(holds(text, "DO $xxplan$\n"));
    EXPECT_TRUE(holds(text, "END $xxplan$;\n"));
  }
}

TEST(RepairBlock, IsOneStatementWithAMargin) {
  EXPECT_EQ(
      repair_block(kPlan, "> "),
      "> DO $plan$\n"
      "> DECLARE touched bigint;\n"
      "> BEGIN\n"
      ">   DELETE FROM events WHERE id = 'a';\n"
      ">   GET DIAGNOSTICS touched = ROW_COUNT;\n"
      ">   IF touched <> 1 THEN RAISE EXCEPTION 'nothing was changed: % rows, not 1', touched; END IF;\n"
      "> END $plan$;\n");
}

TEST(RepairBlock, AnyNumberOfRowsIsNotChecked) {
  const RepairPlan plan{.sentences = {}, .sql = {{.text = "LOCK TABLE events"}}};
  EXPECT_FALSE(holds(repair_block(plan, ""), "ROW_COUNT"));
  EXPECT_TRUE(repair_script("wrun_a", plan, {}).ends_with("ON_ERROR_STOP on\nLOCK TABLE events;\n"));
}

TEST(WriteNewFile, IsReadByItsOwnerAloneAndOverwritesNone) {
  const ScratchFolder folder;
  const auto path = folder / "plan.sql";
  EXPECT_EQ(write_new_file(path, "one"), 0);
  struct stat found {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  EXPECT_EQ(write_new_file(path, "two"), EEXIST);
  EXPECT_EQ(content(path), "one");
  EXPECT_EQ(write_new_file(folder / "none/plan.sql", "x"), ENOENT);
}

}  // namespace
}  // namespace dupwatch::cli::repair_script_test
