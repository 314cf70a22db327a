#include "daemon/core/migrations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace dupwatch::core::migrations_test {
namespace {

const Release& release(std::string_view name) {
  const auto* found = find_release(name);
  if (found == nullptr) throw std::logic_error(std::string(name));
  return *found;
}

/// The schema that a release leaves behind, with a journal that ends there.
MigrationState after(std::string_view name) {
  MigrationState state;
  state.journal_exists = true;
  state.journal_readable = true;
  state.journal_newest = 1770500000000;  // 0009
  for (const auto& one : migrations()) {
    if (std::ranges::find(release(name).has, one.number) == release(name).has.end()) continue;
    if (!one.adds.empty()) state.columns.emplace(one.adds);
    if (one.effect == MigrationEffect::kUniqueIndex) state.index_exists = true;
    if (one.effect == MigrationEffect::kAttributes) state.index_covers_attributes = true;
    if (one.effect == MigrationEffect::kMovesEnums) state.enums_moved = true;
    if (one.effect == MigrationEffect::kRetypes) state.zoned_timestamps = true;
    state.journal_newest = one.when;
  }
  return state;
}

std::vector<unsigned> numbers(const std::vector<const Migration*>& list) {
  std::vector<unsigned> out;
  out.reserve(list.size());
  for (const auto* one : list) out.push_back(one->number);
  return out;
}
using Numbers = std::vector<unsigned>;

TEST(Migrations, AreInTheOrderOfNumberAndTime) {
  const auto all = migrations();
  EXPECT_TRUE(std::ranges::is_sorted(all, std::less<>{}, &Migration::number));
  EXPECT_TRUE(std::ranges::is_sorted(all, std::less<>{}, &Migration::when));
  for (const auto& one : releases()) {
    for (const auto number : one.has) {
      EXPECT_NE(std::ranges::find(all, number, &Migration::number), all.end()) << one.name << number;
    }
  }
}

TEST(Releases, AreFoundByTheirVersion) {
  for (const auto& [asked, name] :
       std::initializer_list<std::pair<const char*, const char*>>{{"4.1.1", "4.1.1"},
                                                                  {"4.1.0", ""},
                                                                  {"4.1.2", "4.1.4"},
                                                                  {"4.1", "4.1.4"},
                                                                  {"4.1.5", "4.1.4"},
                                                                  {"4.2.0", "4.2"},
                                                                  {"4.2", "4.2"},
                                                                  {"4.3.0", "4.3"},
                                                                  {"4.3.7", "4.3"},
                                                                  {"4", "4.3"},
                                                                  {"4.x", "4.3"},
                                                                  {"5.0.0-beta.4", ""},
                                                                  {"5.0.0-beta.27", "5.0.0-beta.27"},
                                                                  {"5.0.0-beta.28", "5.0.0-beta.27"},
                                                                  {"5.0.0-beta.29", "5.0.0-beta.29"},
                                                                  {"5.0.0-beta.55", "5.0.0-beta.33"},
                                                                  {"5.0.0", "5.0"},
                                                                  {"5.0.3", "5.0"},
                                                                  {"5.0", "5.0"},
                                                                  {"5.4.1", "5.x"},
                                                                  {"5.x", "5.x"},
                                                                  {"5", "5.x"},
                                                                  {"6.0", ""},
                                                                  {"3.9", ""},
                                                                  {"", ""},
                                                                  {"x", ""},
                                                                  {"4.x.1", ""},
                                                                  {"4.3.", ""},
                                                                  {"4.3.7.1", ""},
                                                                  {"-1", ""},
                                                                  {"4.3.7-beta", ""},
                                                                  {"4.3.7-beta.x", ""},
                                                                  {"v4.3", ""},
                                                                  {"99999999999999999999", ""}}) {
    const auto* found = find_release(asked);
    EXPECT_EQ(found == nullptr ? "" : found->name, name) << asked;
  }
}

TEST(MigrationPlan, OfAnInstallationThatIsThereIsEmpty) {
  for (const auto& one : releases()) {
    if (one.name == "4.1.1") continue;
    const auto plan = plan_migrations(one, after(one.name));
    EXPECT_TRUE(plan.pending.empty() && plan.skipped.empty() && plan.foreign.empty()) << one.name;
  }
}

TEST(MigrationPlan, FromTheFirstReleaseAppliesAllInOrder) {
  const auto plan = plan_migrations(release("5.0.0-beta.29"), after("4.1.1"));
  EXPECT_EQ(numbers(plan.pending), (Numbers{10, 11, 12, 13, 14, 15, 16, 17}));
  EXPECT_TRUE(plan.applies(MigrationEffect::kUniqueIndex));
  EXPECT_TRUE(plan.applies(MigrationEffect::kAttributes));
  EXPECT_FALSE(plan.applies(MigrationEffect::kSwapsKey));
  EXPECT_TRUE(plan.skipped.empty());
}

TEST(MigrationPlan, From43PassesOverWhatIsOlderThanItsNewest) {
  const auto plan = plan_migrations(release("5.0"), after("4.3"));
  EXPECT_EQ(numbers(plan.pending), (Numbers{16, 17, 18, 19, 20}));
  EXPECT_EQ(numbers(plan.skipped), (Numbers{11, 12, 13, 14}));
  EXPECT_TRUE(plan.skips(MigrationEffect::kAttributes));
  EXPECT_TRUE(plan_migrations(release("5.0"), after("4.2")).skipped.empty());
}

TEST(MigrationPlan, ForgetsNoGapThatWasFilledByHand) {
  auto state = after("4.3");
  for (const auto* column :
       {"workflow_runs.error_code", "workflow_hooks.is_system", "workflow_runs.attributes"}) {
    state.columns.emplace(column);
  }
  EXPECT_EQ(numbers(plan_migrations(release("5.0"), state).skipped), (Numbers{14}));
  state.index_covers_attributes = true;
  EXPECT_TRUE(plan_migrations(release("5.0"), state).skipped.empty());
}

TEST(MigrationPlan, AnIndexThatWasDroppedDoesNotComeBack) {
  auto state = after("4.2");
  state.index_exists = false;
  const auto plan = plan_migrations(release("4.3"), state);
  EXPECT_EQ(numbers(plan.pending), (Numbers{15}));
  EXPECT_EQ(numbers(plan.skipped), (Numbers{10}));
}

TEST(MigrationPlan, AnEnumThatStaysInPublicIsNoGap) {
  auto state = after("4.3");
  state.enums_moved = false;
  EXPECT_TRUE(plan_migrations(release("4.3"), state).skipped.empty());
}

TEST(MigrationPlan, NamesWhatAnOlderReleaseDoesNotHave) {
  EXPECT_EQ(numbers(plan_migrations(release("4.2"), after("4.3")).foreign), (Numbers{15}));
  EXPECT_EQ(numbers(plan_migrations(release("4.1.1"), after("4.1.4")).foreign), (Numbers{10}));
  EXPECT_EQ(numbers(plan_migrations(release("4.3"), after("5.0.0-beta.27")).foreign),
            (Numbers{11, 12, 13, 14}));
}

TEST(MigrationPlan, WithoutAJournalGoesByTheTables) {
  auto state = after("4.3");
  state.journal_newest.reset();
  state.journal_readable = false;
  EXPECT_EQ(numbers(plan_migrations(release("5.0"), state).skipped), (Numbers{11, 12, 13, 14}));
  state = after("4.1.4");
  state.journal_newest.reset();
  EXPECT_EQ(numbers(plan_migrations(release("4.3"), state).pending), (Numbers{15}));
}

TEST(MigrationNumbers, AreWrittenInRanges) {
  EXPECT_EQ(numbers_text({}), "");
  EXPECT_EQ(numbers_text(plan_migrations(release("4.3"), after("4.1.1")).pending), "0010, 0015");
  EXPECT_EQ(numbers_text(plan_migrations(release("5.x"), after("4.1.1")).pending), "0010 to 0020, 0026");
}

TEST(SchemaEngine, IsToldByTheColumns) {
  EXPECT_EQ(schema_engine(after("4.3")), Engine::kV4);
  EXPECT_EQ(schema_engine(after("5.0.0-beta.29")), Engine::kV5BeforeClassSkip);
  EXPECT_EQ(schema_engine(after("5.0")), Engine::kV5);
}

}  // namespace
}  // namespace dupwatch::core::migrations_test
