#include <gtest/gtest.h>

#include <string>

#include "daemon/config/config_file.hpp"

namespace dupwatch::config::profile_section_test {
namespace {

const Environment kNoEnvironment = [](std::string_view) { return std::optional<std::string>{}; };

const std::string kOrders =
    "profile: generic\n"
    "table:\n"
    "  name: shop.orders\n"
    "  run_column: order_id\n"
    "  id_column: id\n"
    "  identity_columns: [line, part]\n";

core::Profile accepted(const std::string& text) {
  auto result = parse_config(text, "f.yaml", kNoEnvironment);
  if (auto* problems = std::get_if<std::vector<ConfigProblem>>(&result)) {
    for (const auto& problem : *problems) ADD_FAILURE() << format_problem(problem);
    return {};
  }
  return std::get<core::Config>(std::move(result)).profile;
}

std::string refused(const std::string& text) {
  const auto result = parse_config(text, "f.yaml", kNoEnvironment);
  const auto* problems = std::get_if<std::vector<ConfigProblem>>(&result);
  if (problems == nullptr) {
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }
  std::string all;
  for (const auto& problem : *problems) all += format_problem(problem) + "\n";
  return all;
}

const core::EventType& type(const core::Profile& profile, std::string_view name) {
  static const core::EventType kNone;
  const auto index = profile.find_type(name);
  if (!index) ADD_FAILURE() << "no type " << name;
  return index ? profile.types[*index] : kNone;
}

TEST(GenericProfile, WithoutTypesEveryRowAdmitsNoDuplicate) {
  const auto profile = accepted(kOrders);
  EXPECT_EQ(profile.name, "generic");
  EXPECT_EQ(profile.qualified_name(), "shop.orders");
  EXPECT_EQ(profile.run_column, "order_id");
  EXPECT_EQ(profile.id_column, "id");
  EXPECT_EQ(profile.identity_columns, (std::vector<std::string>{"line", "part"}));
  EXPECT_EQ(profile.type_column, "");
  EXPECT_TRUE(profile.types.empty());
  EXPECT_TRUE(profile.unlisted_unique);
  EXPECT_FALSE(profile.runs.has_value());
}

TEST(GenericProfile, WithTypesOnlyTheListedAdmitNoDuplicate) {
  const auto profile = accepted(kOrders + "  type_column: kind\n  types: [a, b]\n  closing: {c: [a, x]}\n" +
                                "  run_end_types: [end, b]\n");
  EXPECT_FALSE(profile.unlisted_unique);
  EXPECT_TRUE(type(profile, "a").unique);
  EXPECT_TRUE(type(profile, "b").unique);
  EXPECT_TRUE(type(profile, "b").ends_run);
  EXPECT_FALSE(type(profile, "c").unique);
  EXPECT_TRUE(type(profile, "c").closes);
  EXPECT_FALSE(type(profile, "x").unique);
  EXPECT_FALSE(type(profile, "end").unique);
  EXPECT_TRUE(type(profile, "end").ends_run);
  EXPECT_NE(type(profile, "a").group, 0);
  EXPECT_EQ(type(profile, "a").group, type(profile, "c").group);
  EXPECT_EQ(type(profile, "x").group, type(profile, "c").group);
  EXPECT_EQ(type(profile, "b").group, 0);
}

TEST(GenericProfile, WithoutTypesTheNamedOnesAdmitNoDuplicateEither) {
  const auto profile =
      accepted(kOrders + "  type_column: kind\n  closing: {c: [a]}\n  run_end_types: [end]\n");
  EXPECT_TRUE(profile.unlisted_unique);
  for (const auto* name : {"a", "c", "end"}) EXPECT_TRUE(type(profile, name).unique) << name;
}

TEST(GenericProfile, TypesThatShareAClosingTypeAreOneGroup) {
  const auto profile = accepted(
      kOrders + "  type_column: kind\n  closing: {c1: [a], c2: [b], c3: [d], c4: [a, b], c5: [c3]}\n");
  const auto group = [&](std::string_view name) { return type(profile, name).group; };
  for (const auto* name : {"a", "b", "c1", "c2", "c4"}) EXPECT_EQ(group(name), group("a")) << name;
  for (const auto* name : {"d", "c3", "c5"}) EXPECT_EQ(group(name), group("d")) << name;
  EXPECT_NE(group("a"), group("d"));
  EXPECT_NE(group("d"), 0);
}

TEST(GenericProfile, NamesEachMissingKey) {
  const auto all = refused("profile: generic\n");
  for (const auto* key : {"table.name", "table.run_column", "table.id_column", "table.identity_columns"}) {
    EXPECT_NE(all.find(std::string{"f.yaml:1:10: "} + key + ": found nothing"), std::string::npos) << all;
  }
  EXPECT_NE(refused(kOrders + "  types: [a]\n").find("f.yaml:2:1: table.type_column"), std::string::npos);
}

TEST(GenericProfile, AColumnHasOneRole) {
  EXPECT_NE(refused(kOrders + "  type_column: id\n").find("the column \"id\" in two roles"),
            std::string::npos);
  EXPECT_NE(refused(kOrders + "  type_column: part\n").find("the column \"part\" in two roles"),
            std::string::npos);
}

TEST(GenericProfile, ListsAreCheckedItemByItem) {
  const std::string head =
      "profile: generic\ntable:\n  name: a.b\n  run_column: r\n  id_column: i\n  type_column: t\n";
  EXPECT_NE(refused(head + "  identity_columns: [a, a]\n")
                .find("f.yaml:7:25: table.identity_columns: found \"a\" a "
                      "second time"),
            std::string::npos);
  EXPECT_NE(refused(head + "  identity_columns: [a, b, c, d, e]\n")
                .find("5 items, expected a list of 1 to 4 names"),
            std::string::npos);
  EXPECT_NE(refused(head + "  identity_columns: []\n").find("0 items"), std::string::npos);
  EXPECT_NE(
      refused(head + "  identity_columns: [a]\n  closing: {c: []}\n").find("table.closing: found 0 items"),
      std::string::npos);
  EXPECT_NE(refused(head + "  identity_columns: [a]\n  closing: {c: [c]}\n").find("closing itself"),
            std::string::npos);
}

TEST(GenericProfile, TypesInAllAreBounded) {
  std::string types;
  for (int i = 0; i < 64; ++i) types += (i > 0 ? ", t" : "t") + std::to_string(i);
  const auto head = kOrders + "  type_column: kind\n  types: [" + types + "]\n";
  EXPECT_EQ(accepted(head).types.size(), core::Profile::kTypesMax);
  EXPECT_EQ(accepted(head + "  closing: {t0: [t1]}\n").types.size(), core::Profile::kTypesMax);
  EXPECT_NE(refused(head + "  run_end_types: [one_more]\n").find("more than 64 event types"),
            std::string::npos);
  EXPECT_NE(refused(head + "  closing: {one_more: [t1]}\n").find("more than 64 event types"),
            std::string::npos);
}

TEST(ScopeColumns, AreUpToThreeInFrontOfTheRun) {
  EXPECT_TRUE(accepted(kOrders + "  scope_columns: []\n").scope_columns.empty());
  EXPECT_EQ(accepted(kOrders + "  scope_columns: [tenant, region, shop]\n").scope_columns,
            (std::vector<std::string>{"tenant", "region", "shop"}));
  EXPECT_NE(refused(kOrders + "  scope_columns: [a, b, c, d]\n")
                .find("f.yaml:7:18: table.scope_columns: found 4 items"),
            std::string::npos);
  EXPECT_NE(refused(kOrders + "  scope_columns: [part]\n").find("the column \"part\" in two roles"),
            std::string::npos);
  EXPECT_NE(
      refused("profile: generic\ntable:\n  name: a.b\n  scope_columns: [t]\n  run_column: r\n  id_column: i\n"
              "  rules: {once: {unique: [t]}}\n")
          .find("f.yaml:7:11: table.rules.once: found one of scope_columns among the columns"),
      std::string::npos);
}

TEST(ScopeColumns, OfTheEnginesLogLeaveItsOtherTablesOut) {
  const auto profile = accepted("table: {scope_columns: [tenant_id]}");
  EXPECT_EQ(profile.scope_columns, (std::vector<std::string>{"tenant_id"}));
  EXPECT_FALSE(profile.runs.has_value());
  EXPECT_TRUE(accepted("table: {scope_columns: []}").runs.has_value());
  EXPECT_NE(refused("table: {scope_columns: [run_id]}").find("the column \"run_id\" in two roles"),
            std::string::npos);
  EXPECT_NE(
      refused("table: {scope_columns: [t]}\nquarantine: {mode: remove}").find("with table.scope_columns"),
      std::string::npos);
  EXPECT_NE(refused("profile: emmett\ntable: {scope_columns: [partition]}")
                .find("f.yaml:2:24: table.scope_columns"),
            std::string::npos);
}

TEST(DevkitProfile, TableNameMovesBothTables) {
  const auto profile = accepted("table: {name: wf.events}");
  EXPECT_EQ(profile.name, "workflow-devkit");
  EXPECT_EQ(profile.qualified_name(), "wf.events");
  ASSERT_TRUE(profile.runs.has_value());
  EXPECT_EQ(profile.runs->schema, "wf");
  EXPECT_EQ(profile.runs->name, "workflow_runs");
  EXPECT_EQ(profile.types.size(), core::workflow_devkit_profile().types.size());
}

TEST(DevkitProfile, TakesNoOtherTableKey) {
  const auto all = refused("table: {run_column: a, types: [b]}");
  EXPECT_NE(all.find("table.run_column: found a value, expected only table.name"), std::string::npos) << all;
  EXPECT_NE(all.find("table.types: found a value, expected only table.name"), std::string::npos) << all;
}

}  // namespace
}  // namespace dupwatch::config::profile_section_test
