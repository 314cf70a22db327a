#include "daemon/core/run_filter.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/replay_rules.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::run_filter_test {
namespace {

using oracle::Event;

constexpr RunFilter::Size kTiny{
    .entities = 16, .live_runs = 8, .known_runs = 1024, .suspect_bytes = std::size_t{1} << 20U};
constexpr RunFilter::Size kSmall{
    .entities = 4096, .live_runs = 1024, .known_runs = 1024, .suspect_bytes = std::size_t{1} << 20U};

/// A table without types.
Profile plain_profile() {
  Profile profile = orders_profile();
  profile.type_column.clear();
  profile.types = {EventType{.name = "", .unique = true}};
  profile.unlisted_unique = false;
  return profile;
}

rc::Gen<std::string> some_run() {
  return rc::gen::map(rc::gen::inRange<std::uint64_t>(1, 40),
                      [](auto n) { return n % 5 == 0 ? "run " + std::to_string(n) : ulid("wrun_", n); });
}

/// Most rows of a run have ids of one form, as runs do.
std::string some_id(const std::string& run, std::uint64_t n) {
  const auto form = *rc::gen::inRange(0, 40);
  if (form == 0) return std::to_string(n);
  if (form == 1) return slot_id(n);
  if (form == 2) return "wevt_x" + std::to_string(n);
  return run.size() % 2 == 0 || run.ends_with('7') ? slot_id(n) : ulid("wevt_", n);
}

/// Rows with distinct (run, id) in any order.
std::vector<Event> some_log(const Profile& profile) {
  std::vector<std::string> types{"unlisted"};
  for (const auto& type : profile.types) types.push_back(type.name);
  std::set<std::pair<std::string, std::string>> keys;
  std::vector<Event> log;
  const auto rows = *rc::gen::inRange(0, 200);
  for (int i = 0; i < rows; ++i) {
    const auto run = *some_run();
    Event row{run, some_id(run, *rc::gen::inRange<std::uint64_t>(1, 90)), {}, *rc::gen::elementOf(types)};
    for (std::size_t k = 0; k < profile.identity_columns.size(); ++k) {
      const auto n = *rc::gen::inRange<std::uint64_t>(0, 9);
      row.identity.push_back(n == 0   ? std::nullopt
                             : n == 1 ? std::optional<std::string>("plain")
                                      : std::optional(ulid("step_", n)));
    }
    if (keys.emplace(row.run_id, row.id).second) log.push_back(std::move(row));
  }
  return log;
}

struct Judged {
  std::set<std::string> runs;
  std::set<std::string> with_findings;
};

/// What reading all runs in order says.
Judged judge(const Profile& profile, const RuleConfig& config, const std::vector<Event>& rows) {
  std::map<std::string, std::vector<Event>> by_run;
  for (const auto& row : rows) by_run[row.run_id].push_back(row);
  Judged out;
  TokenCodec codec;
  const ReplayRules rules(profile, config, codec);
  for (const auto& [run, events] : by_run) {
    RunLog log;
    SlotNumbers slots;
    for (const auto& event : events) {
      if (is_tracked(profile, event)) (void)add_event(log, codec, profile, event);
      if (profile.slot_ids) slots.add(event.id);
    }
    std::vector<ReplayRules::Verdict> verdicts;
    rules.judge_run(log, verdicts);
    out.runs.insert(run);
    if (!verdicts.empty() || slots.first_gap()) out.with_findings.insert(run);
  }
  return out;
}

RunFilter sift(const Profile& profile, bool refuses_ulids, const RunFilter::Size& size,
               const std::vector<Event>& rows, std::optional<Engine> own = std::nullopt) {
  RunFilter filter(profile, refuses_ulids, 4711, size);
  for (const auto& row : rows) {
    const auto identity = values_of(row.identity);
    filter.add({.run_id = row.run_id, .id = row.id, .type = row.type, .identity = identity, .own = own});
  }
  filter.finish();
  return filter;
}

void names_all(const RunFilter::Size& size) {
  const auto profile = *rc::gen::element(workflow_devkit_profile(), orders_profile(), plain_profile());
  RuleConfig config;
  config.engine = *rc::gen::element<std::optional<Engine>>(std::nullopt, Engine::kV4,
                                                           Engine::kV5BeforeClassSkip, Engine::kV5);
  const auto rows = some_log(profile);
  const auto judged = judge(profile, config, rows);
  auto filter = sift(profile, config.engine == Engine::kV5, size, rows);
  RC_ASSERT(!filter.gave_up());
  RC_ASSERT(filter.rows() == rows.size());
  RC_ASSERT(filter.runs() == judged.runs.size());
  const std::set<std::string> named(filter.suspects().begin(), filter.suspects().end());
  for (const auto& run : judged.with_findings) {
    if (!named.contains(run)) RC_FAIL("not named: " + run);
  }
  RC_ASSERT(std::ranges::includes(judged.runs, named));
}

RC_GTEST_PROP(RunFilter, NamesEveryRunWithAFinding, ()) {
  names_all(kSmall);
}

RC_GTEST_PROP(RunFilter, NamesThemWithRoomForAFewRunsOnly, ()) {
  names_all(kTiny);
}

/// One run as engines write it, all healthy.
std::vector<Event> healthy_run(std::uint64_t number, bool slots) {
  const auto run = ulid("wrun_", number + 1);
  std::vector<Event> rows;
  const auto add = [&](const char* type, const char* entity) {
    const auto n = rows.size() + 1;
    rows.push_back(Event{run,
                         slots ? slot_id(n) : ulid("wevt_", number * 100 + n),
                         {entity == nullptr ? std::nullopt : std::optional(ulid(entity, number * 10))},
                         type});
  };
  add("run_created", nullptr);
  add("run_started", nullptr);
  for (const char* type : {"step_created", "step_started", "step_retrying", "step_started", "step_completed"})
    add(type, "step_");
  for (const char* type : {"hook_created", "hook_received", "hook_received", "hook_disposed"})
    add(type, "hook_");
  add("attr_set", nullptr);
  add("attr_set", nullptr);
  add("run_completed", nullptr);
  return rows;
}

TEST(RunFilter, NamesNoHealthyRunInAnyOrder) {
  std::vector<Event> rows;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto run = healthy_run(i, i % 2 == 0);
    rows.insert(rows.end(), run.begin(), run.end());
  }
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same order each time
  std::ranges::shuffle(rows, random);
  auto filter = sift(workflow_devkit_profile(), false, kSmall, rows);
  EXPECT_FALSE(filter.gave_up());
  EXPECT_EQ(filter.runs(), 500);
  EXPECT_EQ(filter.suspects(), std::vector<std::string>{});
}

