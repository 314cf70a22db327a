#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <poll.h>

#include <string>
#include <vector>

#include "sql_client_steps.hpp"

namespace dupwatch::scripted::sql_client_test {
namespace {

using namespace sql_client_steps;

TEST(SqlClient, DoesNothingWithoutAQuery) {
  Script script;
  SqlClient client{config(), 1};
  client.turn(kStart);
  EXPECT_EQ(client.socket(), -1);
  EXPECT_EQ(client.deadline(), Instant::max());
}

TEST(SqlClient, HandsOnRowsAndRunsQueriesInOrder) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.query("first")));
  ASSERT_TRUE(client.submit(log.query("second")));
  EXPECT_EQ(client.waiting(), 2U);

  script.connects();
  send(script);
  read(script);
  wait(script);
  client.turn(kStart);
  EXPECT_TRUE(log.done.empty());
  EXPECT_EQ(client.events(), POLLIN);

  read(script);
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = tuples({{"a"}, {"b"}})});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  send(script);
  wait(script);
  client.turn(kStart);
  EXPECT_EQ(log.rows, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(log.done, (std::vector<std::string>{"ok"}));
  EXPECT_EQ(script.sent(), (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(client.waiting(), 1U);
}

/// Up to where the rows of a COPY begin, which a statement in the same message goes before.
void begin_copy(Script& script) {
  script.connects();
  send(script);
  read(script);
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = tuples({{"f"}})});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = copy_out()});
}

TEST(SqlClient, HandsOnTheRowsOfACopyAsTheyCome) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.copy("copy")));
  begin_copy(script);
  script.then({.function = "PQgetCopyData", .data = "a\n"}).then({.function = "PQgetCopyData"});
  script.then({.function = "PQconsumeInput", .returns = 1})
      .then({.function = "PQgetCopyData", .data = "b\n"});
  for (int reads = 1; reads < 8; ++reads) {
    script.then({.function = "PQgetCopyData"});
    if (reads < 7) script.then({.function = "PQconsumeInput", .returns = 1});
  }
  script.then({.function = "PQflush"});
  client.turn(kStart);
  EXPECT_EQ(log.rows, (std::vector<std::string>{"a\n", "b\n"}));
  EXPECT_TRUE(log.done.empty());

  read(script);
  script.then({.function = "PQgetCopyData", .data = "c\n"})
      .then({.function = "PQgetCopyData", .returns = -1});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = command_ok()});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  script.then({.function = "PQflush"});
  client.turn(kStart);
  EXPECT_EQ(log.rows.back(), "c\n");
  EXPECT_EQ(log.done, (std::vector<std::string>{"ok"}));
}

TEST(SqlClient, ACopyThatFailsInTheMiddleTellsWhy) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.copy("copy")));
  begin_copy(script);
  script.then({.function = "PQgetCopyData", .data = "a\n"})
      .then({.function = "PQgetCopyData", .returns = -1});
  script.then({.function = "PQisBusy"})
      .then({.function = "PQgetResult", .result = failure("57014", "statement timeout")});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  script.then({.function = "PQflush"});
  client.turn(kStart);
  EXPECT_EQ(log.done, (std::vector<std::string>{"statement_timeout"}));
}

TEST(SqlClient, AServerThatHangsInACopyIsGivenUp) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  auto query = log.copy("copy");
  query.silence_max = 5s;
  ASSERT_TRUE(client.submit(std::move(query)));
  const auto nothing = [&] {
    script.then({.function = "PQgetCopyData"});
    for (int reads = 1; reads < 8; ++reads) {
      script.then({.function = "PQconsumeInput", .returns = 1}).then({.function = "PQgetCopyData"});
    }
    script.then({.function = "PQflush"});
  };
  begin_copy(script);
  nothing();
  client.turn(kStart);
  EXPECT_EQ(client.deadline(), kStart + 5s);
  read(script);
  nothing();
  client.turn(kStart + 5s);
  EXPECT_EQ(log.done, (std::vector<std::string>{"timeout"}));

  ASSERT_TRUE(client.submit(log.query("next")));
  script.connects();
  send(script);
  read(script);
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = tuples({{"x"}})});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  script.then({.function = "PQflush"});
  client.turn(kStart + 1min);
  EXPECT_EQ(log.rows, (std::vector<std::string>{"x"})) << "the new session copies nothing";
}

TEST(SqlClient, ACallbackMaySubmitTheNextQuery) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  auto query = log.query("first");
  query.on_done = [&](std::optional<Error>) { ASSERT_TRUE(client.submit(log.query("second"))); };
  ASSERT_TRUE(client.submit(std::move(query)));
  script.connects();
  send(script);
  read(script);
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = command_ok()});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  send(script);
  wait(script);
  client.turn(kStart);
  EXPECT_EQ(script.sent().back(), "second");
}

