#include "daemon/cli/rehearsal.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/cli/run_text.hpp"

namespace dupwatch::cli::rehearsal_test {
namespace {

using Outcome = Rehearsal::Outcome;

core::Config config() {
  core::Config out;
  out.profile = core::workflow_devkit_profile();
  out.rules.engine = core::Engine::kV4;
  return out;
}

std::string id_of(std::size_t number) {
  return "wevt_01KQ3V6T00M2N5P8R1S4V7X0" + std::string(number < 10 ? "0" : "") + std::to_string(number);
}

class RehearsalTest : public testing::Test {
 protected:
  RehearsalTest() { story({"step_created", "step_started", "step_completed", "step_created"}); }
  void story(const std::vector<std::string>& types) {
    run_.emplace(config_, "wrun_a", core::LogTraits{});
    std::size_t number = 0;
    for (const auto& type : types) {
      run_->add({.id = id_of(++number),
                 .type = type,
                 .correlation_id = "step_a",
                 .xid = 0,
                 .time = {},
                 .identity = {"step_a"}});
    }
    run_->judge();
    plan_ = table::repair_plan(*run_, config_.profile);
  }
  [[nodiscard]] Rehearsal rehearsed(const std::string& command) const {
    return rehearse(*run_, plan_, command);
  }
  [[nodiscard]] std::string text(const Rehearsal& rehearsal) const {
    return run_text(*run_, config_.profile, {.plan = plan_, .rehearsal = rehearsal}, {});
  }
  [[nodiscard]] std::string json(const Rehearsal& rehearsal) const {
    return run_json(*run_, {.plan = plan_, .rehearsal = rehearsal});
  }

  core::Config config_ = config();
  std::optional<table::JudgedRun> run_;
  table::RepairPlan plan_;
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(RehearsalTest, TheRulesJudgeTheLogWithoutTheRowsOfThePlan) {
  const auto done = rehearsed("");
  EXPECT_EQ(done.rows, table::JudgedRun::RowIds{id_of(4)});
  EXPECT_EQ(done.rules, Outcome::kLives);
  EXPECT_FALSE(done.engine);
  EXPECT_TRUE(done.lives());
  EXPECT_TRUE(holds(text(done), "Rehearsal without one row (" + id_of(4) + "):\n  rules   the run lives\n"));
  EXPECT_TRUE(holds(text(done), "How to fix it"));
}

TEST_F(RehearsalTest, RowsThatDoNotHealAreSaidSo) {
  auto other = plan_;
  other.rows = {id_of(2)};
  const auto done = rehearse(*run_, other, "");
  EXPECT_EQ(done.rules, Outcome::kRejected);
  EXPECT_FALSE(done.lives());
  EXPECT_FALSE(holds(text(done), "How to fix it"));
  EXPECT_TRUE(holds(text(done), "No fix is offered"));
}

TEST_F(RehearsalTest, TheEngineIsToldTheRunAndTheRowsAndHasTheLastWord) {
  const auto lives = rehearsed("echo first; echo asked");
  EXPECT_EQ(lives.engine, Outcome::kLives);
  EXPECT_EQ(lives.engine_says, "asked --run wrun_a --without " + id_of(4));
  EXPECT_TRUE(holds(text(lives), "  engine  the run lives: asked --run"));

  const auto rejected = rehearsed("sh -c 'echo it diverges; exit 1' x");
  EXPECT_EQ(rejected.engine, Outcome::kRejected);
  EXPECT_FALSE(rejected.lives());
  EXPECT_TRUE(holds(text(rejected), "  engine  the log is rejected: it diverges\nNo fix is offered"));
  EXPECT_FALSE(holds(text(rejected), "DELETE"));
  EXPECT_FALSE(holds(text(rejected), "quarantine apply"));
  EXPECT_TRUE(
      holds(json(rejected), R"("repair":{"sentences":[],"sql":[]},"rehearsal":{"rows":[")" + id_of(4) +
                                R"("],"rules":"lives","engine":"rejected","engine_says":"it diverges"})"));
}

TEST_F(RehearsalTest, AnEngineThatCannotTellOffersNothing) {
  const auto silent = rehearsed("sh -c 'exit 2' x");
  EXPECT_EQ(silent.engine, Outcome::kUnknown);
  EXPECT_EQ(silent.engine_says, "exit status 2");
  EXPECT_FALSE(silent.lives());
  EXPECT_EQ(rehearsed("/no/such/program").engine, Outcome::kUnknown);
  EXPECT_EQ(rehearsed("sh -c 'kill -9 $$' x").engine_says, "exit status 137");
}

TEST_F(RehearsalTest, WithoutAPlanNobodyIsAsked) {
  story({"step_created", "step_started"});
  const auto done = rehearsed("echo never");
  EXPECT_TRUE(done.rows.empty());
  EXPECT_FALSE(done.engine);
  EXPECT_EQ(rehearsal_text(done), "\nRehearsal: there is no plan to rehearse.\n");
}

}  // namespace
}  // namespace dupwatch::cli::rehearsal_test
