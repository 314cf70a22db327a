#include <gtest/gtest.h>

#include "tests/unit/core/live_heap.hpp"
#include "tests/unit/decoder/driver.hpp"

namespace dupwatch::decoder::wal2json_test {
namespace {

using namespace std::string_literals;

const std::string kBegin =
    R"({"action":"B","xid":728,"timestamp":"2026-11-24 05:21:38.123456+00","lsn":"0/152CAA0","nextlsn":"0/152CAD0"})";
const std::string kCommit =
    R"({"action":"C","xid":728,"timestamp":"2026-11-24 05:21:38.123456+00","lsn":"0/152CAA0","nextlsn":"0/152CAD0"})";
const std::string kBeginLine = "begin xid=728 lsn=0/152CAA0 time=1795497698123456\n";
const std::string kCommitLine = "commit lsn=0/152CAA0 end=0/152CAD0 time=1795497698123456\n";
const std::string kTable = R"("schema":"workflow","table":"workflow_events")";

/// A change as wal2json writes it, with whatever follows the table's name.
std::string change(const std::string& action, const std::string& rest) {
  return R"({"action":")" + action +
         R"(","xid":728,"timestamp":"2026-11-24 05:21:38.123456+00","lsn":"0/152C978",)" + kTable + rest +
         "}";
}

std::string column(const std::string& name, const std::string& json) {
  return R"({"name":")" + name + R"(","value":)" + json + "}";
}

/// An insert whose correlation_id and type are given as JSON.
std::string insert(const std::string& correlation_id, const std::string& type = R"("x")") {
  return change("I", R"(,"columns":[)" + column("run_id", R"("r")") + "," + column("id", R"("e")") + "," +
                         column("correlation_id", correlation_id) + "," + column("type", type) + "," +
                         column("payload", R"("00ff")") + "]");
}

class Wal2json : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(d.feed(kBegin), kBeginLine); }
  Driver d{Plugin::kWal2json};
};

TEST_F(Wal2json, InsertGivesTheWatchedColumnsByName) {
  EXPECT_EQ(d.feed(insert(R"("s1")")), "insert 0 \"r\" \"e\" \"s1\" \"x\"\n");
  EXPECT_EQ(d.feed(kCommit), kCommitLine);
}

TEST_F(Wal2json, ColumnsMayBeAddedAndInAnyOrder) {
  EXPECT_EQ(d.feed(change("I", R"(,"columns":[)" + column("added", "[1,{\"name\":\"id\",\"value\":2}]") +
                                   "," + column("type", R"("x")") + "," + column("id", R"("e")") + "," +
                                   column("run_id", R"("r")") + "," + column("n", "1.5e+300") + "," +
                                   column("correlation_id", "null") + R"(],"pk":[{"name":"id"}])")),
            "insert 0 \"r\" \"e\" null \"x\"\n");
}

