#include "daemon/core/packed_run.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::packed_run_test {
namespace {

using oracle::Event;

void expect_equal(const Token& a, const Token& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.hi, b.hi);
  EXPECT_EQ(a.lo, b.lo);
}

void expect_equal(const CommitInfo& a, const CommitInfo& b, bool all) {
  EXPECT_EQ(a.xid, b.xid);
  EXPECT_EQ(a.lsn, all ? b.lsn : decoder::Lsn{});
  EXPECT_EQ(a.time.micros, all ? b.time.micros : 0);
}

void expect_equal(const RunLog& a, const RunLog& b, bool commits) {
  ASSERT_EQ(a.rows(), b.rows());
  ASSERT_EQ(a.entities(), b.entities());
  for (std::uint32_t i = 0; i < a.rows(); ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    expect_equal(a.row(i).id, b.row(i).id);
    expect_equal(a.row(i).commit, b.row(i).commit, commits);
    EXPECT_EQ(a.row(i).type, b.row(i).type);
    EXPECT_EQ(a.row(i).closes, b.row(i).closes);
    EXPECT_EQ(a.row(i).ends_run, b.row(i).ends_run);
    EXPECT_EQ(a.row(i).entity, b.row(i).entity);
    EXPECT_EQ(a.row(i).next, b.row(i).next);
  }
  for (std::uint32_t i = 0; i < a.entities(); ++i) {
    SCOPED_TRACE("entity " + std::to_string(i));
    const auto& left = a.entity(i);
    const auto& right = b.entity(i);
    expect_equal(left.key, right.key);
    EXPECT_EQ(left.first, right.first);
    EXPECT_EQ(left.last, right.last);
    EXPECT_EQ(left.greatest, right.greatest);
    EXPECT_EQ(left.closing, right.closing);
    EXPECT_EQ(left.group, right.group);
    EXPECT_EQ(left.null_identity, right.null_identity);
  }
  EXPECT_EQ(a.spill(), b.spill());
  EXPECT_EQ(a.run_end(), b.run_end());
  EXPECT_EQ(a.first_slot(), b.first_slot());
  EXPECT_EQ(a.first_other(), b.first_other());
  EXPECT_EQ(a.greatest(), b.greatest());
}

class PackedRunTest : public ::testing::Test {
 protected:
  void add(const std::string& id, std::optional<std::string> correlation, const std::string& type,
           const CommitInfo& commit = {}) {
    (void)add_event(log, codec, profile, Event{"r", id, {std::move(correlation)}, type}, commit);
  }
  /// Packs, opens again, compares, and gives the packed size.
  std::size_t round_trip(bool commits) {
    const auto run_id = codec.pack(ulid("wrun_", 1));
    pack(log, run_id, commits, kinds, bytes);
    EXPECT_EQ(packed_rows(bytes), log.rows());
    RunLog opened;
    // Exactly as much memory as was packed: a byte read beyond it is a sanitizer's.
    const std::vector<std::byte> packed(bytes);
    unpack(packed, run_id, kinds, codec, opened);
    expect_equal(opened, log, commits);
    return bytes.size();
  }
  const Profile profile = workflow_devkit_profile();
  TokenCodec codec;
  RowKinds kinds;
  RunLog log;
  std::vector<std::byte> bytes;
};

TEST_F(PackedRunTest, ALogOfNoRowsIsOneByte) {
  EXPECT_EQ(round_trip(false), 1U);
  EXPECT_EQ(round_trip(true), 1U);
}

TEST_F(PackedRunTest, AStepOfTheEngineTakesSomeThirtyBytes) {
  const auto id = [](std::uint64_t n) {
    // 80 random bits behind a time that goes on by 100 ms.
    auto text = ulid("wevt_", 0);
    text.replace(13, 18, ulid("", (n * 0x9E3779B97F4A7C15ULL) >> 3U).substr(8));
    text.replace(11, 2, std::to_string(10 + n));
    return text;
  };
  for (std::uint64_t n = 0; n < 10; ++n) {
    add(id(n), ulid("step_", 100 + n / 2), n % 2 == 0 ? "step_created" : "step_completed",
        {.lsn = decoder::Lsn{700 * n}, .time = {}, .xid = static_cast<decoder::Xid>(1000 + 40 * n)});
  }
  EXPECT_LE(round_trip(false), 180U);
  EXPECT_GT(round_trip(true), 180U);
}

// Where a distance stops fitting into one byte, and where it needs one byte more.
TEST_F(PackedRunTest, IdsAtAnyDistanceComeBack) {
  std::uint64_t id = 1U << 20U;
  for (const std::uint64_t distance : {1U, 2U, 126U, 127U, 128U, 129U, 255U, 256U, 257U, 65'535U, 65'536U}) {
    SCOPED_TRACE(distance);
    id += distance;
    add(ulid("wevt_", id), ulid("step_", id), "step_created");
    add(ulid("wevt_", id - distance + (1U << 30U)), ulid("step_", id), "step_started");
    round_trip(false);
  }
}

