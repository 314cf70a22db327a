#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <set>
#include <string>

#include "daemon/cli/command.hpp"

namespace dupwatch::cli::commands_test {
namespace {

TEST(Commands, EachHasASummaryExitCodesAndAnExampleThatNamesIt) {
  std::set<std::string> names;
  for (const auto& row : commands()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    const std::string summary = row.summary;
    EXPECT_FALSE(summary.empty());
    EXPECT_NE(summary.back(), '.') << row.name;
    EXPECT_EQ(std::string(row.exit_codes).find("0 "), 0U) << row.name;
    EXPECT_NE(std::string(row.examples).find(std::string("dupwatch ") + row.name), std::string::npos)
        << row.name;
  }
  EXPECT_EQ(names.size(), 18U);
}

TEST(Commands, EachTakesItsOptions) {
  for (const auto& row : commands()) {
    CLI::App app{row.summary, row.name};
    const auto command = row.make();
    ASSERT_NE(command, nullptr) << row.name;
    command->add_options(app);
    for (const auto* option : app.get_options()) {
      EXPECT_FALSE(option->get_description().empty()) << row.name << " " << option->get_name();
    }
  }
}

}  // namespace
}  // namespace dupwatch::cli::commands_test