// wal2json.c takes two characters off a value of type bytea, but not off one of a domain or an array of it.
TEST(Wal2jsonBytea, IsWrittenAsSqlWritesIt) {
  auto tables = workflow_tables();
  tables.front().bytea_columns = {"id", "correlation_id"};
  Driver d{Plugin::kWal2json, std::move(tables)};
  ASSERT_EQ(d.feed(kBegin), kBeginLine);
  const auto row = [](const std::string& id, const std::string& correlation_id) {
    return change("I", R"(,"columns":[)" + column("run_id", R"("0a01")") + "," + column("id", id) + "," +
                           column("correlation_id", correlation_id) + "," + column("type", R"("x")") + "]");
  };
  EXPECT_EQ(d.feed(row(R"("0a01")", R"("")")), R"(insert 0 "0a01" "\\x0a01" "\\x" "x")"
                                               "\n");
  EXPECT_EQ(d.feed(row(R"("\\x0a01")", R"("{\"\\\\x00\"}")")),
            R"(insert 0 "0a01" "\\x0a01" "{\"\\\\x00\"}" "x")"
            "\n");
  EXPECT_EQ(d.feed(row(R"("00")", "null")), R"(insert 0 "0a01" "\\x00" null "x")"
                                            "\n");
}

TEST_F(Wal2json, FurtherFieldsOfAColumnAreSkipped) {
  EXPECT_EQ(d.feed(change(
                "I", R"(,"columns":[{"name":"run_id","type":"character varying","typeoid":1043,"value":"r",)"
                     R"("optional":false,"position":1,"default":null},{"name":"id","value":"e"},)"
                     R"({"name":"correlation_id","value":"s"},{"name":"type","value":"x"}])")),
            "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
}

TEST_F(Wal2json, AValueKeepsItsExactText) {
  EXPECT_EQ(d.feed(insert("null")), "insert 0 \"r\" \"e\" null \"x\"\n");
  EXPECT_EQ(d.feed(insert("\"\"")), "insert 0 \"r\" \"e\" \"\" \"x\"\n");
  EXPECT_EQ(d.feed(insert("12345678901234567890.1234567890")),
            "insert 0 \"r\" \"e\" \"12345678901234567890.1234567890\" \"x\"\n");
  EXPECT_EQ(d.feed(insert("-1.5e+300 ")), "insert 0 \"r\" \"e\" \"-1.5e+300\" \"x\"\n");
  EXPECT_EQ(d.feed(insert("true", "false")), "insert 0 \"r\" \"e\" \"t\" \"f\"\n");
}

TEST_F(Wal2json, EscapesAreUndone) {
  EXPECT_EQ(d.feed(insert(R"("q\"b\\s\/ \b\f\n\r\t \u0001")")),
            "insert 0 \"r\" \"e\" \"q\\\"b\\\\s/ \\x08\\x0c\\x0a\\x0d\\x09 \\x01\" \"x\"\n");
  EXPECT_EQ(d.feed(insert("\"\\u00e9 \\ud83d\\ude00 \xc3\xa9 \xf0\x9f\x98\x80 \x7f \xe2\x80\xa8\"")),
            "insert 0 \"r\" \"e\" \"\xc3\xa9 \xf0\x9f\x98\x80 \xc3\xa9 \xf0\x9f\x98\x80 \\x7f \xe2\x80\xa8\" "
            "\"x\"\n");
  EXPECT_EQ(d.feed(insert(R"("\u0000")")), "insert 0 \"r\" \"e\" \"\\x00\" \"x\"\n");
}

TEST_F(Wal2json, BadEscapesAndBadTextAreMalformed) {
  for (const auto& json :
       {R"("\q")"s,  R"("\u12")"s, R"("\u12g4")"s,      R"("\ud83d")"s, R"("\ud83d\u0041")"s,
        "\"\xff\""s, "\"\xc3\""s,  "\"\xed\xa0\x80\""s, "\"a\nb\""s,    "\"a\0b\""s,
        "nul"s,      "tru"s,       "truefalse"s,        "nulll"s,       "1x"s,
        "[]"s,       "{}"s,        "[\"a\"]"s,          "\"a\" \"b\""s, "\"a\"b"s,
        "'a'"s}) {
    const auto said = d.feed(insert(json));
    EXPECT_EQ(said, "error malformed\n") << json;
    EXPECT_EQ(d.error()->detail.find("\xff"), std::string::npos);
  }
  EXPECT_EQ(d.feed(kCommit), kCommitLine);
}

TEST_F(Wal2json, AMegabyteOfTextArrivesWholeWithAndWithoutEscapes) {
  const std::string big(1'000'000, 'x');
  EXPECT_EQ(d.feed(insert("\"" + big + "\"")), "insert 0 \"r\" \"e\" \"" + big + "\" \"x\"\n");
  EXPECT_EQ(d.feed(insert("\"" + big + "\\n\"")), "insert 0 \"r\" \"e\" \"" + big + "\\x0a\" \"x\"\n");
  EXPECT_EQ(d.feed(insert("\"s\"")), "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
}

TEST_F(Wal2json, AfterAHugeRowTheStreamGoesOn) {
  const std::string huge(40'000'000, 'a');
  EXPECT_EQ(d.feed(insert("\"s\"", "\"x\"},{\"name\":\"huge\",\"value\":\"" + huge + "\"")),
            "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
  EXPECT_EQ(d.feed(insert("\"s\"")), "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
}

TEST_F(Wal2json, TheMemoryForAHugeRowIsGivenBack) {
  const auto before = core::live_heap_bytes();
  // An escape is read into room for the whole message.
  const std::string rest = "\"x\"},{\"name\":\"huge\",\"value\":\"" + std::string(20'000'000, 'a') + "\"";
  const auto held = core::live_heap_bytes();
  EXPECT_EQ(d.feed(insert(R"("s\n")", rest)), "insert 0 \"r\" \"e\" \"s\\x0a\" \"x\"\n");
  EXPECT_GT(held, before + rest.size() - 1);
  EXPECT_LT(core::live_heap_bytes(), held + 1'000'000);
}

TEST_F(Wal2json, UpdateGivesTheNewRowAndUnchangedToastIsAbsent) {
  EXPECT_EQ(
      d.feed(change("U", R"(,"columns":[)" + column("run_id", R"("r")") + "," + column("id", R"("e2")") +
                             R"(],"identity":[)" + column("id", R"("e1")") + "]")),
      "update 0 \"r\" \"e2\" absent absent\n");
}

TEST_F(Wal2json, DeleteGivesTheOldKey) {
  EXPECT_EQ(d.feed(change("D", R"(,"identity":[)" + column("id", R"("e1")") + R"(],"pk":[{"name":"id"}])")),
            "delete 0 absent \"e1\" absent absent\n");
}

TEST_F(Wal2json, TruncateNamesItsTable) {
  EXPECT_EQ(d.feed(change("T", "")), "truncate 0\n");
  EXPECT_EQ(d.feed(R"({"action":"T","schema":"public","table":"workflow_events"})"), "");
}

TEST_F(Wal2json, RowsOfOtherTablesAreSkipped) {
  EXPECT_EQ(d.feed(R"({"action":"I","schema":"workflow","table":"x","columns":[{"name":"id","value":1}]})"),
            "");
  EXPECT_EQ(d.feed(R"({"action":"I","schema":"Workflow","table":"workflow_events","columns":[]})"), "");
}

TEST_F(Wal2json, AnInsertWithoutAWatchedColumnWasNotChecked) {
  EXPECT_EQ(d.feed(change("I", R"(,"columns":[)" + column("run_id", R"("r")") + "]")),
            "error missing_column\n");
  EXPECT_NE(d.error()->detail.find("workflow.workflow_events lacks column id"), std::string::npos);
  EXPECT_EQ(d.feed(change("I", R"(,"columns":[{"name":"run_id"},{"name":"id"}])")), "error missing_column\n");
  EXPECT_EQ(d.feed(kCommit), kCommitLine);
}

TEST_F(Wal2json, ContradictionsInARowAreMalformed) {
  const auto id = column("id", R"("e")");
  for (const auto& rest :
       {R"()"s, R"(,"columns":{})"s, R"(,"columns":1)"s, R"(,"columns":null)"s, R"(,"columns":[1])"s,
        R"(,"columns":[[]])"s, R"(,"columns":[{}])"s, R"(,"columns":[{"value":1,"name":"id"}])"s,
        R"(,"columns":[{"name":1,"value":1}])"s, R"(,"columns":[{"name":"id","name":"id","value":1}])"s,
        R"(,"columns":[)" + id + "," + id + "]", R"(,"columns":[)" + id + R"(],"columns":[)" + id + "]",
        R"(,"columns":[{"name":"id","value":}])"s, R"(,"columns":[{"name":"id" "value":1}])"s,
        R"(,"columns":[{"name":"id","value":1]])"s}) {
    EXPECT_EQ(d.feed(change("I", rest)), "error malformed\n") << rest;
  }
  EXPECT_EQ(d.feed(R"({"action":"I","columns":[],)" + kTable + "}"), "error malformed\n");
  EXPECT_EQ(d.feed(R"({"columns":[],"action":"I",)" + kTable + "}"), "error malformed\n");
  EXPECT_EQ(d.feed(R"({"action":"I","columns":[]})"), "error malformed\n");
  EXPECT_EQ(d.feed(R"({"action":"I"})"), "error malformed\n");
}

TEST_F(Wal2json, UnknownActionsAndOtherFormats) {
  EXPECT_EQ(d.feed(R"({"action":"X"})"), "error unknown\n");
  EXPECT_EQ(d.feed(R"({"action":"II"})"), "error unknown\n");
  EXPECT_EQ(d.feed(R"({"action":""})"), "error unknown\n");
  EXPECT_EQ(d.feed(R"({"change":[]})"), "error unknown\n");
  EXPECT_EQ(d.feed(R"({})"), "error unknown\n");
  EXPECT_EQ(d.feed(R"({"action":1})"), "error malformed\n");
  EXPECT_EQ(d.feed(R"([])"), "error malformed\n");
  EXPECT_EQ(d.feed(R"("B")"), "error malformed\n");
  EXPECT_EQ(d.feed(R"(B)"), "error malformed\n");
}

TEST_F(Wal2json, SequenceErrorsChangeNothing) {
  EXPECT_EQ(d.feed(kBegin), "error sequence\n");
  EXPECT_EQ(d.feed(kCommit), kCommitLine);
  EXPECT_EQ(d.feed(kCommit), "error sequence\n");
  EXPECT_EQ(d.feed(insert("null")), "error sequence\n");
  EXPECT_EQ(d.feed(change("T", "")), "error sequence\n");
  EXPECT_EQ(d.feed(R"({"action":"M","transactional":true,"prefix":"dupwatch","content":""})"),
            "error sequence\n");
  EXPECT_EQ(d.feed(kBegin), kBeginLine);
}

TEST_F(Wal2json, OurMessagesArriveAndOthersDoNot) {
  EXPECT_EQ(d.feed(R"({"action":"M","xid":7,"timestamp":"2026-11-24 05:21:38+00","lsn":"0/200",)"
                   R"("transactional":true,"prefix":"dupwatch","content":"hel\"lo"})"),
            "message in lsn=0/200 \"dupwatch\" \"hel\\\"lo\"\n");
  EXPECT_EQ(d.feed(R"({"action":"M","transactional":true,"prefix":"other","content":""})"), "");
  d.feed(kCommit);
  EXPECT_EQ(d.feed(R"({"action":"M","xid":null,"timestamp":null,"lsn":"0/200",)"
                   R"("transactional":false,"prefix":"dupwatch","content":""})"),
            "message out lsn=0/200 \"dupwatch\" \"\"\n");
  EXPECT_EQ(d.feed(R"({"action":"M","transactional":false,"prefix":"dupwatch","content":""})", Lsn{0x77}),
            "message out lsn=0/77 \"dupwatch\" \"\"\n");
  EXPECT_EQ(d.feed(R"({"action":"M","transactional":1,"prefix":"dupwatch","content":""})"),
            "error malformed\n");
  EXPECT_EQ(d.feed(R"({"action":"M","transactional":false,"prefix":"dupwatch"})"), "error malformed\n");
  EXPECT_EQ(d.feed(R"({"action":"M","lsn":"x","transactional":false,"prefix":"dupwatch","content":""})"),
            "error malformed\n");
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST_F(Wal2json, BeginAndCommitNeedTheirFields) {
  for (const auto& [from, to] :
       std::vector<std::pair<std::string_view, std::string_view>>{{"\"0/152CAA0\"", "\"0152CAA0\""},
                                                                  {"\"lsn\"", "\"Lsn\""},
                                                                  {"\"timestamp\"", "\"time\""},
                                                                  {"2026-11-24 ", "Tue Nov 24"},
                                                                  {"\"0/152CAA0\"", "null"},
                                                                  {"+00", " UTC"}}) {
    EXPECT_EQ(d.feed(replaced(kCommit, from, to)), "error malformed\n") << from;
  }
  EXPECT_EQ(d.feed(replaced(kCommit, "nextlsn", "nextLsn")), "error malformed\n");
  EXPECT_EQ(d.feed(replaced(kCommit, "+00", "-00")), kCommitLine);
  for (const auto& [from, to] :
       std::vector<std::pair<std::string_view, std::string_view>>{{"728", "null"},
                                                                  {"728", "4294967296"},
                                                                  {"728", "-1"},
                                                                  {"728", "\"728\""},
                                                                  {"\"xid\":728,", ""},
                                                                  {"+00", "+0"},
                                                                  {"\"lsn\"", "\"l\""}}) {
    EXPECT_EQ(d.feed(replaced(kBegin, from, to)), "error malformed\n") << from;
  }
  EXPECT_EQ(d.feed(replaced(kBegin, "05:21:38.123456+00", "10:51:38.123456+05:30")), kBeginLine);
}

TEST_F(Wal2json, DeepNestingIsSkippedOrRefusedButNeverFollowed) {
  const std::string open(200'000, '[');
  const std::string close(200'000, ']');
  EXPECT_EQ(d.feed(insert("\"s\"", "\"x\"},{\"name\":\"deep\",\"value\":" + open + close)),
            "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
  EXPECT_EQ(d.feed(insert(open + close)), "error malformed\n");
  EXPECT_EQ(d.feed(open), "error malformed\n");
  EXPECT_EQ(d.feed("{\"action\":" + open), "error truncated\n");
}

TEST_F(Wal2json, WhiteSpaceAroundTheObjectIsAllowed) {
  EXPECT_EQ(d.feed(" \r\n\t" + insert(" \"s\" ") + "\n "), "insert 0 \"r\" \"e\" \"s\" \"x\"\n");
}

std::vector<std::string> one_of_each() {
  return {
      kCommit,
      insert("\"s\\u00e9\\\"\""),
      change("U", R"(,"columns":[)" + column("run_id", R"("r")") + "," + column("id", R"("e2")") +
                      R"(],"identity":[)" + column("id", R"("e1")") + "]"),
      change("D", R"(,"identity":[)" + column("id", R"("e1")") + "]"),
      change("T", ""),
      R"({"action":"M","xid":7,"lsn":"0/200","transactional":true,"prefix":"dupwatch","content":"hel\"lo"})"};
}

TEST(Wal2jsonDamage, EveryPrefixOfEveryMessageIsTruncated) {
  for (const auto& message : one_of_each()) {
    Driver driver(Plugin::kWal2json);
    driver.feed(kBegin);
    for (std::size_t size = 0; size < message.size(); ++size) {
      EXPECT_EQ(driver.feed(std::string_view(message).substr(0, size)), "error truncated\n")
          << message.substr(0, size);
      EXPECT_LE(driver.error()->offset, size);
    }
  }
}

TEST(Wal2jsonDamage, AnythingPastTheEndIsTrailing) {
  for (const auto& message : one_of_each()) {
    Driver driver(Plugin::kWal2json);
    driver.feed(kBegin);
    for (const auto& tail : {"x"s, "}"s, "{}"s, ","s, "\""s, "\0"s, " ]"s, "{\"action\":\"C\"}"s, "1"s}) {
      EXPECT_EQ(driver.feed(message + tail), "error trailing\n") << message << tail;
    }
  }
}

TEST(Wal2jsonDamage, NoFlippedByteStopsTheStream) {
  for (const auto& message : one_of_each()) {
    for (std::size_t at = 0; at < message.size(); ++at) {
      for (const unsigned mask : {0x01U, 0x02U, 0x20U, 0x80U, 0xFFU}) {
        Driver driver(Plugin::kWal2json);
        driver.feed(kBegin);
        auto damaged = message;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ mask);
        const auto said = driver.feed(damaged);
        const bool committed = said.starts_with("commit");
        EXPECT_EQ(driver.feed(kCommit), committed ? "error sequence\n" : kCommitLine) << damaged;
        EXPECT_EQ(driver.feed(kBegin), kBeginLine);
      }
    }
  }
}

TEST(Wal2jsonTables, SeveralTablesHaveTheirOwnColumns) {
  Driver driver(Plugin::kWal2json,
                {{"workflow", "events", {"id"}}, {"Ot\"her", "we ird", {"b\n", "a", "b\n"}}});
  driver.feed(kBegin);
  EXPECT_EQ(driver.feed(
                R"({"action":"I","schema":"workflow","table":"events","columns":[{"name":"id","value":1}]})"),
            "insert 0 \"1\"\n");
  EXPECT_EQ(driver.feed(R"({"action":"I","schema":"Ot\"her","table":"we ird",)"
                        R"("columns":[{"name":"a","value":"A"},{"name":"b\n","value":"B"}]})"),
            "insert 1 \"B\" \"A\" \"B\"\n");
}

std::string add_tables(const std::vector<WatchedTable>& tables) {
  for (const auto& [name, value] : start_options(Plugin::kWal2json, tables, "")) {
    if (name == "add-tables") return value;
  }
  return "(none)";
}

TEST(Wal2jsonOptions, NamesAreEscapedForTheListOfTables) {
  EXPECT_EQ(add_tables({{"workflow", "workflow_events", {}}, {"b", "c", {}}}),
            "workflow.workflow_events,b.c");
  EXPECT_EQ(add_tables({{"a.b", "c,d e\\f*", {}}}), "a\\.b.c\\,d\\ e\\\\f\\*");
  EXPECT_EQ(add_tables({{"*", "\xc3\xa9\"", {}}}), "\\*.\xc3\xa9\"");
}

}  // namespace
}  // namespace dupwatch::decoder::wal2json_test
