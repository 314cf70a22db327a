#include "daemon/cli/configuration.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>
#include <variant>
#include <vector>

#include "program.hpp"

namespace dupwatch::cli::configuration_test {
namespace {

/// DUPWATCH_CONFIG for the time of a test.
class Named {
 public:
  explicit Named(const std::string& file) { (void)setenv("DUPWATCH_CONFIG", file.c_str(), 1); }
  ~Named() { (void)unsetenv("DUPWATCH_CONFIG"); }
  Named(const Named&) = delete;
  Named& operator=(const Named&) = delete;
};

TEST(ConfigurationSource, TheOptionStandsAboveTheVariable) {
  const Named named("/of/the/variable.yaml");
  EXPECT_EQ(ConfigurationSource{}.chosen().file, "/of/the/variable.yaml");
  EXPECT_EQ(ConfigurationSource{}.chosen().why, "DUPWATCH_CONFIG");
  ConfigurationSource source;
  source.file = "x.yaml";
  EXPECT_EQ(source.chosen().file, "x.yaml");
  EXPECT_EQ(source.chosen().why, "--config");
}

TEST(ConfigurationSource, AnotherCommandIsToldOfItsFileUnlessItFindsItByItself) {
  ConfigurationSource source;
  EXPECT_EQ(source.option_for_others(), "");
  source.file = "it's mine.yaml";
  EXPECT_EQ(source.option_for_others(), " --config 'it'\\''s mine.yaml'");
  const Named named("it's mine.yaml");
  EXPECT_EQ(source.option_for_others(), "");
}

TEST(ConfigurationSource, OptionsStandAboveTheFile) {
  ScratchFolder folder;
  ConfigurationSource source;
  source.file = folder / "dupwatch.yaml";
  put(source.file, "slot:\n  name: of_the_file\nconnection:\n  dsn: host=of-the-file\n");
  source.overrides.dsn = "host=of-the-option";
  const auto loaded = source.load();
  const auto& config = std::get<core::Config>(loaded);
  EXPECT_EQ(config.connection.dsn, "host=of-the-option");
  EXPECT_EQ(config.slot.name, "of_the_file");
  const auto again = source.reload();
  EXPECT_EQ(std::get<core::Config>(again).connection.dsn, "host=of-the-option");
}

TEST(ConfigurationSource, EveryMistakeOfFileAndOptionsIsReported) {
  ScratchFolder folder;
  ConfigurationSource source;
  source.file = folder / "dupwatch.yaml";
  put(source.file, "slto: {}\nlog:\n  level: loud\n");
  source.overrides.slot = "No Slot";
  const auto loaded = source.load();
  const auto* problems = std::get_if<std::vector<config::ConfigProblem>>(&loaded);
  ASSERT_NE(problems, nullptr);
  EXPECT_EQ(problems->size(), 3U);
  testing::internal::CaptureStderr();
  EXPECT_FALSE(source.load_or_report());
  EXPECT_TRUE(says(testing::internal::GetCapturedStderr(),
                   {"slto", "log.level", "slot", "configuration: " + source.file + " (--config)\n"}));
}

}  // namespace
}  // namespace dupwatch::cli::configuration_test
