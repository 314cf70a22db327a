#include "daemon/core/engine.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::engine_test {
namespace {

/// Both forms of the predicate, which must agree.
bool is_slot(const std::string& id) {
  TokenCodec codec;
  const auto token = codec.pack(id);
  const auto slot = slot_of(id);
  EXPECT_EQ(is_slot_number(token), slot.has_value()) << id;
  if (slot && is_slot_number(token)) {
    EXPECT_EQ(slot_of(token), *slot) << id;
  }
  return slot.has_value();
}

TEST(SlotNumber, IsEvntAndTwentySixDecimalDigitsTenZerosFirst) {
  EXPECT_TRUE(is_slot(slot_id(1)));
  EXPECT_TRUE(is_slot(slot_id(0)));
  EXPECT_TRUE(is_slot("evnt_00000000009999999999999999"));
  EXPECT_EQ(slot_of("evnt_00000000009999999999999999"), 9'999'999'999'999'999U);
  for (const auto* other : {"evnt_00000000010000000000000000", "wevt_00000000000000000000000007",
                            "evnt_0000000000000000000000000A", "evnt_000000000000000000000000Z1",
                            "evnt_0000000000A000000000000001", "evnt_1", "", "evnt_",
                            "Evnt_00000000000000000000000001", "evnt_000000000000000000000000001",
                            "evnt_0000000000000000000000001", "evnt_00000000000000000000000001 ",
                            " evnt_00000000000000000000000001", "00000000000000000000000001"}) {
    EXPECT_FALSE(is_slot(other)) << other;
  }
  EXPECT_FALSE(is_slot(ulid("evnt_", 1)));
}

RC_GTEST_PROP(SlotNumber, OfTextAndOfTokenAreOne, ()) {
  const auto prefix = *rc::gen::element<std::string>("evnt_", "wevt_", "evnt", "");
  const auto body = *rc::gen::container<std::string>(
      26, rc::gen::weightedElement<char>({{20, '0'}, {4, '7'}, {3, '9'}, {1, 'A'}, {1, 'Z'}, {1, 'x'}}));
  (void)is_slot(prefix + body);
  (void)is_slot(prefix + "0000000000" + body.substr(10));
}

TEST(UlidMillis, IsTheTimeInAnId) {
  TokenCodec codec;
  EXPECT_EQ(ulid_millis(codec.pack("wevt_01K9ZC3F4E5G6H7J8K9MNPQRST")), 1'763'063'217'294ULL);
  EXPECT_EQ(ulid_millis(codec.pack(slot_id(5))), 0U);
  EXPECT_EQ(ulid_millis(codec.pack("no ulid")), 0U);
}

TEST(Generations, DifferInTheIdsThatTheyTakeAndInNoop) {
  std::set<Engine> refusing;
  std::set<Engine> reading;
  for (std::size_t i = 0; i < kEngines; ++i) {
    const auto engine = static_cast<Engine>(i);
    if (refuses_ulids(engine)) refusing.insert(engine);
    if (reads_noop(engine)) reading.insert(engine);
  }
  EXPECT_EQ(refusing, (std::set<Engine>{Engine::kV5BeforeAttributeSkip, Engine::kV5}));
  EXPECT_EQ(reading, (std::set<Engine>{Engine::kV5, Engine::kV5SingleOrchestrator}));
}

AutoEngines with_specs(int least, int greatest, bool seq_in_band = false) {
  return auto_engines({.v5_columns = true,
                       .slot_table = true,
                       .seq_in_band = seq_in_band,
                       .spec_least = least,
                       .spec_greatest = greatest});
}

TEST(AutoEngines, GoBySchemaWhereThereAreNoSlots) {
  EXPECT_EQ(auto_engines({}).ulids, Engine::kV4);
  EXPECT_EQ(auto_engines({.v5_columns = true}).ulids, Engine::kV5BeforeClassSkip);
  // Spec versions say nothing there.
  EXPECT_EQ(auto_engines({.spec_least = 9, .spec_greatest = 9}).ulids, Engine::kV4);
  EXPECT_EQ(auto_engines({}).slots, Engine::kV5);
}

TEST(AutoEngines, GoBySpecVersionWhereThereAre) {
  const std::vector<std::pair<int, Engine>> expected = {{4, Engine::kV5BeforeClassSkip},
                                                        {5, Engine::kV5BeforeClassSkip},
                                                        {6, Engine::kV5BeforeAttributeSkip},
                                                        {7, Engine::kV5},
                                                        {8, Engine::kV5},
                                                        {9, Engine::kV5SingleOrchestrator},
                                                        {10, Engine::kUnknown}};
  for (const auto& [spec, engine] : expected) {
    const auto taken = with_specs(spec, spec);
    EXPECT_EQ(taken.slots, engine) << spec;
    EXPECT_EQ(taken.ulids, engine) << spec;
    EXPECT_EQ(taken.unreplayed, spec >= 9) << spec;
    EXPECT_FALSE(taken.why.empty());
  }
  // Old runs beside new ones: the workers are the new ones'.
  EXPECT_EQ(with_specs(3, 8).slots, Engine::kV5);
  EXPECT_EQ(with_specs(3, 8).ulids, Engine::kV5);
  // The schema was migrated before the workers.
  for (const int spec : {1, 3}) {
    EXPECT_EQ(with_specs(spec, spec).ulids, Engine::kV4) << spec;
    EXPECT_EQ(with_specs(spec, spec).slots, Engine::kV5) << spec;
    EXPECT_EQ(with_specs(spec, spec, true).slots, Engine::kUnknown) << spec;
  }
}

TEST(AutoEngines, OfTwoGenerationsAtOnceOrOfNoneKnownMakeNoGuess) {
  EXPECT_EQ(with_specs(8, 9).slots, Engine::kUnknown);
  EXPECT_TRUE(with_specs(8, 9).unreplayed);
  EXPECT_EQ(with_specs(0, 0).slots, Engine::kV5);
  EXPECT_EQ(with_specs(0, 0, true).slots, Engine::kUnknown);
  EXPECT_EQ(with_specs(7, 8, true).slots, Engine::kV5) << "the schema is ahead of the workers";
}

TEST(AutoEngines, LetRunsSpeakForThemselvesFromTheFirstMigrationOf5On) {
  for (const auto source : {SpecSource::kEvents, SpecSource::kRuns}) {
    EXPECT_EQ(auto_engines({.specs = source}).by_run, SpecSource::kNone);
    EXPECT_EQ(auto_engines({.v5_columns = true, .specs = source}).by_run, source);
    for (int spec = 0; spec < 12; ++spec) {
      const auto log = auto_engines({.v5_columns = true,
                                     .slot_table = true,
                                     .spec_least = spec,
                                     .spec_greatest = spec,
                                     .specs = source});
      EXPECT_EQ(log.by_run, source) << spec;
    }
  }
}

TEST(EngineOfSpec, IsThatOfTheEnginesThatBeginSuchRuns) {
  const std::vector<std::optional<Engine>> expected = {std::nullopt,
                                                       Engine::kV4,
                                                       Engine::kV4,
                                                       Engine::kV4,
                                                       Engine::kV5BeforeClassSkip,
                                                       Engine::kV5BeforeClassSkip,
                                                       Engine::kV5BeforeAttributeSkip,
                                                       Engine::kV5,
                                                       Engine::kV5,
                                                       Engine::kV5SingleOrchestrator,
                                                       Engine::kUnknown};
  for (std::size_t spec = 0; spec < expected.size(); ++spec) {
    EXPECT_EQ(engine_of_spec(static_cast<int>(spec)), expected[spec]) << spec;
  }
  EXPECT_EQ(engine_of_spec(-1), std::nullopt);
}

TEST(SpecOf, IsAPositiveNumberAndNothingElse) {
  EXPECT_EQ(spec_of("8"), 8);
  EXPECT_EQ(spec_of("10"), 10);
  for (const char* text : {"", "0", "-3", "other", "8.1", " 8", "8 ", "99999999999999999999"}) {
    EXPECT_EQ(spec_of(text), 0) << text;
  }
}

TEST(EngineOfRun, IsItsOwnAndTheLogsWhereItSaysNothing) {
  const AutoEngines log{.ulids = Engine::kV5, .slots = Engine::kUnknown, .by_run = SpecSource::kEvents};
  const auto of_log = [](Engine engine) { return TakenEngine{.engine = engine, .from = EngineFrom::kLog}; };
  for (std::size_t i = 0; i < kEngines; ++i) {
    const auto own = static_cast<Engine>(i);
    const TakenEngine by_run{.engine = own, .from = EngineFrom::kRun};
    EXPECT_EQ(engine_of_run(log, own, false), by_run) << to_string(own);
    EXPECT_EQ(engine_of_run(log, own, true), by_run) << to_string(own);
  }
  EXPECT_EQ(engine_of_run(log, std::nullopt, false), of_log(Engine::kV5));
  EXPECT_EQ(engine_of_run(log, std::nullopt, true), of_log(Engine::kUnknown));
  const AutoEngines of_v4{.by_run = SpecSource::kNone};
  EXPECT_EQ(engine_of_run(of_v4, Engine::kV5, false), of_log(Engine::kV4))
      << "a schema of 4.x holds no other";
}

}  // namespace
}  // namespace dupwatch::core::engine_test