TEST(RunFilter, NamesOnlyRunsThatWereUnderWayWhenTheRoomWasFull) {
  std::vector<Event> rows;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto run = healthy_run(i, false);
    rows.insert(rows.end(), run.begin(), run.end());
  }
  auto filter = sift(workflow_devkit_profile(), false, kTiny, rows);
  EXPECT_EQ(filter.runs(), 500);
  // Three entities each: room for four runs, and the fifth is under way.
  const std::set<std::string> named(filter.suspects().begin(), filter.suspects().end());
  EXPECT_EQ(named.size(), 100);
}

TEST(RunFilter, TakesTheWordOfARunOnWhetherItsUlidsAreRefused) {
  const auto profile = workflow_devkit_profile();
  const auto named = [&](bool refuses, std::optional<Engine> own) {
    return sift(profile, refuses, kSmall, healthy_run(1, false), own).suspects().size();
  };
  EXPECT_EQ(named(true, std::nullopt), 1U);
  EXPECT_EQ(named(true, Engine::kV4), 0U);
  EXPECT_EQ(named(false, std::nullopt), 0U);
  EXPECT_EQ(named(false, Engine::kV5), 1U);
}

/// What is named of one run.
std::size_t named(const std::vector<Event>& rows) {
  return sift(workflow_devkit_profile(), false, kSmall, rows).suspects().size();
}

