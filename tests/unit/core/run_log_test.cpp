#include "daemon/core/run_log.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::run_log_test {
namespace {

using oracle::Event;

class RunLogTest : public ::testing::Test {
 protected:
  RunLog::Added add(const std::string& id, std::optional<std::string> correlation,
                    const std::string& type = "step_created", const CommitInfo& commit = {}) {
    return add_event(log, codec, profile, Event{"r", id, {std::move(correlation)}, type}, commit);
  }
  const Profile profile = workflow_devkit_profile();
  TokenCodec codec;
  RunLog log;
};

TEST_F(RunLogTest, IsOfTheGenerationThatItsFirstRowByIdSays) {
  const auto add_shown = [this](std::uint64_t id, std::optional<Engine> own) {
    log.shown(add(ulid("wevt_", id), "c").row, own, codec);
  };
  add(ulid("wevt_", 1), "c");
  EXPECT_FALSE(log.is_shown());
  add_shown(2, std::nullopt);
  EXPECT_TRUE(log.is_shown());
  EXPECT_EQ(log.own_engine(), std::nullopt);
  // Whoever took the run over, or wrote into it from elsewhere, did not begin it.
  for (const auto& [id, own] : {std::pair{5U, Engine::kV5}, {4U, Engine::kV4}, {6U, Engine::kV5}}) {
    add_shown(id, own);
  }
  EXPECT_EQ(log.own_engine(), Engine::kV4);
  log.clear();
  EXPECT_FALSE(log.is_shown());
  EXPECT_EQ(log.own_engine(), std::nullopt);
  log.put_own_engine(Engine::kV5);
  EXPECT_EQ(log.own_engine(), Engine::kV5);
}

TEST_F(RunLogTest, ARowSeenBeforeIsKnownAndCompletesItsCommitData) {
  const auto first = add(ulid("wevt_", 1), "c");
  EXPECT_FALSE(first.known);
  const CommitInfo commit{.lsn = decoder::Lsn{0x10}, .time = decoder::Timestamp{5}, .xid = 7};
  const auto again = add(ulid("wevt_", 1), "c", "step_created", commit);
  EXPECT_TRUE(again.known);
  EXPECT_EQ(again.row, first.row);
  EXPECT_EQ(log.rows(), 1U);
  EXPECT_EQ(log.row(first.row).commit.xid, 7U);
  EXPECT_EQ(log.row(first.row).commit.lsn, decoder::Lsn{0x10});
  EXPECT_EQ(log.row(first.row).commit.time.micros, 5);
}

TEST_F(RunLogTest, ARowOfAnotherTransactionOfTheStreamWasPutBack) {
  const auto streamed = [](decoder::Xid xid) {
    return CommitInfo{.lsn = decoder::Lsn{0x10 + xid}, .time = decoder::Timestamp{5}, .xid = xid};
  };
  const auto first = add(ulid("wevt_", 1), "c", "step_created", streamed(7));
  EXPECT_FALSE(add(ulid("wevt_", 1), "c", "step_created", streamed(7)).written_again);
  // A table that was rewritten: the row's transaction is another one, and nothing was inserted.
  EXPECT_FALSE(
      add(ulid("wevt_", 1), "c", "step_created", CommitInfo{.lsn = {}, .time = {}, .xid = 9}).written_again);
  EXPECT_EQ(log.row(first.row).commit.xid, 7U);
  const auto back = add(ulid("wevt_", 1), "c", "step_created", streamed(8));
  EXPECT_TRUE(back.known);
  EXPECT_TRUE(back.written_again);
  EXPECT_EQ(log.row(first.row).commit.xid, 8U);
  EXPECT_EQ(log.row(first.row).commit.lsn, decoder::Lsn{0x18});
  EXPECT_EQ(log.rows(), 1U);
}

TEST_F(RunLogTest, WhatIsKnownOfACommitIsNotOverwritten) {
  const auto first = add("e", "c", "step_created", {.lsn = decoder::Lsn{1}, .time = {5}, .xid = 7});
  EXPECT_TRUE(add("e", "c", "step_created", {.lsn = decoder::Lsn{2}, .time = {6}, .xid = 7}).known);
  EXPECT_TRUE(add("e", "c").known);
  EXPECT_EQ(log.row(first.row).commit.xid, 7U);
  EXPECT_EQ(log.row(first.row).commit.lsn, decoder::Lsn{1});
  EXPECT_EQ(log.row(first.row).commit.time.micros, 5);
}

TEST_F(RunLogTest, NullIsAnIdentityOfItsOwnAndNotTheEmptyText) {
  const auto null = add("a", std::nullopt);
  const auto empty = add("b", "");
  const auto other_null = add("c", std::nullopt);
  EXPECT_EQ(log.entities(), 2U);
  EXPECT_EQ(log.row(null.row).entity, log.row(other_null.row).entity);
  EXPECT_NE(log.row(null.row).entity, log.row(empty.row).entity);
  EXPECT_TRUE(log.entity(log.row(null.row).entity).null_identity);
  EXPECT_FALSE(log.entity(log.row(empty.row).entity).null_identity);
}

TEST_F(RunLogTest, ClearForgetsEverything) {
  for (std::uint64_t n = 0; n < 100; ++n) (void)add(ulid("wevt_", n), ulid("step_", n));
  log.clear();
  EXPECT_EQ(log.rows(), 0U);
  EXPECT_EQ(log.entities(), 0U);
  EXPECT_FALSE(add(ulid("wevt_", 5), ulid("step_", 5)).known);
}

TEST_F(RunLogTest, ARedeliveryIsKnownWhereverItSortsInItsEntity) {
  // Rows in the order of their ids take a shortcut, which no redelivery may fall into.
  const std::vector<std::string> ids = {ulid("wevt_", 5), ulid("wevt_", 9), "wevt_x7",
                                        ulid("wevt_", 2), slot_id(3),       "a"};
  for (std::size_t n = 0; n < ids.size(); ++n) {
    EXPECT_FALSE(add(ids[n], "c").known) << ids[n];
    for (std::size_t i = 0; i <= n; ++i) EXPECT_TRUE(add(ids[i], "c").known) << ids[i] << " after " << ids[n];
  }
  EXPECT_EQ(log.rows(), ids.size());
}

TEST_F(RunLogTest, OneCorrelationIdIsADifferentEntityForEachKind) {
  const auto step = add("a", "c", "step_created");
  const auto started = add("b", "c", "step_started");
  const auto wait = add("c", "c", "wait_created");
  const auto run = add("d", std::nullopt, "run_created");
  const auto attribute = add("e", std::nullopt, "attr_set");
  EXPECT_EQ(log.row(step.row).entity, log.row(started.row).entity);
  EXPECT_NE(log.row(step.row).entity, log.row(wait.row).entity);
  EXPECT_NE(log.row(run.row).entity, log.row(attribute.row).entity);
}

TEST_F(RunLogTest, KnowsTheFirstClosingTheRunsEndAndTheLargestId) {
  EXPECT_EQ(log.run_end(), RunLog::kNone);
  EXPECT_EQ(log.greatest(), RunLog::kNone);
  const auto created = add(ulid("wevt_", 5), "c");
  const auto& entity = [&]() -> const RunLog::Entity& { return log.entity(log.row(created.row).entity); };
  EXPECT_EQ(entity().closing, RunLog::kNone);
  const auto failed = add(ulid("wevt_", 9), "c", "step_failed");
  EXPECT_EQ(entity().closing, failed.row);
  const auto completed = add(ulid("wevt_", 7), "c", "step_completed");
  EXPECT_EQ(entity().closing, completed.row) << "of two the one with the smaller id";
  (void)add(ulid("wevt_", 8), "c", "step_completed");
  EXPECT_EQ(entity().closing, completed.row);
  EXPECT_EQ(entity().greatest, failed.row);
  const auto cancelled = add(ulid("wevt_", 20), std::nullopt, "run_cancelled");
  EXPECT_EQ(log.run_end(), cancelled.row);
  EXPECT_EQ(log.greatest(), cancelled.row);
  const auto ended = add(ulid("wevt_", 12), std::nullopt, "run_completed");
  EXPECT_EQ(log.run_end(), ended.row);
  EXPECT_EQ(log.greatest(), cancelled.row);
  log.clear();
  EXPECT_EQ(log.run_end(), RunLog::kNone);
  EXPECT_EQ(log.greatest(), RunLog::kNone);
}

TEST_F(RunLogTest, KnowsTheFirstIdOfEitherScheme) {
  EXPECT_EQ(log.first_slot(), RunLog::kNone);
  EXPECT_EQ(log.first_other(), RunLog::kNone);
  (void)add(slot_id(7), "a");
  const auto slot = add(slot_id(3), "b");
  EXPECT_EQ(log.first_other(), RunLog::kNone);
  (void)add(ulid("wevt_", 1), "c");
  const auto text = add("evnt_plain", "d");
  (void)add(ulid("wevt_", 2), "a");
  EXPECT_EQ(log.first_slot(), slot.row);
  EXPECT_EQ(log.first_other(), text.row);
}

TEST_F(RunLogTest, EntitiesThatNothingClosesAreOpenInWhateverOrderTheirRowsCome) {
  EXPECT_EQ(log.open_entities(), 0U);
  (void)add(ulid("wevt_", 1), "a", "step_created");
  (void)add(ulid("wevt_", 2), "a", "step_started");
  EXPECT_EQ(log.open_entities(), 1U);
  (void)add(ulid("wevt_", 9), "b", "wait_completed");
  (void)add(ulid("wevt_", 4), "b", "wait_created");
  EXPECT_EQ(log.open_entities(), 1U);
  (void)add(ulid("wevt_", 5), "a", "step_completed");
  (void)add(ulid("wevt_", 6), "a", "step_failed");
  EXPECT_EQ(log.open_entities(), 0U);
  (void)add(ulid("wevt_", 7), "c", "hook_received");
  EXPECT_EQ(log.open_entities(), 1U);
  log.clear();
  EXPECT_EQ(log.open_entities(), 0U);
}

TEST_F(RunLogTest, TheFirstRowsOfTwoSeedsAreKnownInWhateverOrderTheyCome) {
  const std::string one = "step_01JZ0000000000000000000001";
  const std::string other = "step_01JZ0000010000000000000002";
  std::vector<std::pair<std::uint64_t, std::string>> rows = {
      {3, one}, {5, other}, {7, one}, {9, other}, {2, "no ulid"}};
  std::ranges::sort(rows);
  do {
    RunLog of;
    TokenCodec own;
    for (const auto& [n, entity] : rows) {
      (void)add_event(of, own, workflow_devkit_profile(), {"r", ulid("wevt_", n), {entity}, "step_started"});
    }
    ASSERT_NE(of.other_seed(), RunLog::kNone);
    EXPECT_EQ(of.text(of.row(of.seed()).id, own), ulid("wevt_", 3));
    EXPECT_EQ(of.text(of.row(of.other_seed()).id, own), ulid("wevt_", 5));
  } while (std::ranges::next_permutation(rows).found);
}

TEST_F(RunLogTest, AnEmptyLogIsOffTheHeap) {
  EXPECT_EQ(log.heap_bytes(), 0U);
  (void)add("e", "c");
  EXPECT_GE(log.heap_bytes(), sizeof(RunLog::Row) + sizeof(RunLog::Entity));
}

/// Few short values, so that they meet; and the border cases of the encodings.
rc::Gen<std::string> some_text() {
  return rc::gen::oneOf(rc::gen::element<std::string>("", "n00000000", "t00000000", "\0", "a", "b", "01"),
                        rc::gen::map(rc::gen::inRange(0, 40),
                                     [](int n) { return ulid("step_", static_cast<std::uint64_t>(n)); }),
                        rc::gen::arbitrary<std::string>());
}

rc::Gen<std::vector<std::optional<std::string>>> some_identity(std::size_t columns) {
  return rc::gen::container<std::vector<std::optional<std::string>>>(
      columns, rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 4), some_text()), [](const auto& pair) {
        return pair.first == 0 ? std::nullopt : std::optional(pair.second);
      }));
}

