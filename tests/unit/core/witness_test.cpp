#include "daemon/core/witness.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dupwatch::core::witness_test {
namespace {

using namespace std::chrono_literals;
using decoder::Lsn;

struct WitnessTest : ::testing::Test {
  WitnessTest() {
    witness.stream_started(Lsn{1000});
    moment(100);
  }

  /// The server's next transaction is `xmax`, and none is in progress.
  void moment(std::uint64_t xmax) {
    lsn += 10;
    Witness::Moment now_is{.xmin = xmax, .xmax = xmax, .lsn = Lsn{lsn}, .edits = {}};
    if (counts) now_is.edits = edits;
    witness.at(now_is, Lsn{lsn - 10}, now);
  }
  void stream(const std::string& id, decoder::Xid xid) { witness.streamed("run", id, xid, Lsn{++lsn}, now); }
  void see(const std::string& id, decoder::Xid xid) { witness.seen("run", id, xid, now); }
  std::vector<Witness::Verdict> judge() { return witness.judge(Lsn{lsn}, now); }
  /// Longer than the server's counts may be late.
  std::vector<Witness::Verdict> judge_later(std::uint64_t xmax) {
    (void)judge();
    now += Witness::kEditsLate + 1s;
    moment(xmax);
    return judge();
  }
  /// What SQL shows of the rows that it is asked for.
  void answer(const std::vector<Witness::Row>& shown) { witness.answered(shown, now); }

  Witness witness{7};
  std::uint64_t lsn = 1000;
  Instant now = Instant{} + 1h;
  bool counts = true;
  Witness::Edits edits;
};

TEST_F(WitnessTest, RowsThatBothShowAreAnAgreement) {
  stream("1", 100);
  see("1", 100);
  see("2", 101);  // its commit is on the way to us
  moment(102);
  EXPECT_TRUE(judge().empty());
  stream("2", 101);
  EXPECT_TRUE(judge_later(102).empty());
  EXPECT_EQ(witness.stats().rows, 2U);
  EXPECT_EQ(witness.standing(), std::nullopt);
}

TEST_F(WitnessTest, ARowThatTheStreamWentPastIsDeafness) {
  see("1", 100);
  EXPECT_TRUE(judge().empty());
  moment(101);
  EXPECT_TRUE(judge().empty()) << "the server may not have counted an UPDATE yet";
  const auto verdicts = judge_later(101);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, Disagreement::kDeaf);
  EXPECT_EQ(verdicts[0].row.id, "1");
  EXPECT_EQ(verdicts[0].since, Lsn{1000});
  EXPECT_EQ(witness.standing(), Disagreement::kDeaf);
  EXPECT_EQ(witness.stats().disagreements[0], 1U);
}

TEST_F(WitnessTest, AStreamThatLagsIsNotDeaf) {
  see("1", 100);
  moment(101);
  const Lsn behind{lsn - 1};
  EXPECT_TRUE(witness.judge(behind, now).empty());
  now += 30s;
  moment(101);
  EXPECT_TRUE(witness.judge(behind, now).empty());
  stream("1", 100);
  EXPECT_TRUE(judge_later(101).empty());
}

TEST_F(WitnessTest, TransactionsThatBeganBeforeTheFirstMomentAreNotJudged) {
  see("1", 99);
  see("2", 0);
  EXPECT_TRUE(judge_later(100).empty());
  EXPECT_TRUE(judge_later(100).empty());
}

TEST_F(WitnessTest, ARowThatAnUpdateWroteIsNotDeafness) {
  see("1", 100);
  moment(101);
  ++edits.updates;
  EXPECT_TRUE(judge_later(101).empty());
  see("2", 101);
  moment(102);
  ++edits.deletes;
  EXPECT_EQ(judge_later(102).size(), 1U) << "a DELETE writes no row";
}

TEST_F(WitnessTest, WhereNothingIsCountedOnlyASilentStreamIsDeaf) {
  counts = false;
  moment(100);
  see("1", 100);
  see("2", 100);
  moment(101);
  EXPECT_TRUE(judge_later(101).empty()) << "two rows may come from an UPDATE";
  for (const auto* id : {"3", "4", "5"}) see(id, 101);
  moment(102);
  EXPECT_EQ(judge_later(102).size(), 3U);
  for (const auto* id : {"6", "7", "8"}) see(id, 102);
  moment(103);
  stream("9", 102);
  EXPECT_TRUE(judge_later(103).empty()) << "rows come";
}

TEST_F(WitnessTest, RowsOfABurstThatIsForgottenAreNotJudged) {
  see("1", 100);
  for (std::size_t i = 0; i <= Witness::kStreamedMax; ++i) stream("b" + std::to_string(i), 101);
  moment(102);
  EXPECT_TRUE(judge_later(102).empty()) << "it may have been among them";
}

