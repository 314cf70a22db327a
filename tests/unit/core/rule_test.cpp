#include "daemon/core/rule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "tests/unit/core/run_judge.hpp"

namespace dupwatch::core::rule_test {
namespace {

using oracle::Event;
using Pair = std::pair<Rule, Shape>;

TEST(RuleInfo, IsThereForEveryRuleInTheOrderOfTheEnum) {
  std::set<std::string_view> sentences;
  for (std::size_t i = 0; i < kRules; ++i) {
    const auto rule = static_cast<Rule>(i);
    const auto& info = rule_info(rule);
    EXPECT_EQ(info.rule, rule) << to_string(rule);
    EXPECT_TRUE(sentences.insert(info.sentence).second) << info.sentence;
    EXPECT_FALSE(info.versions.empty()) << to_string(rule);
    EXPECT_FALSE(info.sentence.ends_with('.')) << info.sentence;
  }
}

TEST(RuleCases, EveryRuleHasOneAndNoPairTwo) {
  std::set<Pair> pairs;
  std::set<Rule> rules;
  for (const auto& entry : rule_cases()) {
    EXPECT_TRUE(pairs.insert({entry.rule, entry.shape}).second) << to_string(entry.rule);
    EXPECT_FALSE(reason_text(entry.rule, entry.shape).empty())
        << to_string(entry.rule) << ' ' << to_string(entry.shape);
    EXPECT_EQ(&rule_case(entry.rule, entry.shape), &entry);
    rules.insert(entry.rule);
  }
  EXPECT_EQ(rules.size(), kRules);
}

/// The pairs that a thousand random runs of a profile make.
std::set<Pair> pairs_of(const Profile& profile, const std::vector<std::string>& types) {
  std::set<Pair> out;
  Prng random(1);
  for (std::uint64_t run = 0; run < 1000; ++run) {
    RuleConfig config;
    if (run % 2 == 0) config.engine = Engine::kV5;
    const auto slots = run % 3 == 0 ? 0U : 40U;
    TokenCodec codec;
    RunLog log;
    const ReplayRules rules(profile, config, codec);
    std::vector<ReplayRules::Verdict> verdicts;
    for (std::uint64_t n = 0; n < 40; ++n) {
      const Event row{
          "r",
          random.below(40) < slots / 40 ? slot_id(n + 1) : ulid("wevt_", random.below(1000) * 40 + n),
          {random.below(2) == 0 ? std::nullopt : std::optional<std::string>("c"), "line"},
          types[random.below(types.size())]};
      auto fitting = row;
      fitting.identity.resize(profile.identity_columns.size());
      if (is_tracked(profile, fitting)) (void)add_event(log, codec, profile, fitting);
    }
    rules.judge_run(log, verdicts);
    for (const auto& verdict : verdicts) out.insert({verdict.rule, verdict.shape});
  }
  return out;
}

TEST(RuleCases, AreThePairsThatTheRulesMake) {
  std::vector<std::string> types;
  const auto devkit = workflow_devkit_profile();
  for (const auto& type : devkit.types) types.push_back(type.name);
  auto made = pairs_of(devkit, types);
  made.merge(pairs_of(orders_profile(), {"opened", "closed", "archived", "shipped"}));
  std::set<Pair> listed;
  for (const auto& entry : rule_cases()) {
    // kIndexed is of an act, never of a judgement; kTwoSeeds has its own tests, and so have a profile's
    // rules.
    const bool judged =
        entry.shape != Shape::kIndexed && entry.shape != Shape::kTwoSeeds && entry.rule != Rule::kProfileRule;
    if (!is_table_rule(entry.rule) && judged) listed.insert({entry.rule, entry.shape});
  }
  for (const auto& [rule, shape] : made) {
    EXPECT_TRUE(listed.contains({rule, shape}))
        << to_string(rule) << ", shape " << static_cast<int>(shape) << " has no case";
  }
  for (const auto& [rule, shape] : listed) {
    EXPECT_TRUE(made.contains({rule, shape}))
        << to_string(rule) << ", shape " << static_cast<int>(shape) << " never occurs";
  }
}

/// F fatal, C conflict, H harmless, U unknown, for each generation in turn.
std::string severities(Rule rule, Shape shape) {
  std::string out;
  for (const auto severity : rule_case(rule, shape).severity) {
    out += static_cast<char>(std::toupper(to_string(severity).front()));
  }
  return out;
}

TEST(RuleCases, HaveTheSeveritiesThatWereMeasuredOrRead) {
  EXPECT_EQ(severities(Rule::kSlotGap, Shape::kPlain), "UFFFU");
  EXPECT_EQ(severities(Rule::kIdScheme, Shape::kPlain), "UUFFU");
  EXPECT_EQ(severities(Rule::kIdScheme, Shape::kNoSlot), "HHFFU");
  EXPECT_EQ(severities(Rule::kIdScheme, Shape::kTwoSeeds), "FUUUU");
  EXPECT_EQ(severities(Rule::kDuplicateCreated, Shape::kNoClosing), "UFFHH")
      << "attr_set: skipped since beta.47";
  EXPECT_EQ(severities(Rule::kDuplicateCreated, Shape::kAfterClose), "FFHHH");
  EXPECT_EQ(severities(Rule::kDeliveryAfterDisposal, Shape::kPlain), "FFFFH");
  EXPECT_EQ(severities(Rule::kSecondTerminal, Shape::kOtherType), "FFCCC");
  EXPECT_EQ(severities(Rule::kDuplicateRunEvent, Shape::kReseeds), "UHHHH");
}

TEST(RuleCases, SpecVersionNineHasNothingFatalOfWhatIsInertThere) {
  for (const auto& entry : rule_cases()) {
    if (entry.rule == Rule::kDuplicate || entry.rule == Rule::kRunLost) continue;
    EXPECT_NE(severity_of(entry, Engine::kV5SingleOrchestrator), Severity::kFatal) << to_string(entry.rule);
  }
}

TEST(RuleCases, OfAnUnknownGenerationOnlyWhatAllAgreeOnIsSaid) {
  EXPECT_EQ(severity_of(rule_case(Rule::kDuplicateCreated, Shape::kBeforeClose), Engine::kUnknown),
            Severity::kHarmless);
  EXPECT_EQ(severity_of(rule_case(Rule::kDuplicateCreated, Shape::kAfterClose), Engine::kUnknown),
            Severity::kUnknown);
}

TEST(RuleCases, ShapesHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kShapes; ++i) names.insert(to_string(static_cast<Shape>(i)));
  EXPECT_EQ(names.size(), kShapes);
  EXPECT_FALSE(names.contains("?"));
}

TEST(RuleCases, RowsOfThreeRulesMayBeTakenOutWithoutBeingAsked) {
  std::set<Rule> rules;
  for (std::size_t i = 0; i < kRules; ++i) {
    if (removable_rules().at(i)) rules.insert(static_cast<Rule>(i));
  }
  EXPECT_EQ(rules,
            (std::set<Rule>{Rule::kDuplicateCreated, Rule::kSecondTerminal, Rule::kLifecycleAfterClose}));
}

TEST(RuleCases, OnlyTheTableRulesAreDecidedByTables) {
  for (std::size_t i = 0; i < kRules; ++i) {
    const auto rule = static_cast<Rule>(i);
    EXPECT_EQ(is_table_rule(rule),
              rule == Rule::kSlotGap || rule == Rule::kStuckStep || rule == Rule::kOrphan);
  }
}

TEST(RuleSettings, ASeverityTakesThePlaceOfTheTablesInEveryCase) {
  const auto profile = workflow_devkit_profile();
  RuleConfig config;
  config.rules[static_cast<std::size_t>(Rule::kDuplicateCreated)].severity = Severity::kHarmless;
  const TokenCodec codec;
  const ReplayRules rules(profile, config, codec);
  for (const auto& entry : rule_cases()) {
    for (std::size_t i = 0; i < kEngines; ++i) {
      const auto wanted = entry.rule == Rule::kDuplicateCreated ? Severity::kHarmless
                                                                : severity_of(entry, static_cast<Engine>(i));
      EXPECT_EQ(rules.severity(entry.rule, entry.shape, static_cast<Engine>(i)), wanted)
          << to_string(entry.rule);
    }
  }
}

Event row(std::uint64_t n, const std::string& type, std::optional<std::string> correlation = "c") {
  return {"r", ulid("wevt_", n), {std::move(correlation)}, type};
}

TEST(RuleSettings, ARuleThatIsSwitchedOffSaysNothingAndCausesNothing) {
  RuleConfig config;
  config.rules[static_cast<std::size_t>(Rule::kLifecycleAfterClose)].enabled = false;
  RunJudge judge(workflow_devkit_profile(), config);
  (void)judge.arrive(row(1, "step_created"));
  (void)judge.arrive(row(2, "step_completed"));
  (void)judge.arrive(row(3, "step_started"));
  EXPECT_TRUE(judge.arrive(row(90, "run_failed", std::nullopt)).empty())
      << "the only fatal finding is not one";
  EXPECT_TRUE(judge.last().states().empty());
}

TEST(RuleSettings, ASeverityOfTheUsersDecidesWhetherTheRunWasLost) {
  for (const auto severity : {Severity::kFatal, Severity::kUnknown}) {
    RuleConfig config;
    config.rules[static_cast<std::size_t>(Rule::kDuplicateRunEvent)].severity = severity;
    RunJudge judge(workflow_devkit_profile(), config);
    (void)judge.arrive(row(1, "run_created", std::nullopt));
    (void)judge.arrive(row(2, "run_created", std::nullopt));
    (void)judge.arrive(row(3, "run_failed", std::nullopt));
    const auto& states = judge.last().states();
    EXPECT_EQ(states.contains(oracle::Key{"r", "run_lost", ""}), severity == Severity::kFatal);
  }
}

TEST(EngineOf, FollowsTheConfigurationThenTheRunsIdsThenTheSchema) {
  const auto engine_of = [](std::optional<Engine> configured, const std::string& id) {
    RuleConfig config;
    config.engine = configured;
    RunJudge judge(workflow_devkit_profile(), config, Engine::kV5BeforeClassSkip);
    (void)judge.arrive(Event{"r", id, {std::nullopt}, "run_created"});
    const auto findings = judge.arrive(Event{"r", id + "Z", {std::nullopt}, "run_created"});
    EXPECT_FALSE(findings.empty());
    return findings.empty() ? Engine::kV4 : findings[0].engine;
  };
  EXPECT_EQ(engine_of(std::nullopt, ulid("wevt_", 1)), Engine::kV5BeforeClassSkip);
  EXPECT_EQ(engine_of(std::nullopt, slot_id(1)), Engine::kV5);
  EXPECT_EQ(engine_of(Engine::kV4, slot_id(1)), Engine::kV4);
  EXPECT_EQ(engine_of(Engine::kV5, ulid("wevt_", 1)), Engine::kV5);
}

TEST(EngineOf, IsTheRunsOwnInALogOfSeveral) {
  const auto profile = workflow_devkit_profile();
  RuleConfig config;
  TokenCodec codec;
  ReplayRules rules(profile, config, codec);
  rules.set_auto_engines({.ulids = Engine::kV5, .slots = Engine::kV5, .by_run = SpecSource::kEvents});
  const auto found = [&](std::optional<Engine> own, bool slots) {
    RunLog log;
    std::uint64_t n = 0;
    for (const char* type : {"step_created", "step_completed", "step_started"}) {
      const auto id = slots ? slot_id(++n) : ulid("wevt_", ++n);
      const auto added = add_event(log, codec, profile, Event{"r", id, {"step_a"}, type});
      log.shown(added.row, own, codec);
    }
    std::vector<ReplayRules::Verdict> verdicts;
    rules.judge_run(log, verdicts);
    std::map<Rule, std::string> out;
    for (const auto& verdict : verdicts) {
      const auto finding = rules.describe(log, verdict, "r", Origin::kStream);
      out[finding.rule] = std::string(to_string(finding.severity)) + " " +
                          std::string(to_string(finding.engine)) + " " +
                          std::string(to_string(finding.engine_from));
    }
    return out;
  };
  using Found = std::map<Rule, std::string>;
  constexpr auto kLate = Rule::kLifecycleAfterClose;
  EXPECT_EQ(found(Engine::kV4, false), (Found{{kLate, "fatal v4 run"}}));
  EXPECT_EQ(found(Engine::kV5SingleOrchestrator, true),
            (Found{{kLate, "harmless v5-single-orchestrator run"}}));
  EXPECT_EQ(found(Engine::kV5, true), (Found{{kLate, "fatal v5 run"}}));
  EXPECT_EQ(found(Engine::kUnknown, true), (Found{{kLate, "unknown unknown run"}}));
  // ULIDs do not make a run of 5.x one of 4.x: those engines refuse it.
  EXPECT_EQ(found(Engine::kV5, false), (Found{{kLate, "fatal v5 run"}, {Rule::kIdScheme, "fatal v5 run"}}));
  EXPECT_EQ(found(Engine::kV5BeforeClassSkip, false), (Found{{kLate, "fatal v5-before-class-skip run"}}));
  EXPECT_EQ(found(std::nullopt, false), (Found{{kLate, "fatal v5 log"}, {Rule::kIdScheme, "fatal v5 log"}}));
  config.engine = Engine::kV4;
  EXPECT_EQ(found(Engine::kV5, false), (Found{{kLate, "fatal v4 configuration"}}));
}

}  // namespace
}  // namespace dupwatch::core::rule_test