TEST_F(PackedRunTest, IdsThatFollowEachOtherAt128ComeBack) {
  for (std::uint64_t n = 1; n <= 10; ++n) add(ulid("wevt_", 128 * n), ulid("step_", 128 * n), "step_created");
  round_trip(false);
}

TEST_F(PackedRunTest, SlotNumbersTakeFewBytes) {
  for (std::uint64_t n = 1; n <= 100; ++n) add(slot_id(n), ulid("step_", n), "step_created");
  EXPECT_LE(round_trip(false), 600U);
}

TEST_F(PackedRunTest, WhateverTheIdsLookLikeTheLogIsTheSame) {
  add("short", "a spilled key", "hook_created", {.lsn = decoder::Lsn{~0ULL}, .time = {-5}, .xid = 7});
  add(ulid("wevt_", 9), std::nullopt, "run_created", {.lsn = {}, .time = {}, .xid = 0xFFFFFFFFU});
  add(ulid("wevt_", 3), ulid("step_", 4), "step_created", {.lsn = decoder::Lsn{1}, .time = {1}, .xid = 1});
  add(ulid("evnt_", 3), ulid("hook_", 2), "hook_disposed");
  add(slot_id(12), ulid("step_", 4), "step_completed");
  add("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "step_started");
  add("00000000000000000000000000", "00000000000000000000000000", "step_started");
  add(ulid("wevt_", 5), "a spilled key", "hook_received");
  add(std::string(40'000, 'x'), std::string(70'000, 'y'), "wait_created");
  add(ulid("wevt_", 6), std::nullopt, "run_completed");
  (void)round_trip(false);
  (void)round_trip(true);
}

TEST_F(PackedRunTest, MoreKindsOfRowsThanNumbersAreWrittenOut) {
  for (int n = 0; n < 300; ++n) {
    (void)kinds.number({.type = static_cast<std::uint8_t>(n % 60),
                        .group = static_cast<std::uint8_t>(200 + n / 60),
                        .id_kind = 0,
                        .key_kind = 0});
  }
  EXPECT_EQ(kinds.size(), RowKinds::kWrittenOut);
  add(ulid("wevt_", 1), ulid("step_", 1), "step_created");
  add(ulid("wevt_", 2), ulid("step_", 1), "step_completed");
  add(ulid("wevt_", 3), std::nullopt, "run_completed");
  (void)round_trip(true);
}

RC_GTEST_FIXTURE_PROP(PackedRunTest, AnyLogComesBackAsItWas, ()) {
  const auto text = [](std::string prefix) {
    return rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 12), rc::gen::inRange(0, 4)),
                        [prefix](const std::pair<int, int>& drawn) {
                          const auto n = static_cast<std::uint64_t>(drawn.first);
                          switch (drawn.second) {
                            case 0:
                              return slot_id(n);
                            case 1:
                              return "free text " + std::to_string(n);
                            default:
                              return ulid(prefix, n * 0x123456789ABCULL);
                          }
                        });
  };
  const std::vector<std::string> types = {"step_created",  "step_started", "step_completed", "hook_created",
                                          "hook_disposed", "run_created",  "run_completed",  "unheard_of"};
  const auto count = *rc::gen::inRange(0, 40);
  for (int i = 0; i < count; ++i) {
    const auto correlation = *rc::gen::oneOf(
        rc::gen::just(std::optional<std::string>{}),
        rc::gen::map(text("step_"), [](std::string t) { return std::optional<std::string>(std::move(t)); }));
    add(*text("wevt_"), correlation, *rc::gen::elementOf(types),
        {.lsn = decoder::Lsn{*rc::gen::arbitrary<std::uint64_t>()},
         .time = {*rc::gen::arbitrary<std::int64_t>() / 4},
         .xid = *rc::gen::arbitrary<decoder::Xid>()});
  }
  (void)round_trip(*rc::gen::arbitrary<bool>());
  RC_ASSERT(!::testing::Test::HasFailure());
}

/// A row of run "r" as RunIndex asks for it.
PackedRow packed_row(TokenCodec& codec, const Profile& profile, const Event& event, decoder::Xid xid) {
  const auto type = make_event_row(profile, profile.find_type(event.type), event.type);
  PackedRow row{.id = codec.pack(event.id), .key = {}, .kind = {}, .xid = xid};
  if (event.identity[0]) row.key = codec.pack(*event.identity[0]);
  row.kind = {.type = type.type,
              .group = type.group,
              .id_kind = row.id.kind,
              .key_kind = row.key.kind,
              .closes = type.closes,
              .ends_run = false,
              .null_identity = !event.identity[0]};
  return row;
}

