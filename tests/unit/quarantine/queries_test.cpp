#include "daemon/quarantine/queries.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "daemon/quarantine/batch_queries.hpp"
#include "daemon/quarantine/limits.hpp"

namespace dupwatch::quarantine::queries_test {
namespace {

const core::Profile kDevkit = core::workflow_devkit_profile();

/// Names that SQL would read otherwise.
core::Profile hostile() {
  auto profile = kDevkit;
  profile.schema = "Sch\"ema";
  profile.table = "ta'ble";
  profile.run_column = "run\"id";
  profile.id_column = "i'd";
  profile.identity_columns = {"a\"b"};
  return profile;
}

const std::vector<StoredColumn> kColumns = {
    {"id", "character varying"}, {"it's", "numeric(10,2)"}, {"we\"ird", "jsonb"}};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(ActQuery, TakesOutOnlyWhatItKeeps) {
  const auto move = act_query(kDevkit, "uuid", kColumns, Write::kMove);
  EXPECT_TRUE(has(move, "SELECT 'removed', $7")) << move;
  EXPECT_TRUE(has(move, "DELETE FROM")) << move;
  EXPECT_TRUE(has(move, "= q.kept RETURNING 1) SELECT id, EXISTS (SELECT FROM taken) FROM entry")) << move;
  const auto copy = act_query(kDevkit, "uuid", kColumns, Write::kCopy);
  EXPECT_TRUE(has(copy, "'recorded'") && copy.ends_with("SELECT id, true FROM entry")) << copy;
  EXPECT_FALSE(has(copy, "DELETE FROM") || has(copy, "UPDATE")) << copy;
  const auto noop = act_query(kDevkit, "uuid", kColumns, Write::kNoop);
  EXPECT_TRUE(has(noop, "'neutralised'") && has(noop, "SET \"type\" = 'noop'")) << noop;
  EXPECT_FALSE(has(noop, "DELETE FROM")) << noop;
}

TEST(ActQuery, LooksOnceMoreWhetherTheRowMayGo) {
  const auto move = act_query(kDevkit, "uuid", kColumns, Write::kMove);
  // A row of its identity and its type sorts before it, the run has not ended, and none of its ids is a slot
  // number.
  EXPECT_TRUE(has(move, "c.\"correlation_id\" IS NOT DISTINCT FROM e.\"correlation_id\"")) << move;
  EXPECT_TRUE(has(move, "c.\"type\" = e.\"type\"")) << move;
  EXPECT_TRUE(has(move, "c.\"id\"::text COLLATE \"C\" < e.\"id\"::text COLLATE \"C\"")) << move;
  EXPECT_TRUE(has(move, "AND NOT EXISTS (SELECT FROM \"workflow\".\"workflow_events\" z")) << move;
  EXPECT_TRUE(has(move, "'run_completed'")) << move;
  EXPECT_TRUE(has(move, "AND NOT EXISTS (SELECT FROM \"workflow\".\"workflow_events\" s")) << move;
  const auto noop = act_query(kDevkit, "uuid", kColumns, Write::kNoop);
  EXPECT_FALSE(has(noop, "c.\"type\" = e.\"type\"")) << "any row of its entity is enough";
  EXPECT_FALSE(has(noop, "\"workflow_events\" s")) << "it keeps its slot";
  const std::vector<std::string_view> types = {"step_created", "it's"};
  const auto migration = act_query(kDevkit, "uuid", kColumns, Write::kMove, types);
  EXPECT_TRUE(has(migration, "e.\"type\"::text IN ('step_created', 'it''s')")) << migration;
  EXPECT_FALSE(has(migration, "\"workflow_events\" z")) << "of a run that has ended too";
}

TEST(ActQuery, ComparesTheRunInItsOwnTypeWithoutALength) {
  for (const auto& [type, compared] : std::vector<std::pair<std::string, std::string>>{
           {"", "text"}, {"character varying", "text"}, {"uuid", "uuid"}, {"text", "text"}}) {
    EXPECT_EQ(key_type(type), compared);
    EXPECT_TRUE(has(act_query(kDevkit, type, kColumns, Write::kMove), "e.\"run_id\" = $1::" + compared + " "))
        << type;
    EXPECT_TRUE(has(whereabouts_query(kDevkit, type), "= $2::text::" + compared + " ")) << type;
    EXPECT_TRUE(has(row_exists_query(kDevkit, type), "= $1::" + compared + " ")) << type;
  }
}

TEST(Queries, NoNameOfAColumnEndsAQuote) {
  const auto profile = hostile();
  for (const auto& query : {act_query(profile, "text", kColumns, Write::kMove),
                            act_query(profile, "text", kColumns, Write::kNoop),
                            restore_query(profile, kColumns), restore_noop_query(profile, kColumns),
                            whereabouts_query(profile, "text"), row_exists_query(profile, "text")}) {
    EXPECT_TRUE(has(query, "\"Sch\"\"ema\".\"ta'ble\"")) << query;
    bool in_text = false;
    std::size_t doubles = 0;
    for (const char c : query) {
      if (c == '\'' && doubles % 2 == 0) in_text = !in_text;
      if (c == '"' && !in_text) ++doubles;
    }
    EXPECT_FALSE(in_text || doubles % 2 != 0) << query;
  }
  EXPECT_EQ(quoted_table(profile), "\"Sch\"\"ema\".\"ta'ble\"");
  const auto restore = restore_query(profile, kColumns);
  EXPECT_TRUE(has(restore, "(\"id\", \"it's\", \"we\"\"ird\")")) << restore;
  EXPECT_TRUE(has(restore, "(q.kept ->> 'it''s')::numeric(10,2)")) << restore;
  EXPECT_TRUE(has(restore, "'we\"ird'")) << restore;
}

TEST(Queries, ARowIsKeptAsTheTextOfItsColumnsAndNullAsNull) {
  const auto copy = act_query(kDevkit, "text", {kColumns.begin(), kColumns.begin() + 1}, Write::kCopy);
  EXPECT_TRUE(has(copy,
                  "jsonb_object(ARRAY['id']::text[], ARRAY[CASE num_nulls(e.\"id\") WHEN 0 THEN format('%s', "
                  "e.\"id\") END]::text[])"))
      << copy;
}

TEST(RestoreNoop, GivesTheTypeBackInItsOwnType) {
  const std::vector<StoredColumn> with_type = {{"id", "text"}, {"type", "workflow.event_type"}};
  EXPECT_TRUE(
      has(restore_noop_query(kDevkit, with_type), "SET \"type\" = (q.kept ->> 'type')::workflow.event_type"))
      << restore_noop_query(kDevkit, with_type);
  EXPECT_TRUE(has(restore_noop_query(kDevkit, kColumns), "::text FROM entry q"))
      << "the entry lacks it: the act refuses that before";
}

TEST(SetupSql, GivesTheDaemonTheRightToTakeOutAndNoneToPutIn) {
  core::Config config;
  config.connection.dsn = "host=db.example dbname=app user='we\"ird' password=s3cret";
  const auto sql = setup_sql(config);
  EXPECT_TRUE(has(sql, "GRANT SELECT, DELETE ON \"workflow\".\"workflow_events\" TO ")) << sql;
  EXPECT_FALSE(has(sql, "s3cret"));
  EXPECT_FALSE(has(sql, "INSERT ON \"workflow\"")) << sql;
  EXPECT_FALSE(has(sql, "GRANT UPDATE"));
  EXPECT_TRUE(
      has(sql, "GRANT SELECT, INSERT (table_name, reason, detail) ON dupwatch.quarantine_circuit TO "))
      << "it may open the circuit, and closing it is a person's";
}

TEST(ActionOf, IsWhatTheEntrySays) {
  EXPECT_EQ(action_of(Write::kMove), "removed");
  EXPECT_EQ(action_of(Write::kCopy), "recorded");
  EXPECT_EQ(action_of(Write::kNoop), "neutralised");
}

}  // namespace
}  // namespace dupwatch::quarantine::queries_test