/// Grouping, identity and row texts against maps of strings; enough entities for the hash table to grow.
void expect_grouped_like_a_map(const Profile& profile, const std::vector<std::string>& types) {
  TokenCodec codec;
  RunLog log;
  const auto columns = profile.identity_columns.size();
  std::map<std::pair<int, std::vector<std::optional<std::string>>>, std::uint32_t> entity_of;
  std::map<std::string, std::uint32_t> row_of;
  const auto count = *rc::gen::inRange<std::size_t>(0, 300);
  for (std::size_t n = 0; n < count; ++n) {
    const Event event{"r", ulid("wevt_", n), *some_identity(columns), *rc::gen::elementOf(types)};
    const auto added = add_event(log, codec, profile, event);
    RC_ASSERT(!added.known);
    row_of[event.id] = added.row;
    // An unlisted type is part of the entity; a value that no identity has keeps the two sorts apart.
    auto key = event.identity;
    const auto type = profile.find_type(event.type);
    if (!type) key.emplace_back(event.type);
    const int group = type ? profile.types[*type].group : 0;
    const auto [place, fresh] = entity_of.emplace(std::pair(group, key), log.row(added.row).entity);
    RC_ASSERT(place->second == log.row(added.row).entity);
    RC_ASSERT(entity_of.size() == log.entities());
    RC_ASSERT(log.identity(log.entity(place->second), codec) == key);
    RC_ASSERT(add_event(log, codec, profile, event).known);
  }
  RC_ASSERT(log.rows() == count);
  for (const auto& [id, row] : row_of) RC_ASSERT(log.text(log.row(row).id, codec) == id);
}

