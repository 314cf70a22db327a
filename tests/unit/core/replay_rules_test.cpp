#include "daemon/core/replay_rules.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "tests/unit/core/run_judge.hpp"

namespace dupwatch::core::replay_rules_test {
namespace {

using oracle::Event;

/// Which ids a run has: ULIDs, slot numbers, or all shapes among them texts that are neither.
enum class Ids : std::uint8_t { kUlids, kSlots, kAny };

rc::Gen<std::string> some_id(Ids ids) {
  const auto number = rc::gen::cast<std::uint64_t>(rc::gen::inRange(1, 60));
  const auto as_ulid = rc::gen::map(number, [](auto n) { return ulid("wevt_", n); });
  const auto as_slot = rc::gen::map(number, [](auto n) { return slot_id(n); });
  if (ids == Ids::kUlids) return as_ulid;
  if (ids == Ids::kSlots) return as_slot;
  return rc::gen::oneOf(as_ulid, as_slot, rc::gen::map(number, [](auto n) { return std::to_string(n); }),
                        rc::gen::map(number, [](auto n) { return "wevt_x" + std::to_string(n); }));
}

/// Rows of one run with distinct ids, in order of arrival.
std::vector<Event> some_rows(const Profile& profile, const std::vector<std::string>& unlisted) {
  std::vector<std::string> types = unlisted;
  std::set<std::string> of_the_run;
  for (const auto& type : profile.types) {
    types.push_back(type.name);
    if (type.duplicate_rule == Rule::kDuplicateRunEvent || type.ends_run) of_the_run.insert(type.name);
  }
  const auto shape = *rc::gen::element(Ids::kUlids, Ids::kSlots, Ids::kAny);
  const auto ids = *rc::gen::unique<std::vector<std::string>>(some_id(shape));
  std::vector<Event> rows;
  for (const auto& id : ids) {
    Event row{"r", id, {}, *rc::gen::elementOf(types)};
    for (std::size_t i = 0; i < profile.identity_columns.size(); ++i) {
      const auto n = of_the_run.contains(row.type) ? 0 : *rc::gen::inRange<std::uint64_t>(0, 4);
      row.identity.push_back(n == 0   ? std::nullopt
                             : n == 1 ? std::optional<std::string>("plain")
                                      : std::optional(ulid("step_", n)));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// A configuration, for the daemon and for the oracle.
struct Configured {
  RuleConfig config;
  Engine ulid_engine = Engine::kV4;
  oracle::Settings settings;
};

Configured some_configuration() {
  Configured out;
  out.config.engine = *rc::gen::element<std::optional<Engine>>(std::nullopt, Engine::kV4,
                                                               Engine::kV5BeforeClassSkip, Engine::kV5);
  out.ulid_engine = *rc::gen::element(Engine::kV4, Engine::kV5BeforeClassSkip);
  out.settings.engine = out.config.engine ? to_string(*out.config.engine) : "auto";
  out.settings.ulid_engine = to_string(out.ulid_engine);
  return out;
}

/// One rule in six is switched off or has a severity of the user's.
void change_rules(Configured& configured) {
  for (std::size_t i = 0; i < kRules; ++i) {
    const auto choice = *rc::gen::inRange<std::size_t>(0, 12);
    const auto name = std::string(to_string(static_cast<Rule>(i)));
    if (choice == 0) {
      configured.config.rules[i].enabled = false;
      configured.settings.off.insert(name);
    } else if (choice == 1) {
      const auto severity = static_cast<Severity>(*rc::gen::inRange<std::size_t>(0, kSeverities));
      configured.config.rules[i].severity = severity;
      configured.settings.severity[name] = to_string(severity);
    }
  }
}

void expect_the_oracles_findings(const Profile& profile, const oracle::Log& log, const Configured& configured,
                                 const std::vector<std::string>& unlisted) {
  const auto rows = some_rows(profile, unlisted);
  const auto expected = oracle::findings(rows, log, configured.settings);
  RC_CLASSIFY(!expected.empty(), "has findings");
  RunJudge streamed(profile, configured.config, configured.ulid_engine);
  RunJudge reversed(profile, configured.config, configured.ulid_engine);
  std::set<oracle::Key> told;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const auto& finding : streamed.arrive(rows[i])) {
      RC_ASSERT(told.insert(key_of(finding)).second == (finding.change == FindingChange::kNew));
    }
    // A redelivery, of this row or an earlier one, says nothing.
    const auto earlier = *rc::gen::inRange<std::size_t>(0, i + 1);
    RC_ASSERT(streamed.arrive(rows[earlier]).empty());
    // What has been told is right after every row, not only at the end.
    const std::vector<Event> so_far(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    const auto truth = oracle::findings(so_far, log, configured.settings);
    RC_ASSERT(streamed.current(truth, configured.settings) == truth);
  }
  RC_ASSERT(streamed.judge_run().empty());
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) (void)reversed.arrive(*row);
  RC_ASSERT(reversed.current(expected, configured.settings) == expected);
}

RC_GTEST_PROP(ReplayRules, StreamedRowsGiveTheOraclesFindings, ()) {
  expect_the_oracles_findings(workflow_devkit_profile(), oracle::workflow_devkit_log(), some_configuration(),
                              {});
}

RC_GTEST_PROP(ReplayRules, SwitchedOffAndOverriddenRulesGiveTheOraclesFindings, ()) {
  auto configured = some_configuration();
  change_rules(configured);
  expect_the_oracles_findings(workflow_devkit_profile(), oracle::workflow_devkit_log(), configured, {});
}

RC_GTEST_PROP(ReplayRules, SeveralIdentityColumnsAndUnlistedTypesGiveTheOraclesFindings, ()) {
  expect_the_oracles_findings(orders_profile(), orders_log(), some_configuration(),
                              {"shipped", "packed", ""});
}

RC_GTEST_PROP(ReplayRules, AWholeRunReadBackGivesTheSameFindings, ()) {
  const auto profile = workflow_devkit_profile();
  const auto configured = some_configuration();
  const auto rows = some_rows(profile, {});
  RunJudge judge(profile, configured.config, configured.ulid_engine);
  for (const auto& row : rows) judge.add(row);
  (void)judge.judge_run();
  RC_ASSERT(judge.last().states() ==
            oracle::findings(rows, oracle::workflow_devkit_log(), configured.settings));
  RC_ASSERT(judge.judge_run().empty());
}

RC_GTEST_PROP(ReplayRules, RowsInTheOrderOfTheirIdsSupersedeNothing, ()) {
  const auto profile = workflow_devkit_profile();
  const auto configured = some_configuration();
  auto rows = some_rows(profile, {});
  std::ranges::sort(rows, {}, &Event::id);
  RunJudge judge(profile, configured.config, configured.ulid_engine);
  for (const auto& row : rows) (void)judge.arrive(row);
  const auto truth = oracle::findings(rows, oracle::workflow_devkit_log(), configured.settings);
  RC_ASSERT(judge.last().states() == truth);
}

/// What is_quiet() has to know: types of one class that closes nothing, one of them repeatable, a type that
/// contradicts, and one that closes.
Profile classes_profile() {
  auto profile = orders_profile();
  profile.identity_columns = {"order_id"};
  profile.unlisted_unique = false;
  profile.types = {
      EventType{.name = "opened", .unique = true, .group = 1, .opens = true},
      EventType{.name = "paid", .unique = true, .event_class = 1, .group = 1},
      EventType{.name = "waived", .unique = true, .event_class = 1, .group = 1},
      EventType{.name = "billed", .event_class = 1, .group = 1},
      EventType{.name = "closed", .unique = true, .closes = true, .group = 1},
      EventType{.name = "refused", .group = 1, .after_close = Rule::kLifecycleAfterClose, .conflicts = true},
      EventType{.name = "noted", .group = 1, .after_close = Rule::kLifecycleAfterClose}};
  return profile;
}

/// Each row is added and the whole run judged before and after; how many rows were said to be quiet.
std::size_t expect_quiet_rows_change_nothing(const Profile& profile, std::uint64_t seed) {
  const auto as_tuples = [](const std::vector<ReplayRules::Verdict>& verdicts) {
    std::vector<std::tuple<Rule, Shape, std::uint32_t, std::uint32_t, std::uint32_t>> out;
    for (const auto& v : verdicts) out.emplace_back(v.rule, v.shape, v.duplicate, v.canonical, v.closing);
    return out;
  };
  Prng random(seed);
  const RuleConfig config;
  TokenCodec codec;
  RunLog log;
  const ReplayRules rules(profile, config, codec);
  std::size_t quiet = 0;
  std::vector<ReplayRules::Verdict> before;
  for (std::uint64_t row = 1; row <= 12; ++row) {
    const auto& type = profile.types[random.below(profile.types.size())];
    const auto& of_entity = log.entities() == 0 ? RunLog::Entity{} : log.entity(0);
    const auto known = log.entities() == 0 || of_entity.group != type.group ? RunLog::Entity{} : of_entity;
    const bool may_be_quiet = row > 1 && !type.ends_run && log.run_end() == RunLog::kNone;
    (void)add_event(log, codec, profile, Event{"r", ulid("wevt_", row), {ulid("step_", 1)}, type.name});
    std::vector<ReplayRules::Verdict> after;
    rules.judge_run(log, after);
    const auto index = static_cast<std::uint8_t>(&type - profile.types.data());
    if (may_be_quiet && log.entities() == 1 && rules.is_quiet(index, known.seen, known.repeated)) {
      ++quiet;
      EXPECT_EQ(as_tuples(after), as_tuples(before)) << type.name << " as row " << row << " of seed " << seed;
    }
    before = std::move(after);
  }
  return quiet;
}

TEST(ReplayRulesQuiet, ARowThatIsQuietChangesNoVerdictOfTheRun) {
  auto steps = workflow_devkit_profile();
  std::erase_if(steps.types, [](const EventType& type) { return type.group != 1; });
  auto hooks = workflow_devkit_profile();
  std::erase_if(hooks.types, [](const EventType& type) { return type.group != 3; });
  for (const auto& profile : {steps, hooks, classes_profile()}) {
    std::size_t quiet = 0;
    for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
      quiet += expect_quiet_rows_change_nothing(profile, seed);
    }
    EXPECT_GT(quiet, 1000U);
  }
}

}  // namespace
}  // namespace dupwatch::core::replay_rules_test
