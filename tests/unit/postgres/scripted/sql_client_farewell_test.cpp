#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <string>
#include <string_view>
#include <vector>

#include "sql_client_steps.hpp"

/// How a session ends, and what the server says of it.
namespace dupwatch::scripted::sql_client_farewell_test {
namespace {

using namespace sql_client_steps;

TEST(SqlClient, TheServersReasonComesBeforeTheClosedSocket) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  ASSERT_TRUE(client.submit(log.query("q")));
  script.connects();
  send(script);
  read(script, false);
  script.then({.function = "PQisBusy"})
      .then({.function = "PQgetResult", .result = failure("57P01", "shutting down")});
  script.then({.function = "PQisBusy", .returns = 1});
  client.turn(kStart);
  EXPECT_EQ(log.done, (std::vector<std::string>{"terminated"}));
}

/// A query that is answered; the session is idle afterwards.
void answer_one(Script& script, SqlClient& client, Log& log) {
  ASSERT_TRUE(client.submit(log.query("q")));
  script.connects();
  send(script);
  read(script);
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = command_ok()});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  script.then({.function = "PQflush"});
  client.turn(kStart);
}

TEST(SqlClient, AnIdleSessionThatTheServerEndsSaysWhy) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  answer_one(script, client, log);
  EXPECT_FALSE(client.take_farewell().has_value());
  read(script);
  script.then({.function = "PQisBusy", .fatal = failure("57P01", "terminating connection")});
  script.then({.function = "PQflush"});
  client.turn(kStart + 1s);
  read(script, false);
  script.then({.function = "PQisBusy"});
  client.turn(kStart + 1s);
  const auto farewell = client.take_farewell();
  ASSERT_TRUE(farewell.has_value());
  EXPECT_EQ(farewell->sqlstate, "57P01");
  EXPECT_TRUE(postgres::says_goodbye(*farewell));
  EXPECT_FALSE(client.take_farewell().has_value());
}

TEST(SqlClient, AnIdleSessionThatEndsForAnotherReasonIsNoFarewell) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  answer_one(script, client, log);
  read(script);
  script.then({.function = "PQisBusy",
               .fatal = failure("57P05", "terminating connection due to idle-session timeout")});
  script.then({.function = "PQflush"});
  client.turn(kStart + 1s);
  read(script, false);
  script.then({.function = "PQisBusy"});
  client.turn(kStart + 1s);
  EXPECT_FALSE(client.take_farewell().has_value());
  EXPECT_EQ(client.socket(), -1);
}

TEST(SqlClient, ASessionThatWasNotMadeSaysGoodbyeOnlyWhereTheServerGoesDown) {
  for (const auto* words : {"FATAL:  57P03: the database system is shutting down\n",
                            "FATAL:  28P01: password authentication failed for user \"watcher\"\n"}) {
    Script script;
    Log log;
    SqlClient client{config(), 1};
    ASSERT_TRUE(client.submit(log.query("q")));
    script.then({.function = "PQconnectStartParams"});
    script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_FAILED, .error = words});
    client.turn(kStart);
    EXPECT_EQ(client.take_farewell().has_value(), std::string_view{words}.find("57P03") != std::string::npos);
    EXPECT_TRUE(client.trouble().has_value());
  }
}

TEST(SqlClient, OnlyTheServersEndOfASessionIsAFarewell) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  answer_one(script, client, log);
  client.renew({}, kStart);
  EXPECT_FALSE(client.take_farewell().has_value());
}

TEST(SqlClient, AnIdleConnectionThatEndsIsNoTrouble) {
  Script script;
  Log log;
  SqlClient client{config(), 1};
  answer_one(script, client, log);
  read(script, false);
  script.then({.function = "PQisBusy"});
  client.turn(kStart + 1s);
  EXPECT_FALSE(client.trouble().has_value());
  EXPECT_TRUE(client.take_farewell().has_value());
  ASSERT_TRUE(client.submit(log.query("next")));
  EXPECT_LE(client.deadline(), kStart + 1s);
}

}  // namespace
}  // namespace dupwatch::scripted::sql_client_farewell_test