RC_GTEST_PROP(RunLog, GroupsRowsByTheirCorrelationId, ()) {
  expect_grouped_like_a_map(workflow_devkit_profile(), {"step_created", "step_completed", "run_created"});
}

RC_GTEST_PROP(RunLog, GroupsRowsBySeveralIdentityColumnsAndUnlistedTypes, ()) {
  expect_grouped_like_a_map(orders_profile(), {"opened", "closed", "shipped", "", "t00000000"});
}

TEST_F(RunLogTest, APrefixCountsBeforeTheDigitsBehindIt) {
  const auto wevt = add("wevt_00000000000000000000000001", "c");
  const auto evnt = add("evnt_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "c");
  const auto none = add("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "c");
  EXPECT_TRUE(log.less(log.row(evnt.row).id, log.row(wevt.row).id, codec));
  EXPECT_FALSE(log.less(log.row(wevt.row).id, log.row(evnt.row).id, codec));
  EXPECT_TRUE(log.less(log.row(none.row).id, log.row(evnt.row).id, codec));
}

RC_GTEST_PROP(RunLog, OrdersIdsOfAnyShapeByTheirBytes, ()) {
  TokenCodec codec;
  RunLog log;
  const auto profile = workflow_devkit_profile();
  const auto id = rc::gen::oneOf(some_text(), rc::gen::map(rc::gen::inRange(0, 3), [](int n) {
                                   return slot_id(static_cast<std::uint64_t>(n));
                                 }));
  const auto a = *id;
  const auto b = *id;
  const auto row_a = add_event(log, codec, profile, Event{"r", a, {"c"}, "step_created"}).row;
  const auto row_b = add_event(log, codec, profile, Event{"r", b, {"c"}, "step_created"}).row;
  RC_ASSERT((row_a == row_b) == (a == b));
  RC_ASSERT(log.less(log.row(row_a).id, log.row(row_b).id, codec) == (a < b));
  RC_ASSERT(log.less(log.row(row_b).id, log.row(row_a).id, codec) == (b < a));
}

RC_GTEST_PROP(AppendTupleValue, EncodesInjectively, ()) {
  const auto a = *some_identity(*rc::gen::inRange<std::size_t>(1, 5));
  const auto b = *some_identity(*rc::gen::inRange<std::size_t>(1, 5));
  const auto encode = [](const std::vector<std::optional<std::string>>& identity) {
    std::string out;
    for (const auto& value : values_of(identity)) append_tuple_value(out, value);
    return out;
  };
  RC_ASSERT((encode(a) == encode(b)) == (a == b));
}

// They lie in one another's padding, which an assignment must leave alone.
TEST(RunLogRow, AssigningAMemberLeavesTheOthersAsTheyAre) {
  RunLog::Row row;
  row.type = 3;
  row.closes = true;
  row.entity = 5;
  row.next = 7;
  row.commit = CommitInfo{.lsn = decoder::Lsn{1}, .time = {2}, .xid = 3};
  row.id = Token{.hi = 1, .lo = 2, .kind = 4};
  EXPECT_EQ(row.next, 7U);
  EXPECT_EQ(row.entity, 5U);
  EXPECT_EQ(row.type, 3);
  EXPECT_TRUE(row.closes);
  EXPECT_EQ(row.commit.xid, 3U);
}

}  // namespace
}  // namespace dupwatch::core::run_log_test
