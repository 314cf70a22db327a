#include "daemon/config/builtin_profiles.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <string>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config::builtin_profiles_test {
namespace {

core::Profile loaded(const std::string& text) {
  auto result = parse_config(text, "f.yaml", [](std::string_view) { return std::nullopt; });
  if (auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<core::Config>(std::move(result)).profile;
}

TEST(BuiltinProfiles, EachIsAConfigurationByItselfAndTheSameByItsName) {
  for (const auto& builtin : builtin_profiles()) {
    auto written = loaded(std::string(builtin.text));
    EXPECT_FALSE(written.rules.empty()) << builtin.name;
    written.name = builtin.name;
    EXPECT_EQ(loaded(fmt::format("profile: {}\n", builtin.name)), written) << builtin.name;
  }
}

TEST(BuiltinProfiles, ItsTableMayHaveAnotherNameAndNothingElse) {
  const auto profile = loaded("profile: message-db\ntable: {name: store.m}\n");
  EXPECT_EQ(profile.qualified_name(), "store.m");
  EXPECT_EQ(profile.run_column, "stream_name");
  const auto refused = parse_config("profile: message-db\ntable: {run_column: x, run_label: y}\n", "f.yaml",
                                    [](std::string_view) { return std::nullopt; });
  const auto* problems = std::get_if<std::vector<ConfigProblem>>(&refused);
  ASSERT_NE(problems, nullptr);
  ASSERT_EQ(problems->size(), 2U);
  EXPECT_EQ(problems->front().expected, "only table.name with profile message-db");
}

}  // namespace
}  // namespace dupwatch::config::builtin_profiles_test
