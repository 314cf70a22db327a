#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "daemon/core/migrations.hpp"
#include "daemon/postgres/guard_queries.hpp"
#include "over_a_log.hpp"

/// guard and upgrade-check: both look at the engine's own schema first.
namespace dupwatch::cli::guard_and_upgrade_test {
namespace {

using namespace over_a_log;

constexpr auto kFacts = "c.relforcerowsecurity";
constexpr auto kGuard = "t.tgname = 'dupwatch_guard'";

/// Plain table, forced security, unique index, slot schema, indexed, isolation, on another table.
answering::Row useful_facts() {
  return {"t", "f", "f", "f", "t", "", "f"};
}

/// A table on which the guard would be useful, without it.
class Guard : public OverALog {
 protected:
  Guard() {
    server_.answers(kFacts, answering::rows({useful_facts()})).answers(kGuard, answering::rows({}));
    for (const auto* part : {"CREATE ", "GRANT ", "REVOKE ", "DO $", "DROP "})
      server_.answers(part, answering::rows({}));
  }
  /// Enabled, scope, rows kept out, rows let through.
  void serve_guard(const char* enabled, std::optional<std::string> scope) {
    server_.answers(kGuard, answering::rows({{enabled, std::move(scope), "3", "1"}}));
  }
};

TEST_F(Guard, IsInstalledInOneTransactionAndLookedAtAfterwards) {
  std::size_t looks = 0;
  server_.answers(kGuard, [&](const Statement&) {
    return looks++ == 0 ? answering::rows({}) : answering::rows({{"t", "created", "0", "0"}});
  });
  const auto ran = program_.with_config({"guard", "install", "--yes"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "done: nothing else keeps a second creation event out of this table\nscope created, enabled; "
            "rows kept out: 0, let through unchecked: 0\n");
  EXPECT_EQ(server_.transactions(), (std::vector<std::string>{"BEGIN", "COMMIT"}));
  EXPECT_EQ(server_.asked("SET LOCAL lock_timeout").size(), 1U);
  EXPECT_EQ(server_.asked("CREATE OR REPLACE TRIGGER").size(), 1U);
}

TEST_F(Guard, IsNotInstalledTwice) {
  serve_guard("t", "created");
  EXPECT_TRUE(says(program_.with_config({"guard", "install", "--yes"}).out,
                   {"already_done: ", "rows kept out: 3, let through unchecked: 1\n"}));
  EXPECT_TRUE(server_.transactions().empty());
  const auto wider = program_.with_config({"guard", "install", "--yes", "--lifecycle"});
  EXPECT_EQ(server_.transactions(), (std::vector<std::string>{"BEGIN", "COMMIT"}))
      << "another scope is another guard";
  EXPECT_EQ(wider.code, 0);
  serve_guard("f", "created");
  const auto disabled = program_.with_config({"guard", "install", "--yes"});
  EXPECT_EQ(disabled.code, 1) << "somebody had disabled it";
  EXPECT_TRUE(says(disabled.out, {"DISABLED"}));
}

TEST_F(Guard, IsRefusedWhereItWouldHarmOrIsNotNeeded) {
  struct One {
    std::string reason;
    std::function<void(answering::Row&)> given;
    std::string part;
  };
  const std::vector<One> cases = {
      {"slot_schema", [](auto& facts) { facts[3] = "t"; },
       "whose writers take a dropped row for a slot that is taken"},
      {"unique_index", [](auto& facts) { facts[2] = "t"; }, "no guard is needed"},
      {"not_a_plain_table", [](auto& facts) { facts[0] = "f"; }, "a partitioned table or no table at all"},
      {"row_security", [](auto& facts) { facts[1] = "t"; }, "row-level security is forced"},
      {"no_index", [](auto& facts) { facts[4] = "f"; },
       "an index that leads with run_id and one with correlation_id are needed"},
      {"isolation", [](auto& facts) { facts[5] = "role app"; },
       "role app begins transactions at a stronger level"},
      {"other_table", [](auto& facts) { facts[6] = "t"; }, "stands on another table"},
      // What is dangerous is said before what is merely unnecessary.
      {"slot_schema", [](auto& facts) { facts[2] = facts[3] = "t"; }, "5.x"},
  };
  for (const auto& each : cases) {
    auto facts = useful_facts();
    each.given(facts);
    server_.answers(kFacts, answering::rows({facts}));
    const auto text = program_.with_config({"guard", "install", "--yes"});
    EXPECT_EQ(text.code, 1) << each.reason;
    EXPECT_TRUE(says(text.out, {"refused: ", each.part}));
    const auto json = program_.with_config({"guard", "install", "--yes", "--json"});
    EXPECT_TRUE(says(json.out, {R"({"action":"install","result":"refused","reason":")" + each.reason + "\"",
                                R"("guard":null})"}));
  }
  EXPECT_TRUE(server_.transactions().empty());
}

TEST_F(Guard, ItsStatusSaysWhetherItIsAsItShouldBe) {
  EXPECT_TRUE(says(program_.with_config({"guard", "status"}).out, {"absent: nothing else keeps"}));
  serve_guard("t", "lifecycle");
  const auto fine = program_.with_config({"guard", "status", "--json"});
  EXPECT_EQ(fine.code, 0);
  EXPECT_TRUE(says(fine.out, {R"("result":"present","reason":"useful",)",
                              R"("guard":{"enabled":true,"scope":"lifecycle","suppressed":3,"passed":1}})"}));
  serve_guard("t", std::nullopt);
  const auto unknown = program_.with_config({"guard", "status"});
  EXPECT_EQ(unknown.code, 1) << "its code is none of ours";
  EXPECT_TRUE(says(unknown.out, {"scope unknown, enabled"}));
  serve_guard("f", "created");
  EXPECT_EQ(program_.with_config({"guard", "status"}).code, 1);
  auto facts = useful_facts();
  facts[2] = "t";
  server_.answers(kFacts, answering::rows({facts}));
  EXPECT_TRUE(says(program_.with_config({"guard", "status"}).out, {"; remove it: dupwatch guard remove\n"}));
}

TEST_F(Guard, IsTakenOffWhereverItStands) {
  const auto nothing = program_.with_config({"guard", "remove", "--yes"});
  EXPECT_TRUE(says(nothing.out, {"already_done: "}));
  serve_guard("t", "created");
  const auto ran = program_.with_config({"guard", "remove", "--yes"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(says(ran.out, {"done: "}));
  EXPECT_EQ(server_.asked("DROP TRIGGER").size(), 2U);
}

TEST_F(Guard, AMissingRightOrALockThatIsHeldHasItsRemedy) {
  server_.answers("CREATE OR REPLACE TRIGGER",
                  answering::failure("42501", "must be owner of table workflow_events"));
  expect(program_,
         {{"guard", "install", "--yes"},
          3,
          "",
          "error: must be owner of table workflow_events; remedy: use --dsn as the owner of the table"});
  server_.answers("CREATE OR REPLACE TRIGGER",
                  answering::failure("55P03", "canceling statement due to lock timeout"));
  expect(program_, {{"guard", "install", "--yes"},
                    4,
                    "",
                    "error: canceling statement due to lock timeout; remedy: a transaction holds the table; "
                    "nothing was changed"});
  const auto ends = server_.transactions();
  EXPECT_EQ(std::ranges::count(ends, "COMMIT"), 0);
}

TEST_F(Guard, ChangesNothingWithoutAPersonsWord) {
  expect(program_, {{"guard", "install"},
                    2,
                    "",
                    "error: this changes the table and there is no terminal to ask; remedy: add --yes\n"});
  expect(program_, {{"guard"}, 2, "", "error: one of --print-sql, install, remove and status is needed\n"});
  expect(program_, {{"guard", "--print-sql", "install", "--yes"},
                    2,
                    "",
                    "error: one of --print-sql, install, remove and status is needed\n"});
  const auto sql = program_.with_config({"guard", "--print-sql", "--lifecycle"});
  EXPECT_EQ(sql.out, postgres::guard_sql(config_.profile, postgres::GuardScope::kLifecycle));
  EXPECT_EQ(server_.sessions(), 0U);
  program_.configure(
      "profile: generic\ntable:\n  name: public.events\n  run_column: run\n  id_column: id\n  type_column: "
      "type\n  identity_columns: [a]\n");
  expect(program_, {{"guard", "status"}, 2, "", "error: the guard is for the profile workflow-devkit alone"});
}

/// A database of 4.1.1 with two creation events of one step.
class Upgrade : public OverALog {
 protected:
  Upgrade() {
    server_
        .answers("'timestamptz'::regtype",
                 answering::rows({{"workflow_events.created_at", "f", "f", std::nullopt, "PRIMARY KEY (id)"},
                                  {"workflow_runs.status", "f", "f", std::nullopt, "PRIMARY KEY (id)"}}))
        .answers("'workflow_drizzle'", answering::value("t"))
        .answers("FROM workflow_drizzle.workflow_migrations",
                 answering::value(std::to_string(core::migrations().front().when - 1)))
        .answers("pg_is_in_recovery(), quote_ident",
                 answering::rows({{"f", "watcher", "81920", "d", "workflow_events_pkey", "f", "UTC"}}))
        .answers("k.confrelid = c.oid", answering::rows({}))
        .answers("pg_publication_tables t", answering::rows({}))
        .answers("pg_describe_object", answering::rows({}))
        .answers("t.tgname = 'dupwatch_guard'", answering::rows({}))
        .answers("SELECT has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, $3",
                 answering::value("t"))
        .answers("AS \"foreign\"", answering::rows({}))
        .answers("FILTER (WHERE e.\"type\"::text = 'run_created')", answering::rows({{"5", "5"}}))
        .answers("TABLESAMPLE", answering::value("7"))
        .answers("pg_stat_activity", answering::rows({}))
        .answers("OFFSET 10000", answering::rows({}));
    serve_rows({});
  }
  /// Run, id, type, entity, page and place of the rows that an index migration looks at.
  void serve_rows(std::vector<answering::Row> rows) {
    server_.answers("ctid", answering::rows(std::move(rows)));
  }
};

TEST_F(Upgrade, AnUpgradeInWhoseWayNothingStandsGoes) {
  const auto text = program_.with_config({"upgrade-check", "--to", "4.3"});
  EXPECT_EQ(text.code, 0) << text.out << text.err;
  EXPECT_TRUE(says(text.out, {"go: the upgrade to 4.3 can be made now\n"}));
  const auto json = program_.with_config({"upgrade-check", "--to", "4.3", "--json"});
  EXPECT_TRUE(
      says(json.out, {R"({"to":"4.3","known_as":"4.3","go":true,"pending":[")", R"("lines":[{"name":")"}));
}

TEST_F(Upgrade, RowsThatItsMigrationWouldDeleteStandInItsWay) {
  serve_rows({{"wrun_a", "wevt_1", "step_created", "step_a", "9", "1"},
              {"wrun_a", "wevt_3", "step_created", "step_a", "1", "1"}});
  const auto text = program_.with_config({"upgrade-check", "--to", "4.3"});
  EXPECT_EQ(text.code, 1) << text.err;
  EXPECT_TRUE(says(text.out, {"fail", "fix: ", "no-go: 1 of "}));
  EXPECT_TRUE(says(program_.with_config({"upgrade-check", "--to", "4.3", "-o", "json"}).out,
                   {R"("go":false)", R"("verdict":"fail")"}));
}

TEST_F(Upgrade, WhatMayNotBeReadIsLeftOutAndAnyOtherErrorEndsIt) {
  server_.answers("TABLESAMPLE", answering::failure("42501", "permission denied"));
  EXPECT_EQ(program_.with_config({"upgrade-check", "--to", "4.3"}).code, 0);
  server_.answers("TABLESAMPLE", answering::failure("57014", "canceling statement due to statement timeout"));
  EXPECT_EQ(program_.with_config({"upgrade-check", "--to", "4.3"}).code, 0);
  server_.answers("TABLESAMPLE", answering::failure("58030", "could not read block"));
  expect(program_, {{"upgrade-check", "--to", "4.3"}, 4, "", "error: could not read block"});
}

TEST_F(Upgrade, KnowsItsOwnEngineAndItsReleasesAlone) {
  expect(program_, {{"upgrade-check", "--to", "9.1"}, 2, "", "--to: nothing is known of 9.1; known are "});
  EXPECT_EQ(program_.with_config({"upgrade-check"}).code, 2);
  EXPECT_EQ(server_.sessions(), 0U);
  program_.configure(
      "profile: generic\ntable:\n  name: public.events\n  run_column: run\n  id_column: id\n  type_column: "
      "type\n  identity_columns: [a]\n");
  expect(program_, {{"upgrade-check", "--to", "4.3"},
                    2,
                    "",
                    "error: upgrade-check knows the migrations of profile workflow-devkit alone\n"});
}

}  // namespace
}  // namespace dupwatch::cli::guard_and_upgrade_test
