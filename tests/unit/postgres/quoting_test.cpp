#include "daemon/postgres/quoting.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/catalog.hpp"

namespace dupwatch::postgres::quoting_test {
namespace {

TEST(Quoting, DoublesWhatWouldEndTheText) {
  EXPECT_EQ(quote_identifier("plain"), "\"plain\"");
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  EXPECT_EQ(quote_literal("a\\b'c"), "E'a\\\\b''c'");
  EXPECT_EQ(qualified("S", "t.x"), "\"S\".\"t.x\"");
}

TEST(Quoting, ALiteralIsOneLineThatMovesNoCursor) {
  EXPECT_EQ(quote_literal("a\nbe"), R"(E'a\x0abe')");
  EXPECT_EQ(quote_literal("\x1b[2J'\x7f"), R"(E'\x1b[2J''\x7f')");
  EXPECT_EQ(quote_literal("\xC3\xA9"), "'\xC3\xA9'");
}

TEST(Quoting, APrintedLiteralHidesNothing) {
  EXPECT_EQ(printed_literal("it's"), "'it''s'");
  EXPECT_EQ(printed_literal("a\\b"), R"(E'a\\b')");
  EXPECT_EQ(printed_literal("it's\n\\ \xE2\x80\xAE\xC2\x9B\xF3\xA0\x80\xA0\xFF \xC3\xA9"),
            "E'it''s\\x0a\\\\ \\u202e\\u009b\\U000e0020\\xff \xC3\xA9'");
}

TEST(Quoting, AnOptionKeepsItsBackslashes) {
  // wal2json's add-tables escapes by backslash, and the replication grammar has no E''.
  EXPECT_EQ(quote_option("a\\.b'c"), "'a\\.b''c'");
}

TEST(ArrayLiteral, EscapesQuotesAndBackslashes) {
  EXPECT_EQ(array_literal({}), "{}");
  const std::vector<std::string> items{"a", "", "x,y", "q\"uote", "back\\slash", "{brace}", "NULL"};
  EXPECT_EQ(array_literal(items), R"({"a","","x,y","q\"uote","back\\slash","{brace}","NULL"})");
}

TEST(SlotName, FollowsTheServersRule) {
  EXPECT_TRUE(valid_slot_name("dupwatch_1"));
  EXPECT_TRUE(valid_slot_name(std::string(63, 'a')));
  for (const auto* name : {"", "Dup", "a-b", "a b", "a\"b", "\xc3\xa4"})
    EXPECT_FALSE(valid_slot_name(name)) << name;
  EXPECT_FALSE(valid_slot_name(std::string(64, 'a')));
}

TEST(CreateSlotCommand, SpeaksTheSyntaxOfTheServer) {
  EXPECT_EQ(create_slot_command(150000, "s", "wal2json", false, SnapshotUse::kExport),
            "CREATE_REPLICATION_SLOT \"s\" LOGICAL \"wal2json\" (SNAPSHOT 'export')");
  EXPECT_EQ(create_slot_command(180004, "s", "pgoutput", true, SnapshotUse::kNothing),
            "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL \"pgoutput\" (SNAPSHOT 'nothing')");
  EXPECT_EQ(create_slot_command(170010, "s", "pgoutput", false, SnapshotUse::kExport, true),
            "CREATE_REPLICATION_SLOT \"s\" LOGICAL \"pgoutput\" (SNAPSHOT 'export', FAILOVER true)");
  EXPECT_EQ(create_slot_command(140018, "s", "pgoutput", true, SnapshotUse::kExport),
            "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL \"pgoutput\" EXPORT_SNAPSHOT");
  EXPECT_EQ(create_slot_command(140018, "s", "pgoutput", false, SnapshotUse::kNothing),
            "CREATE_REPLICATION_SLOT \"s\" LOGICAL \"pgoutput\" NOEXPORT_SNAPSHOT");
}

TEST(StartReplicationCommand, QuotesNamesAndValues) {
  const std::vector<std::pair<std::string, std::string>> options{{"proto_version", "1"},
                                                                 {"publication_names", "\"o'clock\""}};
  EXPECT_EQ(start_replication_command("s", decoder::Lsn{0x1600000028}, options),
            "START_REPLICATION SLOT \"s\" LOGICAL 16/28 (\"proto_version\" '1', \"publication_names\" "
            "'\"o''clock\"')");
  EXPECT_EQ(start_replication_command("s", {}, {}), "START_REPLICATION SLOT \"s\" LOGICAL 0/0");
}

core::Profile orders() {
  core::Profile profile;
  profile.schema = "shop";
  profile.table = "Order\"s";
  profile.run_column = "order";
  profile.id_column = "id";
  profile.identity_columns = {"line", "id"};
  profile.unlisted_unique = true;
  return profile;
}

TEST(ReadBackCopy, SelectsTrackedTypesOfTheEventLog) {
  const auto copy =
      read_back_copy(core::workflow_devkit_profile(), {.commit_time = true}, "character varying");
  const std::string head =
      "COPY (SELECT e.\"run_id\", e.\"id\", e.\"type\", e.\"correlation_id\", e.xmin, CASE WHEN "
      "e.xmin::text::bigint >= 3"
      " THEN (extract(epoch FROM pg_xact_commit_timestamp(e.xmin)) * 1000000)::bigint END, NULL"
      " FROM \"workflow\".\"workflow_events\" AS e WHERE e.\"run_id\" = ANY ((SELECT "
      "pg_catalog.current_setting('dupwatch.runs')::text[])::text[]) AND e.\"type\"::text = ANY ('{\"";
  EXPECT_EQ(copy.substr(0, head.size()), head);
  EXPECT_TRUE(copy.ends_with("\"}'::text[])) TO STDOUT")) << copy;
  for (const auto& type : tracked_types(core::workflow_devkit_profile()))
    EXPECT_NE(copy.find("\"" + type + "\""), std::string::npos) << type;
}

TEST(ReadBackCopy, SelectsEveryRowWhereAnyTypeCounts) {
  EXPECT_EQ(read_back_copy(orders(), {.commit_time = true, .xmin = false}, "bigint"),
            "COPY (SELECT e.\"order\", e.\"id\", '', e.\"line\", e.\"id\", NULL, NULL, NULL FROM "
            "\"shop\".\"Order\"\"s\" AS e WHERE e.\"order\" = ANY ((SELECT "
            "pg_catalog.current_setting('dupwatch.runs')::bigint[])::bigint[])) TO STDOUT");
}

TEST(SpecOfRow, IsReadInTheRowOrOnceInTheTableOfRuns) {
  const auto profile = core::workflow_devkit_profile();
  EXPECT_EQ(spec_of_row(profile, core::SpecSource::kNone), "NULL");
  EXPECT_EQ(spec_of_row(profile, core::SpecSource::kEvents), "e.\"spec_version\"");
  // For the rows of the run itself, not for each of its steps.
  EXPECT_EQ(spec_of_row(profile, core::SpecSource::kRuns),
            "CASE WHEN e.\"correlation_id\" IS NULL THEN (SELECT w.\"spec_version\" FROM "
            "\"workflow\".\"workflow_runs\" w WHERE w.\"id\" = e.\"run_id\") END");
  EXPECT_EQ(
      spec_of_run(profile, core::SpecSource::kEvents, "x.run"),
      "(SELECT s.\"spec_version\" FROM \"workflow\".\"workflow_events\" s WHERE s.\"run_id\" = x.run AND "
      "s.\"spec_version\" IS NOT NULL ORDER BY s.\"id\"::text COLLATE \"C\" LIMIT 1)");
}

TEST(ForRuns, NamesTheRunsOutsideOfTheCopy) {
  const std::vector<std::string> runs{"a", "it's", "back\\slash", "\"{,"};
  EXPECT_EQ(for_runs(runs, "COPY x"),
            "SELECT pg_catalog.set_config('dupwatch.runs', "
            "E'{\"a\",\"it''s\",\"back\\\\\\\\slash\",\"\\\\\"{,\"}', true) IS NULL; COPY x");
}

TEST(WithoutStatementTimeout, SetsItForTheTransactionOfTheMessage) {
  EXPECT_EQ(without_statement_timeout("COPY x"),
            "SELECT pg_catalog.set_config('statement_timeout', '0', true) IS NULL; COPY x");
}

TEST(WatchedColumns, NamesEachColumnOnce) {
  EXPECT_EQ(watched_columns(orders()), (std::vector<std::string>{"order", "id", "line"}));
}

}  // namespace
}  // namespace dupwatch::postgres::quoting_test
