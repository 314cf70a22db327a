#include <gtest/gtest.h>

#include "tests/unit/decoder/driver.hpp"
#include "tests/unit/decoder/pgoutput_wire.hpp"

namespace dupwatch::decoder::pgoutput_test {
namespace {

using wire::t;

constexpr std::uint32_t kEvents = 16385;
const std::string kBeginLine = "begin xid=7 lsn=0/100 time=1795497698123456\n";
const std::string kCommitLine = "commit lsn=0/100 end=0/130 time=1795497698123456\n";

std::string events_relation() {
  return wire::relation(kEvents, "workflow", "workflow_events",
                        {{"id", true}, {"run_id"}, {"type"}, {"correlation_id"}, {"payload"}});
}

/// A decoder that has seen Begin and the description of the watched table.
class Pgoutput : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(d.feed(wire::begin()), kBeginLine);
    ASSERT_EQ(d.feed(events_relation()), "relation 0 oid=16385 missing=\"\"\n");
  }
  Driver d{Plugin::kPgoutput};
};

TEST_F(Pgoutput, InsertGivesTheWatchedColumnsByNameWhateverTheirOrder) {
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e1"), t("r1"), t("step_created"), t("s1"), t("\\x00")})),
            "insert 0 \"r1\" \"e1\" \"s1\" \"step_created\"\n");
  EXPECT_EQ(d.feed(wire::commit()), kCommitLine);
}

TEST_F(Pgoutput, NullIsNotTheEmptyText) {
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e"), t("r"), t(""), wire::kNull, wire::kNull})),
            "insert 0 \"r\" \"e\" null \"\"\n");
}

TEST_F(Pgoutput, BinaryValuesAreTakenAsTheyAre) {
  EXPECT_EQ(d.feed(wire::insert(kEvents, {wire::b("e"), wire::b("r"), t("x"), wire::b("\xc3\xa9"), t("p")})),
            "insert 0 \"r\" \"e\" \"\xc3\xa9\" \"x\"\n");
}

TEST_F(Pgoutput, UpdateGivesTheNewRowAndUnchangedToastIsAbsent) {
  const std::vector<wire::Cell> cells = {t("e"), t("r"), wire::kUnchanged, t("s"), wire::kUnchanged};
  const std::vector<wire::Cell> old = {t("old"), t("old"), t("old"), t("old"), t("old")};
  const std::string line = "update 0 \"r\" \"e\" \"s\" absent\n";
  EXPECT_EQ(d.feed(wire::update(kEvents, cells)), line);
  EXPECT_EQ(d.feed(wire::update_with_old(kEvents, 'K', old, cells)), line);
  EXPECT_EQ(d.feed(wire::update_with_old(kEvents, 'O', old, cells)), line);
}

TEST_F(Pgoutput, DeleteByKeyGivesTheKeyAloneAndByFullRowAllColumns) {
  EXPECT_EQ(d.feed(wire::remove(kEvents, 'K', {t("e"), wire::kNull, wire::kNull, wire::kNull, wire::kNull})),
            "delete 0 absent \"e\" absent absent\n");
  EXPECT_EQ(d.feed(wire::remove(kEvents, 'O', {t("e"), t("r"), t("x"), wire::kNull, t("p")})),
            "delete 0 \"r\" \"e\" null \"x\"\n");
}

TEST_F(Pgoutput, TruncateNamesEachWatchedTableAndNoOther) {
  EXPECT_EQ(d.feed(wire::relation(5, "public", "other", {{"a"}})), "");
  EXPECT_EQ(d.feed(wire::truncate({5, kEvents})), "truncate 0\n");
  EXPECT_EQ(d.feed(wire::truncate({kEvents, 6})), "error sequence\n");
  EXPECT_EQ(d.feed(wire::truncate({})), "");
}

