#include "daemon/core/profile.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/oracle/findings.hpp"

namespace dupwatch::core::profile_test {
namespace {

/// What the oracle's log calls a type.
struct Said {
  bool once = false;
  bool opens = false;
  bool closes = false;
  bool living = false;
  bool delivery = false;
  bool conflicts = false;
  std::size_t kind = 0;  ///< 0 = none
};

Said said_of(const std::string& type) {
  const auto log = oracle::workflow_devkit_log();
  Said said;
  for (std::size_t i = 0; i < log.kinds.size(); ++i) {
    const auto& kind = log.kinds[i];
    said.opens |= kind.opening.contains(type);
    said.closes |= kind.closing.contains(type);
    said.living |= kind.living.contains(type);
    said.delivery |= kind.deliveries.contains(type);
    said.conflicts |= kind.conflicts.contains(type);
    if (said.kind == 0 && (said.opens || said.closes || said.living || said.delivery || said.conflicts))
      said.kind = i + 1;
  }
  const bool one_end = log.run_ends.contains(type) && type != "run_cancelled";
  said.once = said.opens || said.closes || one_end || log.once_per_run.contains(type) ||
              log.unique_unless_null.contains(type);
  return said;
}

TEST(WorkflowDevkitProfile, SaysOfEveryTypeWhatTheOracleSays) {
  const auto profile = workflow_devkit_profile();
  const auto log = oracle::workflow_devkit_log();
  std::set<std::string> names;
  for (const auto& type : profile.types) {
    EXPECT_TRUE(names.insert(type.name).second) << type.name << " is listed twice";
    const auto said = said_of(type.name);
    EXPECT_EQ(type.unique, said.once) << type.name;
    EXPECT_EQ(type.unique_when_null, !log.unique_unless_null.contains(type.name)) << type.name;
    EXPECT_EQ(type.opens, said.opens) << type.name;
    EXPECT_EQ(type.closes, said.closes) << type.name;
    EXPECT_EQ(type.conflicts, said.conflicts) << type.name;
    EXPECT_EQ(type.ends_run, log.run_ends.contains(type.name)) << type.name;
    EXPECT_EQ(type.fails_run, type.name == "run_failed") << type.name;
    EXPECT_EQ(type.after_close.has_value(), said.opens || said.living || said.delivery || said.conflicts)
        << type.name;
    for (const auto& other : profile.types) {
      const auto kind = said_of(other.name).kind;
      if (said.kind == 0 || kind == 0) continue;
      EXPECT_EQ(type.group == other.group, said.kind == kind) << type.name << ", " << other.name;
    }
  }
  for (const auto& kind : log.kinds) {
    for (const auto* types :
         {&kind.opening, &kind.closing, &kind.living, &kind.deliveries, &kind.conflicts}) {
      for (const auto& name : *types) EXPECT_TRUE(names.contains(name)) << name;
    }
  }
  EXPECT_LE(profile.types.size(), Profile::kTypesMax);
  EXPECT_FALSE(profile.unlisted_unique);
  EXPECT_TRUE(profile.slot_ids);
}

TEST(WorkflowDevkitProfile, KeepsEveryTypeBecauseEveryIdCountsForTheScheme) {
  for (const auto& type : workflow_devkit_profile().types) {
    EXPECT_TRUE(type.tracked()) << type.name;
    EXPECT_TRUE(type.tracked(false)) << type.name;
    EXPECT_TRUE(type.tracked(true)) << type.name;
  }
}

TEST(TrackedType, IsOneThatARuleOrTheSchemeNeeds) {
  EXPECT_FALSE(EventType{.name = "note"}.tracked());
  EXPECT_TRUE((EventType{.name = "note", .kept = true}.tracked(true)));
  const EventType unless_null{.name = "set", .unique = true, .unique_when_null = false};
  EXPECT_TRUE(unless_null.tracked(false));
  EXPECT_FALSE(unless_null.tracked(true));
}

TEST(WorkflowDevkitProfile, FindsTypesByNameAndNoOthers) {
  const auto profile = workflow_devkit_profile();
  for (std::size_t i = 0; i < profile.types.size(); ++i)
    EXPECT_EQ(profile.find_type(profile.types[i].name), i);
  for (const auto* name : {"", "step", "step_created ", "STEP_CREATED", "other"}) {
    EXPECT_EQ(profile.find_type(name), std::nullopt) << name;
  }
  EXPECT_EQ(profile.qualified_name(), "workflow.workflow_events");
}

TEST(WorkflowDevkitProfile, NamesTheEnginesOtherTables) {
  const auto runs = workflow_devkit_profile().runs;
  ASSERT_TRUE(runs);
  EXPECT_EQ(runs->name, "workflow_runs");
  EXPECT_EQ(runs->steps.name, "workflow_steps");
  EXPECT_EQ(runs->steps.id_column, "step_id");
  EXPECT_EQ(runs->waits.name, "workflow_waits");
  EXPECT_EQ(runs->waits.id_column, "wait_id");
}

}  // namespace
}  // namespace dupwatch::core::profile_test
