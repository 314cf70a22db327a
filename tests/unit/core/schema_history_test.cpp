#include "daemon/core/schema_history.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::schema_history_test {
namespace {

using Row = ReportedFindings::DuplicateRow;

SchemaLook look(std::set<std::string, std::less<>> more = {}, bool index = false, bool enums = false) {
  SchemaLook out;
  out.schema.columns = std::move(more);
  out.schema.columns.insert("workflow_events.created_at");
  out.schema.index_exists = index;
  out.schema.enums_moved = enums;
  out.schema.key = "PRIMARY KEY (id)";
  return out;
}

const decoder::Timestamp kNow{1};

TEST(SchemaHistory, NamesTheReleasesOfASchema) {
  EXPECT_EQ(schema_text(look().schema), "4.1.1");
  EXPECT_EQ(schema_text(look({}, true).schema), "4.1.4 to 4.2");
  EXPECT_EQ(schema_text(look({}, true, true).schema), "4.3");
  EXPECT_EQ(schema_release(look({}, true, true).schema)->name, "4.3");
  EXPECT_EQ(schema_text(MigrationState{}), "");
  EXPECT_EQ(schema_release(MigrationState{}), nullptr);
}

TEST(SchemaHistory, TheFirstLookIsNoChangeAndTheSameLookIsNone) {
  SchemaHistory history;
  EXPECT_FALSE(history.compare(look(), kNow));
  EXPECT_FALSE(history.compare(look(), kNow));
}

TEST(SchemaHistory, SaysWhatIsThereAndWasNot) {
  SchemaHistory history;
  (void)history.compare(look(), kNow);
  const auto change = history.compare(look({}, true, true), kNow);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->before, "4.1.1");
  EXPECT_EQ(change->after, "4.3");
  EXPECT_EQ(change->parts,
            (std::vector<std::string>{"unique index present", "enum types moved to the schema workflow"}));
  EXPECT_FALSE(history.compare(look({}, true, true), kNow));
}

TEST(SchemaHistory, SaysThatTheIndexWasDropped) {
  SchemaHistory history;
  (void)history.compare(look({}, true), kNow);
  EXPECT_EQ(history.compare(look(), kNow)->parts, std::vector<std::string>{"unique index gone"});
}

TEST(SchemaHistory, AKeySwapIsSaid) {
  SchemaHistory history;
  (void)history.compare(look(), kNow);
  auto swapped = look({"workflow_event_slots.run_id"});
  swapped.schema.key = "PRIMARY KEY (run_id, id)";
  EXPECT_EQ(history.compare(swapped, kNow)->parts,
            (std::vector<std::string>{"events are numbered by slots", "key is PRIMARY KEY (run_id, id)"}));
}

TEST(SchemaHistory, TablesThatAreGoneForAMomentAreNoMigration) {
  SchemaHistory history;
  (void)history.compare(look({}, true), kNow);
  EXPECT_FALSE(history.compare(SchemaLook{}, kNow));
  EXPECT_FALSE(history.compare(look({}, true), kNow));
}

TEST(SchemaHistory, OnlyTheUniqueIndexThatIsNewDeletesRows) {
  EXPECT_TRUE(may_have_deleted(look().schema, look({}, true).schema));
  EXPECT_FALSE(may_have_deleted(look({}, true).schema, look({}, true, true).schema));
  EXPECT_FALSE(may_have_deleted(look({}, true).schema, look().schema));
}

TEST(SchemaHistory, CountsWhatTheMigrationDeleted) {
  // The first stays; the first goes; the first goes and what stays is after the close; of three the last
  // stays.
  const std::vector<Row> known{{"r", "a1", "a2", true},
                               {"r", "b1", "b2", false},
                               {"r", "c1", "c2", true},
                               {"s", "d1", "d2", true},
                               {"s", "d1", "d3", true}};
  const std::set<RowKey> present{{"r", "a1"}, {"r", "b2"}, {"r", "c2"}, {"s", "d3"}};
  const auto losses = count_losses(known, present);
  EXPECT_EQ(losses, (RowLosses{.asked = 9, .deleted = 5, .canonical = 3, .left_fatal = 2}));
  EXPECT_EQ(losses_text(losses),
            "5 of 9 known rows of duplicates deleted, 3 of them canonical, 2 runs left fatal");
  EXPECT_EQ(losses_text(RowLosses{}), "no duplicate was known");
}

TEST(SchemaHistory, RemembersTheLastChangesAndCountsAll) {
  SchemaHistory history;
  for (std::size_t i = 0; i < SchemaHistory::kChangesMax + 2; ++i) {
    history.add({.seen = {static_cast<std::int64_t>(i)},
                 .losses = RowLosses{.asked = 3, .deleted = 2, .canonical = 1}});
  }
  EXPECT_EQ(history.changes().size(), SchemaHistory::kChangesMax);
  EXPECT_EQ(history.changes().front().seen.micros, 2);
  EXPECT_EQ(history.total(), SchemaHistory::kChangesMax + 2);
  EXPECT_EQ(history.losses().canonical, SchemaHistory::kChangesMax + 2);
}

}  // namespace
}  // namespace dupwatch::core::schema_history_test
