#include "daemon/table/repair_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dupwatch::table::repair_plan_test {
namespace {

using core::Engine;
using Log = std::vector<std::pair<std::string, std::string>>;

core::Config config_of(Engine engine) {
  core::Config config;
  config.profile = core::workflow_devkit_profile();
  config.rules.engine = engine;
  return config;
}

std::string id_of(std::size_t number, bool slots) {
  return (slots ? "evnt_000000000000000000000000" : "wevt_01KQ3V6T00M2N5P8R1S4V7X0") +
         std::string(number < 10 ? "0" : "") + std::to_string(number);
}

/// One run: types with entities, "" = none, in the order of their ids.
class Story {
 public:
  Story(Engine engine, const Log& log, bool slots = false)
      : config_(config_of(engine)), run_(config_, "wrun_a", {}) {
    for (std::size_t i = 0; i < log.size(); ++i) {
      const auto& [type, entity] = log[i];
      const auto correlation = entity.empty() ? std::nullopt : std::optional(entity);
      run_.add({.id = id_of(i + 1, slots),
                .type = type,
                .correlation_id = correlation,
                .xid = 0,
                .time = {},
                .identity = {correlation}});
    }
    run_.judge();
  }
  [[nodiscard]] const JudgedRun& run() const { return run_; }
  [[nodiscard]] RepairPlan plan() const { return repair_plan(run_, config_.profile); }
  /// Numbers of the rows that the plan takes out.
  [[nodiscard]] std::vector<std::size_t> moved() const {
    std::vector<std::size_t> out;
    for (const auto& statement : plan().sql) {
      if (!statement.text.starts_with("DELETE")) continue;
      for (std::size_t i = 1; i <= run_.events().size(); ++i) {
        if (statement.text.find(id_of(i, false)) != std::string::npos) out.push_back(i);
      }
    }
    return out;
  }

 private:
  core::Config config_;
  JudgedRun run_;
};

bool says(const RepairPlan& plan, std::string_view part) {
  return std::ranges::any_of(
      plan.sentences, [&](const std::string& sentence) { return sentence.find(part) != std::string::npos; });
}

const Log kLateCopy = {{"run_created", ""},        {"run_started", ""},          {"step_created", "step_a"},
                       {"step_started", "step_a"}, {"step_completed", "step_a"}, {"step_created", "step_a"},
                       {"step_created", "step_b"}};

TEST(RepairPlan, TakesTheRowAtFaultOutAndSaysWhatItsHealingRestsOn) {
  const Story story(Engine::kV4, kLateCopy);
  EXPECT_TRUE(story.run().fails());
  EXPECT_EQ(story.moved(), std::vector<std::size_t>{6});
  EXPECT_TRUE(says(story.plan(), "Judged again without it, the log has nothing fatal left"));
  EXPECT_TRUE(says(story.plan(), "cores 4.2.4 and 4.8.9"));
}

TEST(RepairPlan, OfTwoEqualOutcomesTheOneBeforeTheStepsOwnRowsGoes) {
  const Story story(Engine::kV4, {{"run_created", ""},
                                  {"run_started", ""},
                                  {"step_completed", "step_a"},
                                  {"step_created", "step_a"},
                                  {"step_started", "step_a"},
                                  {"step_completed", "step_a"},
                                  {"step_created", "step_b"}});
  EXPECT_TRUE(story.run().fails());
  EXPECT_EQ(story.moved(), std::vector<std::size_t>{3});
}

TEST(RepairPlan, HasNoSqlWhereAnotherRowKillsTheRunAllTheSame) {
  auto log = kLateCopy;
  log.emplace_back("hook_created", "hook_c");
  log.emplace_back("hook_disposed", "hook_c");
  log.emplace_back("hook_received", "hook_c");
  const Story story(Engine::kV4, log);
  EXPECT_TRUE(story.plan().sql.empty());
  EXPECT_TRUE(says(story.plan(), "No rows are known whose removal leaves nothing fatal"));
}

TEST(RepairPlan, AFailedRunIsJudgedWithoutItsFailure) {
  auto log = kLateCopy;
  log.emplace_back("run_failed", "");
  EXPECT_EQ(Story(Engine::kV4, log).moved(), (std::vector<std::size_t>{6, 8}));
}

const Log kLateStart = {{"run_created", ""},          {"run_started", ""},        {"step_created", "step_a"},
                        {"step_completed", "step_a"}, {"step_started", "step_a"}, {"step_created", "step_b"}};

TEST(RepairPlan, ASlotNumberedRunIsOfferedANoopWhereItsEngineReadsOne) {
  for (const auto engine : {Engine::kV5BeforeClassSkip, Engine::kV5BeforeAttributeSkip, Engine::kV5}) {
    const Story story(engine, kLateStart, true);
    EXPECT_TRUE(story.run().fails());
    EXPECT_TRUE(story.plan().sql.empty());
    EXPECT_EQ(says(story.plan(), "--neutralise noop"), engine == Engine::kV5) << to_string(engine);
  }
}

TEST(JudgedRun, ANoopKeepsItsSlotAndARemovedRowDoesNot) {
  const Story story(Engine::kV5, kLateStart, true);
  const JudgedRun::RowIds rows = {id_of(5, true)};
  EXPECT_FALSE(JudgedRun(story.run(), rows, JudgedRun::Rewrite::kNoop).fails());
  const JudgedRun removed(story.run(), rows, JudgedRun::Rewrite::kRemoved);
  ASSERT_TRUE(removed.fails());
  EXPECT_EQ(removed.findings().front().rule, core::Rule::kSlotGap);
}

TEST(JudgedRun, ARowThatIsRewrittenLeavesTheRunItself) {
  const Story story(Engine::kV4, kLateCopy);
  const JudgedRun same(story.run(), {}, JudgedRun::Rewrite::kRemoved);
  ASSERT_EQ(same.findings().size(), story.run().findings().size());
  EXPECT_EQ(same.findings().front().id, story.run().findings().front().id);
  EXPECT_EQ(same.events().size(), kLateCopy.size());
}

}  // namespace
}  // namespace dupwatch::table::repair_plan_test
