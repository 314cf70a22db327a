#include "daemon/core/profile.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/oracle/duplicates.hpp"

namespace dupwatch::core {
namespace {

TEST(WorkflowDevkitProfile, SaysOfEveryTypeWhatTheOracleSays) {
  const auto profile = workflow_devkit_profile();
  const auto rules = oracle::workflow_devkit_rules();
  std::set<std::string> names;
  for (const auto& type : profile.types) {
    EXPECT_TRUE(names.insert(type.name).second) << type.name << " is listed twice";
    const oracle::Event with{"r", "e", {"c"}, type.name};
    const oracle::Event without{"r", "e", {std::nullopt}, type.name};
    EXPECT_EQ(type.unique, rules.admits_no_duplicate(with)) << type.name;
    EXPECT_EQ(type.unique && type.unique_when_null, rules.admits_no_duplicate(without)) << type.name;
    EXPECT_EQ(type.closes, rules.closes.contains(type.name)) << type.name;
    for (const auto& other : profile.types) {
      const auto closing = rules.closes.find(type.name);
      const bool closes = closing != rules.closes.end() && closing->second.contains(other.name);
      EXPECT_EQ(type.closes && type.group == other.group, closes) << type.name << " closes " << other.name;
    }
  }
  for (const auto& name : rules.unique) EXPECT_TRUE(profile.find_type(name)) << name;
  EXPECT_LE(profile.types.size(), Profile::kTypesMax);
  EXPECT_FALSE(profile.unlisted_unique);
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

TEST(WorkflowDevkitProfile, OnlyRunTerminalsEndARun) {
  for (const auto& type : workflow_devkit_profile().types) {
    EXPECT_EQ(type.ends_run,
              type.name == "run_completed" || type.name == "run_failed" || type.name == "run_cancelled");
  }
}

}  // namespace
}  // namespace dupwatch::core
