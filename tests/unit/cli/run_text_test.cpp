#include "daemon/cli/run_text.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "program.hpp"
#include "tests/unit/table/served_table.hpp"

/// What `dupwatch explain` says of runs of each kind, whole: golden/explain_NAME.txt.
namespace dupwatch::cli::run_text_test {
namespace {

using core::Engine;
using table::JudgedRun;
using table::served::id_of;
using table::served::late_copy;
using table::served::Log;

/// A run whose events came at intervals of 40 ms.
class Story {
 public:
  Story(Engine engine, const Log& log, bool slots = false)
      : run_(config(engine), "wrun_01KQ3V6T00M2N5P8R1S4V7X0AA", {}) {
    for (std::size_t i = 0; i < log.size(); ++i) {
      const auto& [type, entity] = log[i];
      const auto correlation = entity.empty() ? std::nullopt : std::optional(entity);
      run_.add({.id = id_of(i + 1, slots),
                .type = type,
                .correlation_id = correlation,
                .xid = 0,
                .time = {1'795'497'698'000'000 + static_cast<std::int64_t>(i) * 40'000},
                .identity = {correlation}});
    }
    run_.judge();
  }
  [[nodiscard]] JudgedRun& run() { return run_; }
  [[nodiscard]] std::string text(const RunTextStyle& style = {}) const {
    return run_text(run_, config_.profile, {.plan = table::repair_plan(run_, config_.profile)}, style);
  }

 private:
  const core::Config& config(Engine engine) {
    config_.rules.engine = engine;
    return config_;
  }
  core::Config config_;
  JudgedRun run_;
};

/// Compares with the file, or writes it when UPDATE_GOLDEN is set.
void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::string{DUPWATCH_CLI_GOLDEN_DIR} + "/explain_" + name + ".txt";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) put(path, text);
  EXPECT_EQ(text, content(path)) << "UPDATE_GOLDEN=1 writes " << path;
}

Log ended(Log log, const char* type) {
  log.emplace_back(type, "");
  return log;
}

const Log kTwoOutcomes = {{"run_created", ""},
                          {"run_started", ""},
                          {"step_created", "step_01KQ3V6T00M2N5P8R1S4V7X0BB"},
                          {"step_started", "step_01KQ3V6T00M2N5P8R1S4V7X0BB"},
                          {"step_completed", "step_01KQ3V6T00M2N5P8R1S4V7X0BB"},
                          {"step_failed", "step_01KQ3V6T00M2N5P8R1S4V7X0BB"}};

Log two_fatal_rows() {
  auto log = late_copy();
  log.emplace_back("step_completed", "step_b");
  log.emplace_back("step_created", "step_b");
  return log;
}

TEST(RunText, OfARunOfEachKindIsWhatItsGoldenFileSays) {
  const RunTextStyle style{.colours = false, .config_option = " --config 'my file.yaml'"};
  expect_golden("late_copy", Story(Engine::kV4, late_copy()).text(style));
  expect_golden("two_fatal_rows", Story(Engine::kV4, two_fatal_rows()).text(style));
  expect_golden("failed", Story(Engine::kV4, ended(late_copy(), "run_failed")).text(style));
  expect_golden("completed", Story(Engine::kV4, ended(late_copy(), "run_completed")).text(style));
  expect_golden("two_outcomes", Story(Engine::kV4, kTwoOutcomes).text(style));
  expect_golden("slots", Story(Engine::kV5, late_copy(), true).text(style));
  expect_golden("sound", Story(Engine::kV4, {{"run_created", ""}, {"run_started", ""}}).text(style));
}

TEST(RunText, ColoursMarkWhatIsWrongAndNothingElse) {
  const Story story(Engine::kV4, late_copy());
  const auto text = story.text({.colours = true});
  EXPECT_TRUE(says(
      text, {"\x1b[1;31mFAILS\x1b[0m", "\x1b[1;31m   6  ", "\x1b[1;31m✗ fatal\x1b[0m duplicate_created"}));
  EXPECT_EQ(text.find("\x1b[1;31m   5"), std::string::npos);
  EXPECT_EQ(story.text().find('\x1b'), std::string::npos);
}

TEST(RunText, WhatSomebodyAcknowledgedIsSaid) {
  Story story(Engine::kV4, late_copy());
  auto said = story.run().findings().front();
  said.acknowledgement = core::Acknowledgement{
      .by = "alice", .comment = "known", .at = {1'795'497'698'000'000}, .until = {1'795'497'698'000'000}};
  story.run().acknowledge(said);
  EXPECT_TRUE(says(story.text(), {"        acknowledged by alice until 2026-", ": known\n"}));
  EXPECT_EQ(story.run().findings().front().state, core::FindingState::kAcknowledged);
  said.id = 0;
  story.run().acknowledge(said);
}

TEST(RunText, LongTimesBetweenEventsAreInSecondsAndWhatIsNotKnownIsEmpty) {
  core::Config config;
  JudgedRun run(config, "wrun_a", {});
  const auto add = [&](const char* id, std::int64_t micros) {
    run.add({.id = id,
             .type = "run_created",
             .correlation_id = {},
             .xid = 0,
             .time = {micros},
             .identity = {std::nullopt}});
  };
  add("wevt_1", 1'000'000'000'000);
  add("wevt_2", 1'000'009'999'000);
  add("wevt_3", 1'000'030'000'000);
  add("wevt_4", 1'000'029'000'000);
  add("wevt_5", 0);
  run.judge();
  EXPECT_TRUE(says(run_text(run, config.profile, {.plan = {}}, {}),
                   {" +9999 ms ", " +20 s ", " -1000 ms ", "   5                           "}));
}

TEST(RunText, ControlCharactersOfTheLogDoNotReachTheTerminal) {
  core::Config config;
  JudgedRun run(config, "wrun_\x1b[2J", {});
  run.add({.id = "wevt_\x1b[2J",
           .type = "run\x1b[2J",
           .correlation_id = "\x1b]0;x\a",
           .xid = 0,
           .time = {},
           .identity = {"\x1b]0;x\a"}});
  run.judge();
  const auto text = run_text(run, config.profile, {.plan = {}}, {});
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_EQ(text.find('\a'), std::string::npos) << text;
}

TEST(OutcomeText, SaysWhatAnEngineDoes) {
  using core::Severity;
  EXPECT_EQ(table::outcome_text(std::nullopt, false), "nothing known against it");
  EXPECT_EQ(table::outcome_text(Severity::kHarmless, false), "nothing known against it");
  EXPECT_EQ(table::outcome_text(Severity::kFatal, false), "FAILS");
  EXPECT_EQ(table::outcome_text(Severity::kFatal, true), "is not replayed any more");
  EXPECT_EQ(table::outcome_text(Severity::kConflict, false), "goes on if the workflow takes the conflict");
  EXPECT_EQ(table::outcome_text(Severity::kUnknown, false), "can't be decided from the log alone");
}

}  // namespace
}  // namespace dupwatch::cli::run_text_test