TEST_F(PackedRunTest, ARowBehindALogIsAsIfTheLogHadBeenPackedWithIt) {
  const std::vector<std::string> types = {"step_created", "step_started", "step_completed", "hook_received",
                                          "run_created",  "attr_set",     "run_completed"};
  Prng random(1);
  std::size_t appended = 0;
  std::size_t refused = 0;
  for (int round = 0; round < 300; ++round) {
    log.clear();
    const auto run_id = codec.pack(ulid("wrun_", random.next() >> 8U));
    for (std::uint64_t n = 1; n <= 60; ++n) {
      const auto number = random.below(12) == 0 ? random.below(100) : 100 * n + random.below(100);
      Event row{"r", ulid("wevt_", number << random.below(3)), {ulid("step_", random.below(6))}, {}};
      row.type = types[random.below(random.below(20) == 0 ? types.size() : types.size() - 1)];
      if (random.below(40) == 0) row.id = slot_id(number);
      if (random.below(60) == 0) row.id = "free text";
      if (random.below(8) == 0) row.identity = {std::nullopt};
      const CommitInfo commit{.lsn = {}, .time = {}, .xid = static_cast<decoder::Xid>(random.next())};
      const auto wanted = packed_row(codec, profile, row, commit.xid);
      pack(log, run_id, false, kinds, bytes);
      // Exactly as much memory as was packed: a byte read beyond it is a sanitizer's.
      const std::vector<std::byte> packed(bytes);
      std::optional<PackedView> view;
      if (wanted.id.packed() && row.type != "run_completed") {
        view = peek(packed, run_id, kinds, wanted);
      }
      std::vector<std::byte> with_row;
      if (view) append(packed, *view, wanted, kinds, with_row);
      const bool ended = log.run_end() != RunLog::kNone;
      const auto added = add_event(log, codec, profile, row, commit);
      if (!view) {
        ++refused;
        continue;
      }
      ++appended;
      ASSERT_FALSE(added.known);
      ASSERT_FALSE(ended);
      ASSERT_EQ(log.greatest(), added.row);
      ASSERT_NE(log.first_slot(), added.row);
      ASSERT_NE(log.first_other(), added.row);
      ASSERT_TRUE(log.first_slot() == RunLog::kNone || log.first_other() == RunLog::kNone);
      const auto& entity = log.entity(log.row(added.row).entity);
      const auto own = type_bit(wanted.kind.type);
      ASSERT_EQ(view->seen, entity.repeated & own ? entity.seen : entity.seen & ~own);
      ASSERT_EQ(view->repeated | (view->seen & own), entity.repeated);
      pack(log, run_id, false, kinds, bytes);
      ASSERT_EQ(with_row, bytes);
    }
  }
  EXPECT_GT(appended, 1000U);
  EXPECT_GT(refused, 1000U);
}

TEST_F(PackedRunTest, NothingIsPutBehindALogThatKeepsItsCommits) {
  add(ulid("wevt_", 1), ulid("step_", 1), "step_created");
  const auto run_id = codec.pack(ulid("wrun_", 1));
  const auto row = packed_row(codec, profile, {"r", ulid("wevt_", 2), {ulid("step_", 2)}, "step_created"}, 7);
  pack(log, run_id, false, kinds, bytes);
  EXPECT_TRUE(peek(bytes, run_id, kinds, row).has_value());
  pack(log, run_id, true, kinds, bytes);
  EXPECT_FALSE(peek(bytes, run_id, kinds, row).has_value());
}

TEST_F(PackedRunTest, ARowThatThePackedLogHasIsKnown) {
  Prng random(2);
  for (int round = 0; round < 100; ++round) {
    log.clear();
    const auto run_id = codec.pack(ulid("wrun_", random.next() >> 8U));
    std::vector<PackedRow> rows;
    for (std::uint64_t n = 1; n <= 60; ++n) {
      // In any order, some with one id in two entities or types; the run's end is among them.
      const auto* type = n == 40 ? "run_completed" : random.below(2) == 0 ? "step_created" : "step_started";
      const Event event{"r", ulid("wevt_", random.below(200)), {ulid("step_", random.below(6))}, type};
      const auto xid = static_cast<decoder::Xid>(1 + random.below(1000));
      if (add_event(log, codec, profile, event, {.lsn = {}, .time = {}, .xid = xid}).known) continue;
      if (n != 40) rows.push_back(packed_row(codec, profile, event, xid));
    }
    pack(log, run_id, false, kinds, bytes);
    const std::vector<std::byte> packed(bytes);
    for (auto row : rows) {
      const auto view = peek(packed, run_id, kinds, row);
      ASSERT_TRUE(view && view->known);
      row.xid += 1;
      ASSERT_FALSE(peek(packed, run_id, kinds, row)) << "another transaction has written it";
      row.xid -= 1;
      row.id.lo += 1U << 20U;
      ASSERT_FALSE(peek(packed, run_id, kinds, row)) << "the run has ended, and the id is none of its rows'";
    }
  }
}

}  // namespace
}  // namespace dupwatch::core::packed_run_test