TEST_F(Pgoutput, RowsOfOtherTablesAreSkippedAndUndescribedOnesRefused) {
  EXPECT_EQ(d.feed(wire::relation(5, "public", "workflow_events", {{"id"}})), "");
  EXPECT_EQ(d.feed(wire::insert(5, {t("x")})), "");
  EXPECT_EQ(d.feed(wire::update(5, {t("x")})), "");
  EXPECT_EQ(d.feed(wire::remove(5, 'K', {t("x")})), "");
  EXPECT_EQ(d.feed(wire::insert(6, {t("x")})), "error sequence\n");
}

TEST_F(Pgoutput, ARenamedTableIsFollowedByItsOid) {
  EXPECT_EQ(d.feed(wire::relation(kEvents, "archive", "old_events",
                                  {{"id"}, {"run_id"}, {"type"}, {"correlation_id"}})),
            "relation 0 oid=16385 missing=\"\"\n");
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e"), t("r"), t("x"), t("s")})),
            "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
}

TEST_F(Pgoutput, ATableThatTakesTheWatchedNameIsWatchedFromThen) {
  EXPECT_EQ(d.feed(wire::relation(5, "public", "other", {{"id"}})), "");
  EXPECT_EQ(d.feed(wire::relation(5, "workflow", "workflow_events",
                                  {{"run_id"}, {"id"}, {"correlation_id"}, {"type"}})),
            "relation 0 oid=5 missing=\"\"\n");
  EXPECT_EQ(d.feed(wire::insert(5, {t("r"), t("e"), t("s"), t("x")})), "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
}

TEST_F(Pgoutput, ADroppedColumnIsAnnouncedAndItsInsertsAreErrors) {
  EXPECT_EQ(
      d.feed(wire::relation(kEvents, "workflow", "workflow_events", {{"id", true}, {"run_id"}, {"type"}})),
      "relation 0 oid=16385 missing=\"correlation_id\"\n");
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e"), t("r"), t("x")})), "error missing_column\n");
  EXPECT_NE(d.error()->detail.find("workflow.workflow_events lacks column correlation_id"),
            std::string::npos);
  EXPECT_EQ(d.feed(wire::update(kEvents, {t("e"), t("r"), t("x")})), "update 0 \"r\" \"e\" absent \"x\"\n");
}

TEST_F(Pgoutput, AnInsertWithoutAValueForAWatchedColumnIsAMissingColumn) {
  EXPECT_EQ(d.feed(wire::insert(kEvents, {wire::kUnchanged, t("r"), t("x"), t("s"), t("")})),
            "error missing_column\n");
}

TEST_F(Pgoutput, AnErrorInARowKeepsTheTransactionAndItsCommit) {
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e")})), "error malformed\n");
  EXPECT_EQ(d.feed("?"), "error unknown\n");
  EXPECT_EQ(d.feed(""), "error truncated\n");
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e"), t("r"), t("x"), t("s"), t("")})),
            "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
  EXPECT_EQ(d.feed(wire::commit()), kCommitLine);
}

TEST_F(Pgoutput, ABrokenDescriptionMakesItsRowsErrorsUntilTheNextOne) {
  auto broken = events_relation();
  broken.pop_back();
  EXPECT_EQ(d.feed(broken), "error truncated\n");
  const auto row = wire::insert(kEvents, {t("e"), t("r"), t("x"), t("s"), t("")});
  EXPECT_EQ(d.feed(row), "error sequence\n");
  EXPECT_EQ(d.feed(wire::relation(kEvents, "workflow", "workflow_events", {{"id"}, {"id"}})),
            "error malformed\n");
  EXPECT_EQ(d.feed(row), "error sequence\n");
  d.feed(events_relation());
  EXPECT_EQ(d.feed(row), "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
}

TEST_F(Pgoutput, SequenceErrorsChangeNothing) {
  EXPECT_EQ(d.feed(wire::begin(0x900, 8)), "error sequence\n");
  EXPECT_EQ(d.feed(wire::commit()), kCommitLine);
  EXPECT_EQ(d.feed(wire::commit()), "error sequence\n");
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e"), t("r"), t("x"), t("s"), t("")})), "error sequence\n");
  EXPECT_EQ(d.feed(wire::truncate({kEvents})), "error sequence\n");
  EXPECT_EQ(d.feed(wire::message(true, "dupwatch", "x")), "error sequence\n");
  EXPECT_EQ(d.feed(wire::begin()), kBeginLine);
}

TEST_F(Pgoutput, OurMessagesArriveAndOthersDoNot) {
  EXPECT_EQ(d.feed(wire::message(true, "dupwatch", std::string_view("a\0b", 3))),
            "message in lsn=0/200 \"dupwatch\" \"a\\x00b\"\n");
  EXPECT_EQ(d.feed(wire::message(true, "other", "x")), "");
  d.feed(wire::commit());
  EXPECT_EQ(d.feed(wire::message(false, "dupwatch", "")), "message out lsn=0/200 \"dupwatch\" \"\"\n");
  auto flags = wire::message(false, "dupwatch", "");
  flags[1] = 2;
  EXPECT_EQ(d.feed(flags), "error malformed\n");
}

TEST_F(Pgoutput, TypeAndOriginAreReadAndSaidNothingAbout) {
  EXPECT_EQ(d.feed(wire::Writer().byte('Y').be(std::uint32_t{99}).cstring("s").cstring("t").str()), "");
  EXPECT_EQ(d.feed(wire::Writer().byte('O').be(std::uint64_t{99}).cstring("o").str()), "");
}

TEST_F(Pgoutput, HostileLengthsAreTruncation) {
  const auto head = wire::Writer().byte('I').be(kEvents).byte('N').be(std::uint16_t{5}).byte('t');
  auto size_max = head;
  EXPECT_EQ(d.feed(size_max.be(std::uint32_t{0xFFFFFFFF}).raw("abc").str()), "error truncated\n");
  EXPECT_EQ(d.error()->offset, 13U);
  auto message = wire::Writer().byte('M').byte(0).be(std::uint64_t{1}).cstring("dupwatch");
  EXPECT_EQ(d.feed(message.be(std::uint32_t{0x80000000}).str()), "error truncated\n");
  EXPECT_EQ(d.feed(wire::Writer().byte('T').be(std::uint32_t{0xFFFFFFFF}).byte(0).be(kEvents).str()),
            "error truncated\n");
  EXPECT_EQ(d.feed(wire::insert(kEvents, {{'?', ""}, t(""), t(""), t(""), t("")})), "error malformed\n");
}

TEST_F(Pgoutput, AMegabyteOfTextArrivesWhole) {
  const std::string big(1'000'000, 'x');
  EXPECT_EQ(d.feed(wire::insert(kEvents, {t("e"), t("r"), t(big), t("s"), t(big)})),
            "insert 0 \"r\" \"e\" \"s\" \"" + big + "\"\n");
}

TEST_F(Pgoutput, CommitTimesOutsideTheRangeAreMalformed) {
  const auto late = [](char type) {
    wire::Writer out;
    out.byte(type);
    if (type == 'C') out.byte(0).be(std::uint64_t{1});
    out.be(std::uint64_t{1}).be(std::int64_t{INT64_MAX});
    if (type == 'B') out.be(std::uint32_t{1});
    return out.str();
  };
  EXPECT_EQ(d.feed(late('B')), "error malformed\n");
  EXPECT_EQ(d.feed(late('C')), "error malformed\n");
  EXPECT_EQ(d.feed(wire::commit()), kCommitLine);
}

/// Every kind of message, each legal after Begin and the description of the watched table.
std::vector<std::string> one_of_each() {
  const std::vector<wire::Cell> cells = {t("e"), t("r"), wire::kNull, wire::kUnchanged, wire::b("\x01\x02")};
  return {wire::commit(),
          events_relation(),
          wire::insert(kEvents, {t("e"), t("r"), t("x"), t("s"), t("p")}),
          wire::update(kEvents, cells),
          wire::update_with_old(kEvents, 'K', cells, cells),
          wire::remove(kEvents, 'K', cells),
          wire::remove(kEvents, 'O', cells),
          wire::truncate({kEvents}),
          wire::message(true, "dupwatch", "content"),
          wire::Writer().byte('Y').be(std::uint32_t{99}).cstring("s").cstring("t").str(),
          wire::Writer().byte('O').be(std::uint64_t{99}).cstring("o").str()};
}

void open_transaction(Driver& driver) {
  driver.feed(wire::begin());
  driver.feed(events_relation());
}

TEST(PgoutputDamage, EveryPrefixOfEveryMessageIsTruncated) {
  for (const auto& message : one_of_each()) {
    for (std::size_t size = 0; size < message.size(); ++size) {
      Driver driver(Plugin::kPgoutput);
      open_transaction(driver);
      EXPECT_EQ(driver.feed(std::string_view(message).substr(0, size)), "error truncated\n")
          << message.front() << " cut to " << size;
      EXPECT_LE(driver.error()->offset, size);
    }
  }
  Driver driver(Plugin::kPgoutput);
  const auto begin = wire::begin();
  for (std::size_t size = 0; size < begin.size(); ++size) {
    EXPECT_EQ(driver.feed(std::string_view(begin).substr(0, size)), "error truncated\n");
  }
}

TEST(PgoutputDamage, ABytePastTheEndIsTrailing) {
  for (const auto& message : one_of_each()) {
    Driver driver(Plugin::kPgoutput);
    open_transaction(driver);
    EXPECT_EQ(driver.feed(message + '\0'), "error trailing\n") << message.front();
    EXPECT_EQ(driver.error()->offset, message.size());
  }
  Driver driver(Plugin::kPgoutput);
  EXPECT_EQ(driver.feed(wire::begin() + "x"), "error trailing\n");
}

TEST(PgoutputDamage, NoFlippedByteStopsTheStream) {
  for (const auto& message : one_of_each()) {
    for (std::size_t at = 0; at < message.size(); ++at) {
      for (const unsigned mask : {0x01U, 0x80U, 0xFFU}) {
        Driver driver(Plugin::kPgoutput);
        open_transaction(driver);
        auto damaged = message;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ mask);
        const auto said = driver.feed(damaged);
        // Whatever the damage did, the transaction can be ended and the next one begun.
        const bool committed = said.starts_with("commit");
        EXPECT_EQ(driver.feed(wire::commit()), committed ? "error sequence\n" : kCommitLine);
        EXPECT_EQ(driver.feed(wire::begin()), kBeginLine);
      }
    }
  }
}

TEST(PgoutputTables, SeveralTablesHaveTheirOwnColumns) {
  Driver driver(
      Plugin::kPgoutput,
      {{"workflow", "events", {"id"}}, {"Other", "we ird", {"b", "a", "b"}}, {"pg_catalog", "c", {}}});
  driver.feed(wire::begin());
  EXPECT_EQ(driver.feed(wire::relation(1, "Other", "we ird", {{"a"}, {"b"}})),
            "relation 1 oid=1 missing=\"\"\n");
  EXPECT_EQ(driver.feed(wire::relation(2, "workflow", "events", {{"x"}, {"id"}})),
            "relation 0 oid=2 missing=\"\"\n");
  EXPECT_EQ(driver.feed(wire::relation(3, "", "c", {})), "relation 2 oid=3 missing=\"\"\n");
  EXPECT_EQ(driver.feed(wire::insert(1, {t("A"), t("B")})), "insert 1 \"B\" \"A\" \"B\"\n");
  EXPECT_EQ(driver.feed(wire::insert(2, {t("A"), t("B")})), "insert 0 \"B\"\n");
  EXPECT_EQ(driver.feed(wire::insert(3, {})), "insert 2\n");
  EXPECT_EQ(driver.feed(wire::truncate({3, 1})), "truncate 2\ntruncate 1\n");
}

TEST(PgoutputOptions, PublicationIsAQuotedIdentifier) {
  using Options = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(start_options(Plugin::kPgoutput, {}, "my \"pub"),
            (Options{{"proto_version", "1"}, {"publication_names", "\"my \"\"pub\""}, {"messages", "true"}}));
}

}  // namespace
}  // namespace dupwatch::decoder::pgoutput_test