TEST(SqlClient, AFailedQueryLeavesTheConnectionInUse) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.query("bad")));
  script.connects();
  send(script);
  read(script);
  script.then({.function = "PQisBusy"})
      .then({.function = "PQgetResult", .result = failure("42P01", "no table")});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  script.then({.function = "PQflush"});
  client.turn(kStart);
  EXPECT_EQ(log.done, (std::vector<std::string>{"table_missing"}));
  EXPECT_FALSE(client.trouble().has_value());
  EXPECT_EQ(client.deadline(), Instant::max());
}

TEST(SqlClient, ARefusedConnectionIsTriedAgainAfterTheBackoffAndKeepsItsQueries) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.query("q")));
  script.then({.function = "PQconnectStartParams"});
  script.then({.function = "PQconnectPoll",
               .returns = PGRES_POLLING_FAILED,
               .error = "Connection refused\n",
               .breaks = true});
  client.turn(kStart);
  ASSERT_TRUE(client.trouble().has_value());
  EXPECT_EQ(client.trouble()->cause, Cause::kConnectionRefused);
  EXPECT_TRUE(log.done.empty());
  EXPECT_GE(client.deadline(), kStart + 50ms);
  EXPECT_LE(client.deadline(), kStart + 100ms);
  client.turn(kStart + 10ms);

  script.connects();
  send(script);
  read(script);
  wait(script);
  client.turn(kStart + 100ms);
  EXPECT_FALSE(client.trouble().has_value());
}

TEST(SqlClient, AConnectionThatBreaksFailsTheQueryInFlightOnly) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.query("first")));
  ASSERT_TRUE(client.submit(log.query("second")));
  script.connects();
  send(script);
  read(script, false);
  script.then({.function = "PQisBusy", .returns = 1});
  client.turn(kStart);
  EXPECT_EQ(log.done, (std::vector<std::string>{"server_closed"}));
  EXPECT_EQ(client.waiting(), 1U);
  EXPECT_EQ(client.socket(), -1);
}

TEST(SqlClient, AHungServerIsGivenUp) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  auto query = log.query("q");
  query.silence_max = 5s;
  ASSERT_TRUE(client.submit(std::move(query)));
  script.connects();
  send(script);
  read(script);
  wait(script);
  client.turn(kStart);
  EXPECT_EQ(client.deadline(), kStart + 5s);
  read(script);
  wait(script);
  client.turn(kStart + 5s);
  EXPECT_EQ(log.done, (std::vector<std::string>{"timeout"}));
}

TEST(SqlClient, AHostThatDoesNotAnswerIsGivenUpAfterConnectTimeout) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.query("q")));
  script.then({.function = "PQconnectStartParams"});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_READING});
  client.turn(kStart);
  EXPECT_EQ(client.deadline(), kStart + 10s);
  client.turn(kStart + 10s);
  ASSERT_TRUE(client.trouble().has_value());
  EXPECT_EQ(client.trouble()->cause, Cause::kConnectionTimeout);
}

TEST(SqlClient, AQueryWaitsForTheServerItIsFor) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  client.renew({.host = "db.example", .hostaddr = {}, .port = "5432", .started = "today", .any_role = false},
               kStart);
  ASSERT_TRUE(client.submit(log.query("q")));
  const auto answers = [&](const char* started) {
    script.connects();
    send(script);
    read(script);
    script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = tuples({{started}})});
    script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  };
  answers("yesterday");
  client.turn(kStart);
  ASSERT_TRUE(client.trouble().has_value());
  EXPECT_EQ(client.trouble()->cause, Cause::kOtherServer);
  EXPECT_TRUE(log.done.empty());
  EXPECT_EQ(client.waiting(), 1U);
  EXPECT_GE(client.deadline(), kStart + 50ms) << "no hurry to be led there again";

  answers("today");
  send(script);
  wait(script);
  client.turn(kStart + 1s);
  EXPECT_FALSE(client.trouble().has_value());
  EXPECT_EQ(script.sent(), (std::vector<std::string>{postgres::server_started_query(),
                                                     postgres::server_started_query(), "q"}));
}

TEST(SqlClient, TheQueueIsBounded) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  for (std::size_t i = 0; i < SqlClient::kQueueMax; ++i) ASSERT_TRUE(client.submit(log.query("q")));
  EXPECT_FALSE(client.submit(log.query("one too many")));
}

}  // namespace
}  // namespace dupwatch::scripted::sql_client_test
