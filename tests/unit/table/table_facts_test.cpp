#include "daemon/table/table_facts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "served_table.hpp"

namespace dupwatch::table::table_facts_test {
namespace {

using answering::NoWaiter;
using answering::Server;
using postgres::Cause;
using postgres::Error;

class Facts : public ::testing::Test {
 protected:
  Facts() { served::serve_table(server_, config_.profile); }
  postgres::Expected<TableFacts> look() {
    auto sql = answering::connect(waiter_);
    return read_table_facts(config_, sql, waiter_);
  }

  core::Config config_;
  Server server_;
  NoWaiter waiter_;
};

TEST_F(Facts, AreWhatTheServerSays) {
  server_.answers("current_setting('track_commit_timestamp')", answering::value("t"));
  const auto answer = look();
  const auto& facts = std::get<TableFacts>(answer);
  EXPECT_EQ(facts.key_types.run, "character varying");
  EXPECT_TRUE(facts.run_index);
  EXPECT_TRUE(facts.extras.commit_time);
  EXPECT_TRUE(facts.extras.xmin);
  EXPECT_EQ(facts.rows_estimate, 7U);
  EXPECT_EQ(facts.traits.engines.ulids, core::Engine::kV4);
  EXPECT_EQ(facts.traits.specs, core::SpecSource::kNone);
}

TEST_F(Facts, ARunsGenerationIsReadWhereItIsWritten) {
  server_.answers("WITH columns AS", answering::rows({{"t", "t", "f", "t"}}))
      .answers("coalesce(min(spec)", answering::rows({{"2", "4"}}));
  const auto of_runs = look();
  EXPECT_EQ(std::get<TableFacts>(of_runs).extras.specs, core::SpecSource::kRuns);
  server_.answers("SELECT has_column_privilege(c.oid, a.attnum", answering::value("t"));
  const auto of_events = look();
  EXPECT_EQ(std::get<TableFacts>(of_events).extras.specs, core::SpecSource::kEvents);
  EXPECT_EQ(std::get<TableFacts>(of_events).traits.specs, core::SpecSource::kEvents);
}

TEST_F(Facts, AGenericProfileHasNoRunsToAskAbout) {
  config_.profile.runs.reset();
  EXPECT_TRUE(std::holds_alternative<TableFacts>(look()));
  EXPECT_TRUE(server_.asked("WITH columns AS").empty());
}

TEST_F(Facts, WhatWouldHideRowsIsRefusedWithItsFix) {
  struct Case {
    Cause cause;
    std::string asked;
    answering::Answer answer;
    std::string part;
  };
  auto view = served::healthy_table(config_.profile);
  view[2] = "v";
  auto secured = served::healthy_table(config_.profile);
  secured[4] = "t";
  const std::vector<Case> cases = {
      {Cause::kTableMissing, "'ts_insert_blocker'", answering::rows({}), "workflow_events"},
      {Cause::kRowSecurity, "'ts_insert_blocker'", answering::rows({secured}), "row"},
      {Cause::kNoSelectRight, "bool_and(has_schema_privilege", answering::value("f"), "no right to SELECT"},
      {Cause::kNoSelectRight, "bool_and(has_schema_privilege", answering::value(std::nullopt),
       "no right to SELECT"},
  };
  for (const auto& each : cases) {
    served::serve_table(server_, config_.profile);
    server_.answers(each.asked, each.answer);
    const auto answer = look();
    const auto* error = std::get_if<Error>(&answer);
    ASSERT_NE(error, nullptr) << each.part;
    EXPECT_EQ(to_string(error->cause), to_string(each.cause)) << error->message;
    EXPECT_EQ(error->fault, postgres::Fault::kNeedsOperator) << error->message;
    EXPECT_NE(error->message.find(each.part), std::string::npos) << error->message;
    EXPECT_FALSE(error->remedy.empty()) << error->message;
  }
}

TEST_F(Facts, AnErrorOfAnyQuestionIsHandedOn) {
  (void)look();
  const auto questions = server_.asked().size();
  ASSERT_GT(questions, 5U);
  for (std::size_t i = 0; i < questions; ++i) {
    server_.fails_at(server_.asked().size() + i,
                     answering::failure("57014", "canceling statement due to statement timeout"));
    const auto answer = look();
    const auto* error = std::get_if<Error>(&answer);
    ASSERT_NE(error, nullptr) << "question " << i;
    EXPECT_EQ(error->sqlstate, "57014");
  }
}

TEST_F(Facts, TheIndexThatIsMissingIsNamed) {
  const auto error = no_run_index(config_);
  EXPECT_EQ(error.cause, Cause::kNoRunIndex);
  EXPECT_NE(error.remedy.find("CREATE INDEX CONCURRENTLY ON " + config_.profile.qualified_name()),
            std::string::npos);
  config_.profile.scope_columns = {"tenant"};
  EXPECT_NE(no_run_index(config_).remedy.find("tenant"), std::string::npos);
}

}  // namespace
}  // namespace dupwatch::table::table_facts_test