TEST_F(WitnessTest, AnIdThatWasNotGivenOutYetIsOfAnOldRow) {
  see("old", 4'000);
  moment(101);
  EXPECT_TRUE(judge_later(101).empty());
}

TEST_F(WitnessTest, TransactionIdsGoRound) {
  moment((std::uint64_t{1} << 32U) - 2);
  see("old", 4'294'967'293U);
  see("1", 4'294'967'294U);
  see("2", 5);
  moment((std::uint64_t{1} << 32U) + 6);
  EXPECT_EQ(judge_later((std::uint64_t{1} << 32U) + 6).size(), 2U);
}

TEST_F(WitnessTest, AnAgreementAboutALaterRowEndsTheDisagreement) {
  see("1", 100);
  moment(101);
  ASSERT_EQ(judge_later(101).size(), 1U);
  stream("2", 101);
  EXPECT_EQ(witness.standing(), Disagreement::kDeaf);
  see("2", 101);
  EXPECT_EQ(witness.standing(), std::nullopt);
}

TEST_F(WitnessTest, ARowOfAGapIsReportedOnce) {
  see("1", 100);
  moment(101);
  ASSERT_EQ(judge_later(101).size(), 1U);
  witness.excuse();
  EXPECT_EQ(witness.standing(), Disagreement::kDeaf) << "until a later row agrees";
  moment(101);
  see("1", 100);  // it stays in the last pages of the table
  EXPECT_TRUE(judge_later(101).empty());
  see("2", 101);
  moment(102);
  EXPECT_EQ(judge_later(102).size(), 1U) << "what comes later is judged";
  witness.explain();
  EXPECT_EQ(witness.standing(), std::nullopt);
}

TEST_F(WitnessTest, AStreamedRowThatSqlDoesNotShowIsBlindness) {
  stream("1", 100);
  EXPECT_TRUE(witness.to_ask().empty()) << "its transaction may not have ended for others";
  moment(101);
  ASSERT_EQ(witness.to_ask().size(), 1U);
  answer({});
  EXPECT_TRUE(judge().empty());
  now += Witness::kEditsLate + 1s;
  moment(101);
  ASSERT_EQ(witness.to_ask().size(), 1U);
  answer({});
  const auto verdicts = judge();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, Disagreement::kBlind);
  stream("2", 101);
  now += 1s;
  moment(102);
  answer(witness.to_ask());
  EXPECT_EQ(witness.standing(), std::nullopt);
}

TEST_F(WitnessTest, ARowThatMayBeDeletedIsNoBlindness) {
  for (auto* edit : {&edits.deletes, &edits.updates, &edits.file}) {
    stream("1", 100);
    moment(101);
    ASSERT_EQ(witness.to_ask().size(), 1U);
    answer({});
    ++*edit;
    now += Witness::kEditsLate + 1s;
    moment(101);
    (void)witness.to_ask();
    answer({});
    EXPECT_TRUE(judge().empty());
    EXPECT_TRUE(witness.to_ask().empty()) << "and it is not asked for again";
  }
}

TEST_F(WitnessTest, WhatItHoldsIsBounded) {
  for (std::size_t i = 0; i < 1'000; ++i) {
    now += 1s;
    stream("s" + std::to_string(i), 100);
    see("t" + std::to_string(i), 100);
  }
  moment(101);
  EXPECT_LE(witness.to_ask().size(), Witness::kAskedMax);
  EXPECT_LE(judge_later(101).size(), Witness::kSuspectsMax);
}

TEST_F(WitnessTest, ADisagreementThatEndsIsAReasonToLookAgain) {
  see("1", 100);
  moment(101);
  ASSERT_EQ(judge_later(101).size(), 1U);
  EXPECT_FALSE(witness.take_recovery());
  stream("2", 101);
  see("2", 101);
  EXPECT_EQ(witness.standing(), std::nullopt);
  const auto over = witness.take_recovery();
  ASSERT_TRUE(over);
  EXPECT_EQ(over->kind, Disagreement::kDeaf);
  EXPECT_EQ(over->since, Lsn{1000});
  EXPECT_FALSE(witness.take_recovery()) << "once";
}

TEST_F(WitnessTest, AnotherStreamMayHaveMissedWhatTheDeafOneDid) {
  see("1", 100);
  moment(101);
  ASSERT_EQ(judge_later(101).size(), 1U);
  witness.stream_started(Lsn{lsn});
  EXPECT_TRUE(witness.take_recovery());
}

TEST_F(WitnessTest, WhatTheCatalogueExplainsHasItsOwnGap) {
  see("1", 100);
  moment(101);
  ASSERT_EQ(judge_later(101).size(), 1U);
  witness.explain();
  EXPECT_FALSE(witness.take_recovery());
}

TEST_F(WitnessTest, ARowThatIsNotShownMayMeanThatNothingCanBeSeen) {
  now += 2s;
  stream("1", 100);
  moment(101);
  EXPECT_FALSE(witness.may_be_blind());
  ASSERT_EQ(witness.to_ask().size(), 1U);
  answer({});
  EXPECT_TRUE(witness.may_be_blind());
  now += Witness::kEditsLate + 1s;
  moment(101);
  (void)witness.to_ask();
  answer({});
  ASSERT_EQ(witness.standing(), Disagreement::kBlind);
  EXPECT_TRUE(witness.may_be_blind());
}

}  // namespace
}  // namespace dupwatch::core::witness_test