TEST(RunFilter, IdsThatItCannotTellApartMayBeInTheWrongOrder) {
  // Its places are the first sixteen bytes of an id that is no ULID.
  const auto step = [](const std::string& id, const char* type) { return Event{"r", id, {"step_1"}, type}; };
  EXPECT_EQ(named({step("0123456789abcdef-1", "step_completed"), step("0123456789abcdef-2", "step_started")}),
            1U);
  EXPECT_EQ(named({step("0123456789abcdef-2", "step_started"), step("0123456789abcdef-1", "step_completed")}),
            1U);
  EXPECT_EQ(named({step("0123456789abcde0-1", "step_started"), step("0123456789abcde1-1", "step_completed")}),
            0U);
}

TEST(RunFilter, AHoleInTheSlotsIsNamedWhereverTheSlotsBegin) {
  const auto slots = [](const std::vector<std::uint64_t>& numbers) {
    std::vector<Event> rows;
    for (const auto number : numbers)
      rows.push_back(Event{ulid("wrun_", 1), slot_id(number), {std::nullopt}, "attr_set"});
    return rows;
  };
  EXPECT_EQ(named(slots({1, 2, 3})), 0U);
  EXPECT_EQ(named(slots({2, 3})), 0U) << "slot 1 may be missing";
  EXPECT_EQ(named(slots({3, 4})), 1U) << "slot 2 may not";
  EXPECT_EQ(named(slots({1, 3})), 1U);
  // The hole is there when the room is emptied for other runs.
  auto rows = slots({3});
  for (std::uint64_t i = 2; i < 20; ++i)
    rows.push_back(Event{ulid("wrun_", i), slot_id(1), {std::nullopt}, "attr_set"});
  EXPECT_EQ(sift(workflow_devkit_profile(), false, kTiny, rows).suspects(),
            std::vector<std::string>{ulid("wrun_", 1)});
}

TEST(RunFilter, GivesUpWhenMostRowsAreOfSuspects) {
  const auto profile = workflow_devkit_profile();
  std::vector<Event> rows;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    for (std::uint64_t k = 0; k < 2; ++k)
      rows.push_back(Event{ulid("wrun_", i), ulid("wevt_", i * 2 + k), {ulid("step_", i)}, "step_created"});
  }
  constexpr RunFilter::Size kEnough{
      .entities = 32'768, .live_runs = 32'768, .known_runs = 32'768, .suspect_bytes = std::size_t{1} << 20U};
  EXPECT_TRUE(sift(profile, false, kEnough, rows).gave_up());
}

TEST(RunFilter, GivesUpWhenThereAreMoreRunsThanItCanKnow) {
  std::vector<Event> rows;
  for (std::uint64_t i = 0; i < 800; ++i) rows.push_back(healthy_run(i, false).front());
  EXPECT_FALSE(sift(workflow_devkit_profile(), false, kTiny, {rows.begin(), rows.begin() + 760}).gave_up());
  EXPECT_TRUE(sift(workflow_devkit_profile(), false, kTiny, rows).gave_up());
}

TEST(RunFilter, GivesUpWhenTheNamesNeedMoreThanTheirRoom) {
  auto size = kSmall;
  size.suspect_bytes = 1000;
  std::vector<Event> rows;
  for (std::uint64_t i = 0; i < 4; ++i) {
    for (const char* id : {"1", "2"})
      rows.push_back(Event{std::string(300, static_cast<char>('a' + i)), id, {"x"}, "step_created"});
  }
  EXPECT_TRUE(sift(workflow_devkit_profile(), false, size, rows).gave_up());
}

}  // namespace
}  // namespace dupwatch::core::run_filter_test
