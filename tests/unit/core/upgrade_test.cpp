#include "daemon/core/upgrade.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace dupwatch::core::upgrade_test {
namespace {

using namespace std::chrono_literals;
using Verdict = UpgradeVerdict;

constexpr std::uint64_t kNow = 1'800'000'000'000;

/// A 4.1.1 that is quiet and clean; `journal` in milliseconds.
UpgradeFacts facts_of_41() {
  UpgradeFacts facts{.role = "dupwatch", .time_zone = "UTC", .table_bytes = 1 << 20};
  facts.schema.journal_exists = true;
  facts.schema.journal_readable = true;
  facts.schema.journal_newest = 1770500000000;
  facts.key.primary_key = "workflow_events_pkey";
  facts.sort_time = 10s;
  facts.open_runs.emplace();
  facts.drain.emplace();
  facts.duplicates.emplace();
  return facts;
}

UpgradeFacts facts_of_43() {
  auto facts = facts_of_41();
  facts.schema.index_exists = true;
  facts.schema.enums_moved = true;
  facts.schema.journal_newest = 1782691200000;
  facts.duplicates.reset();
  return facts;
}

UpgradeReport judge(std::string_view to, const UpgradeFacts& facts) {
  return judge_upgrade(*find_release(to), to, facts, kNow);
}

const UpgradeLine* find(const UpgradeReport& report, std::string_view name) {
  const auto found = std::ranges::find(report.lines, name, &UpgradeLine::name);
  return found == report.lines.end() ? nullptr : &*found;
}
Verdict verdict(std::string_view to, const UpgradeFacts& facts, std::string_view name) {
  const auto report = judge(to, facts);
  const auto* line = find(report, name);
  if (line == nullptr) throw std::logic_error(std::string(name));
  return line->verdict;
}
std::string found(std::string_view to, const UpgradeFacts& facts, std::string_view name) {
  const auto report = judge(to, facts);
  const auto* line = find(report, name);
  return line == nullptr ? "" : line->found;
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(UpgradeCheck, OfACleanDatabaseSaysGo) {
  for (const auto* to : {"4.1.4", "4.2", "4.3", "5.0.0-beta.27", "5.0.0-beta.29", "5.0", "5.x"}) {
    EXPECT_TRUE(judge(to, facts_of_41()).go()) << to;
  }
}

TEST(UpgradeCheck, TimeIsOfWhatBuildsAndOfNothingElse) {
  EXPECT_EQ(judge("4.3", facts_of_41()).takes, 8500ms);
  EXPECT_EQ(judge("5.0", facts_of_41()).takes, 22'500ms);
  EXPECT_EQ(judge("4.3", facts_of_43()).takes, 0ms);
  auto facts = facts_of_41();
  facts.key.prebuilt = true;
  EXPECT_EQ(judge("5.0", facts).takes, 12'500ms);
  facts.sort_time.reset();
  EXPECT_EQ(judge("5.0", facts).takes, std::nullopt);
  EXPECT_EQ(verdict("5.0", facts, "migrations"), Verdict::kWarn);
  facts.sort_time = 1ms;
  EXPECT_EQ(judge("4.3", facts).takes, 100ms);
}

TEST(UpgradeCheck, SaysWhichMigrationsArePendingAndWhoWaits) {
  EXPECT_TRUE(has(found("4.3", facts_of_41(), "migrations"),
                  "0010, 0015, all in one transaction, about 8.5 s; writes"));
  EXPECT_TRUE(has(found("5.x", facts_of_41(), "migrations"), "0010 to 0020, 0026, "));
  EXPECT_TRUE(has(found("5.x", facts_of_41(), "migrations"), "reads and writes of the log wait"));
}

TEST(UpgradeCheck, ThereIsNoWayBack) {
  EXPECT_EQ(verdict("4.2", facts_of_43(), "migrations"), Verdict::kFail);
}

TEST(UpgradeCheck, TheJournalGapFrom43IsNoGoWithTheSqlThatFillsIt) {
  const auto report = judge("5.0", facts_of_43());
  const auto* line = find(report, "journal");
  EXPECT_EQ(line->verdict, Verdict::kFail);
  EXPECT_TRUE(has(line->found, "passes over 0011 to 0014"));
  for (const auto* part : {"error_code", "is_system", "attributes", "'attr_set'"})
    EXPECT_TRUE(has(line->fix, part));
}

TEST(UpgradeCheck, AJournalThatIsLostOrHidden) {
  auto facts = facts_of_41();
  facts.schema.journal_readable = false;
  facts.schema.journal_newest.reset();
  EXPECT_EQ(verdict("4.3", facts, "journal"), Verdict::kWarn);
  facts.schema.journal_readable = true;
  EXPECT_EQ(verdict("4.3", facts, "journal"), Verdict::kFail);
  facts.schema.journal_exists = false;
  EXPECT_EQ(verdict("4.3", facts, "journal"), Verdict::kFail);
}

TEST(UpgradeCheck, RunsThatTheTargetRefuses) {
  auto facts = facts_of_41();
  facts.open_runs = {
      {.status = "running", .runs = 12, .not_slots = 10, .with_entities = 7, .hour = 4, .day = 6}};
  facts.drain = DrainRate{.begun = 3, .ended = 5};
  EXPECT_EQ(verdict("4.3", facts, "open_runs"), Verdict::kPass);
  // The seed of the correlation ids changes, which runs without an entity do not notice.
  EXPECT_TRUE(has(found("5.0.0-beta.29", facts, "open_runs"), "refuses 7 of 12 open runs (12 running)"));
  const auto text = found("5.0", facts, "open_runs");
  EXPECT_TRUE(has(text, "refuses 10 of 12"));
  EXPECT_TRUE(has(text, "5 runs ended and 3 new ones: 2 h at this rate once none begins")) << text;
  facts.schema.columns.emplace("workflow_runs.error_code");
  EXPECT_EQ(verdict("5.0.0-beta.29", facts, "open_runs"), Verdict::kPass);
  EXPECT_EQ(verdict("5.0", facts, "open_runs"), Verdict::kFail);
  facts.drain = DrainRate{};
  EXPECT_TRUE(has(found("5.0", facts, "open_runs"), "in the last hour none ended and none began"));
  facts.drain.reset();
  EXPECT_TRUE(has(found("5.0", facts, "open_runs"), "how fast they end could not be read"));
}

TEST(UpgradeCheck, TheOldestRunHasItsAge) {
  auto facts = facts_of_41();
  // Ten digits of base 32 for the time: 1,769,526,525,952 ms.
  facts.open_runs = {{.status = "running",
                      .runs = 1,
                      .not_slots = 1,
                      .older = 1,
                      .oldest = "wrun_01KG0000000000000000000000"}};
  EXPECT_TRUE(has(found("5.0", facts, "open_runs"), "1 older, the oldest 353 days old"))
      << found("5.0", facts, "open_runs");
}

TEST(UpgradeCheck, RunsThatCannotBeReadAreNoGoWhereTheyMatter) {
  auto facts = facts_of_41();
  facts.open_runs.reset();
  EXPECT_EQ(verdict("4.3", facts, "open_runs"), Verdict::kWarn);
  EXPECT_EQ(verdict("5.0", facts, "open_runs"), Verdict::kFail);
}

TEST(UpgradeCheck, RowsThatGoAreNoGoWhenReplayWouldReadThem) {
  auto facts = facts_of_41();
  facts.duplicates = MigrationTotals{.identities = 3, .blocking = 3, .deleted = 4};
  EXPECT_EQ(verdict("4.3", facts, "duplicates"), Verdict::kWarn);
  facts.duplicates->other_kept = 1;
  EXPECT_EQ(verdict("4.3", facts, "duplicates"), Verdict::kFail);
  EXPECT_TRUE(has(found("4.3", facts, "duplicates"), "deletes 4 rows of 3 identities; in 1 case "));
}

TEST(UpgradeCheck, AttributesMakeTheIndexFail) {
  auto facts = facts_of_41();
  facts.duplicates = MigrationTotals{.identities = 3, .blocking = 3, .deleted = 4};
  EXPECT_EQ(verdict("5.0", facts, "attributes"), Verdict::kPass);  // 0010 clears the others away
  facts.duplicates->attributes = 1;
  EXPECT_EQ(verdict("5.0", facts, "attributes"), Verdict::kFail);
  EXPECT_EQ(find(judge("4.3", facts), "attributes"), nullptr);
}

TEST(UpgradeCheck, AnIndexToBeMadeByHandFailsOnDuplicates) {
  auto facts = facts_of_43();
  facts.schema.index_exists = false;
  facts.duplicates = MigrationTotals{.identities = 2, .blocking = 1, .deleted = 2};
  EXPECT_EQ(verdict("4.3", facts, "duplicates"), Verdict::kFail);
  facts.duplicates->blocking = 0;
  EXPECT_EQ(verdict("4.3", facts, "duplicates"), Verdict::kPass);
}

TEST(UpgradeCheck, WritersOfTheOldVersion) {
  auto facts = facts_of_41();
  facts.writers = {{.user = "app", .application = "web", .sessions = 2, .seconds = 90},
                   {.user = "job", .sessions = 1}};
  EXPECT_EQ(verdict("4.3", facts, "writers"), Verdict::kFail);
  EXPECT_TRUE(has(found("4.3", facts, "writers"),
                  "3 sessions may write the log: 2 of app (web), up to 90 s old, 1 of job"));
  facts.standby = true;
  EXPECT_EQ(verdict("4.3", facts, "writers"), Verdict::kWarn);
  auto from42 = facts_of_43();
  from42.schema.journal_newest = 1771000000000;
  from42.schema.enums_moved = false;
  from42.writers = facts.writers;
  EXPECT_EQ(verdict("4.3", from42, "writers"), Verdict::kWarn);
  EXPECT_EQ(verdict("5.0", from42, "writers"), Verdict::kFail);
}

TEST(UpgradeCheck, TheKeyThat0019Swaps) {
  auto facts = facts_of_41();
  EXPECT_EQ(find(judge("5.0.0-beta.29", facts), "key"), nullptr);
  EXPECT_EQ(verdict("5.0", facts, "key"), Verdict::kWarn);
  facts.sort_time = 1s;
  EXPECT_EQ(verdict("5.0", facts, "key"), Verdict::kPass);
  facts.key.references = {"app.audit.fk"};
  EXPECT_EQ(verdict("5.0", facts, "key"), Verdict::kFail);
  facts.key = {.primary_key = "other"};
  EXPECT_TRUE(has(found("5.0", facts, "key"), "the primary key is other"));
}

TEST(UpgradeCheck, APublicationThatTheNewKeyBreaks) {
  auto facts = facts_of_41();
  facts.publications = {{.name = "cdc", .publishes_changes = true, .lacks_new_key = false},
                        {.name = "dupwatch", .publishes_changes = false, .lacks_new_key = true}};
  EXPECT_EQ(verdict("5.0", facts, "publication"), Verdict::kPass);
  facts.publications[0].lacks_new_key = true;
  EXPECT_EQ(verdict("5.0", facts, "publication"), Verdict::kFail);
  facts.key.replica_identity = 'f';
  facts.publications[0].lacks_new_key = false;
  EXPECT_EQ(verdict("5.0", facts, "publication"), Verdict::kPass);
  facts.key.replica_identity = 'i';
  EXPECT_EQ(verdict("5.0", facts, "publication"), Verdict::kFail);
}

TEST(UpgradeCheck, ColumnsThat0026Retypes) {
  auto facts = facts_of_41();
  facts.pinned = {{.column = "workflow_events.created_at", .by = "view v", .publication = false}};
  EXPECT_EQ(find(judge("5.0", facts), "column_types"), nullptr);
  EXPECT_EQ(verdict("5.x", facts, "column_types"), Verdict::kFail);
  facts.pinned.clear();
  facts.time_zone = "Europe/Berlin";
  EXPECT_EQ(verdict("5.x", facts, "column_types"), Verdict::kWarn);
}

TEST(UpgradeCheck, TheGuardGoesBefore5AndAfter4) {
  auto facts = facts_of_41();
  facts.guard = true;
  EXPECT_EQ(verdict("4.3", facts, "guard"), Verdict::kWarn);
  EXPECT_EQ(verdict("5.0", facts, "guard"), Verdict::kFail);
  EXPECT_EQ(find(judge("4.1.1", facts), "guard"), nullptr);
}

}  // namespace
}  // namespace dupwatch::core::upgrade_test
