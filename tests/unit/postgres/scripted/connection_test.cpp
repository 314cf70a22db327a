#include "daemon/postgres/connection.hpp"

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <string>

#include "daemon/postgres/catalog.hpp"
#include "scripted_libpq.hpp"
#include "waiter.hpp"

namespace dupwatch::scripted::connection_test {
namespace {

using namespace std::chrono_literals;
using postgres::Cause;
using postgres::Connection;
using postgres::Error;
using postgres::Fault;
using postgres::Stage;
using Kind = Connection::Kind;
using Outcome = postgres::Waiter::Outcome;

core::ConnectionConfig config() {
  core::ConnectionConfig connection;
  connection.dsn = "host=db.example password=s3cret";
  return connection;
}

template <class Answer>
Error error_of(const Answer& answer) {
  const auto* error = std::get_if<Error>(&answer);
  return error == nullptr ? Error{} : *error;
}

Connection opened(Script& script, Kind kind = Kind::kSql) {
  script.connects();
  PlannedWaiter waiter;
  auto answer = Connection::open(config(), kind, waiter);
  EXPECT_EQ(error_of(answer).message, "");
  return std::get<Connection>(std::move(answer));
}

/// A connection whose START_REPLICATION has been answered.
Connection streaming(Script& script) {
  auto connection = opened(script, Kind::kReplication);
  script.then({.function = "PQsendQuery", .returns = 1}).then({.function = "PQflush"});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = copy_both()});
  PlannedWaiter waiter;
  EXPECT_FALSE(postgres::start_replication(connection, "s", {}, {}, waiter));
  return connection;
}

TEST(Open, WaitsForWhatTheAttemptWants) {
  Script script;
  script.then({.function = "PQconnectStartParams"});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_READING});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_WRITING});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_OK})
      .then({.function = "PQsetnonblocking"});
  PlannedWaiter waiter;
  const auto answer = Connection::open(config(), Kind::kReplication, waiter);
  ASSERT_TRUE(std::holds_alternative<Connection>(answer));
  EXPECT_EQ(std::get<Connection>(answer).server_version(), 150018);
  EXPECT_EQ(waiter.waited, (std::vector<short>{POLLIN, POLLOUT}));
  EXPECT_EQ(script.parameters().back(), (std::pair<std::string, std::string>{"replication", "database"}));
}

TEST(Open, NoMemoryIsAnErrorAndNoCrash) {
  Script script;
  script.then({.function = "PQconnectStartParams", .returns = -1});
  PlannedWaiter waiter;
  EXPECT_EQ(error_of(Connection::open(config(), Kind::kSql, waiter)).cause, Cause::kOutOfMemory);
}

TEST(Open, TheSqlstateOfARefusalIsReadFromTheVerboseText) {
  Script script;
  script.then({.function = "PQconnectStartParams"});
  script.then(
      {.function = "PQconnectPoll",
       .returns = PGRES_POLLING_FAILED,
       .error =
           "connection to server at \"db.example\" failed: FATAL:  28000: Rolle »watcher« existiert nicht\n"
           "LOCATION:  InitializeSessionUserId, miscinit.c:758\n",
       .breaks = true});
  PlannedWaiter waiter;
  const auto error = error_of(Connection::open(config(), Kind::kSql, waiter));
  EXPECT_EQ(error.sqlstate, "28000");
  EXPECT_EQ(error.fault, Fault::kNeedsOperator);
  EXPECT_EQ(error.message,
            "connection to server at \"db.example\" failed: FATAL: Rolle »watcher« existiert nicht");
}

TEST(Open, TheRemedyNamesTheRole) {
  Script script;
  script.then({.function = "PQconnectStartParams"});
  script.then({.function = "PQconnectPoll",
               .returns = PGRES_POLLING_FAILED,
               .error = "FATAL:  42501: permission denied to start WAL sender\n",
               .breaks = true});
  PlannedWaiter waiter;
  const auto error = error_of(Connection::open(config(), Kind::kReplication, waiter));
  EXPECT_EQ(error.cause, Cause::kNoReplicationRight);
  EXPECT_EQ(error.remedy,
            "ALTER ROLE \"watcher\" REPLICATION; (on Amazon RDS and Aurora: GRANT rds_replication TO "
            "\"watcher\";)");
}

TEST(Open, GivesUpWhenTheOnlyHostsTimeIsUp) {
  Script script;
  script.then({.function = "PQconnectStartParams"});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_READING});
  PlannedWaiter waiter;
  waiter.outcomes = {Outcome::kTimeout};
  const auto error = error_of(Connection::open(config(), Kind::kSql, waiter));
  EXPECT_EQ(error.cause, Cause::kConnectionTimeout);
  EXPECT_EQ(error.fault, Fault::kTransient);
}

TEST(Open, AnInterruptEndsTheWait) {
  Script script;
  script.then({.function = "PQconnectStartParams"});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_READING});
  PlannedWaiter waiter;
  waiter.outcomes = {Outcome::kInterrupted};
  EXPECT_EQ(error_of(Connection::open(config(), Kind::kSql, waiter)).cause, Cause::kInterrupted);
}

TEST(Open, AServerThatIsNotThePinnedOneIsRefused) {
  auto pinned = config();
  pinned.server = {
      .host = "db.example", .hostaddr = {}, .port = "5432", .started = "today", .any_role = false};
  for (const auto* started : {"today", "yesterday"}) {
    Script script;
    script.connects();
    script.then({.function = "PQsendQuery", .returns = 1}).then({.function = "PQflush"});
    script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = tuples({{started}})});
    script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
    PlannedWaiter waiter;
    const auto answer = Connection::open(pinned, Kind::kSql, waiter);
    if (started == pinned.server.started) {
      EXPECT_TRUE(std::holds_alternative<Connection>(answer));
    } else {
      EXPECT_EQ(error_of(answer).cause, Cause::kOtherServer);
      EXPECT_EQ(error_of(answer).fault, Fault::kTransient);
    }
  }
}

TEST(Connection, ANewAddressIsANewAttempt) {
  Script script;
  script.then({.function = "PQconnectStartParams"});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_READING});
  script.then({.function = "PQconnectPoll", .returns = PGRES_POLLING_READING, .address = "10.0.0.2"});
  Connection connection{config(), Kind::kSql};
  EXPECT_EQ(connection.attempt(), 1U);
  EXPECT_EQ(connection.advance(), Connection::Progress::kWantRead);
  EXPECT_EQ(connection.attempt(), 1U);
  EXPECT_EQ(connection.advance(), Connection::Progress::kWantRead);
  EXPECT_EQ(connection.attempt(), 2U);
}

TEST(Execute, ReturnsTheLastResultAndReadsToTheEnd) {
  Script script;
  auto connection = opened(script);
  script.then({.function = "PQsendQuery", .returns = 1}).then({.function = "PQflush", .returns = 1});
  script.then({.function = "PQisBusy", .returns = 1}).then({.function = "PQconsumeInput", .returns = 1});
  script.then({.function = "PQflush"}).then({.function = "PQisBusy"});
  script.then({.function = "PQgetResult", .result = tuples({{"42"}})});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  PlannedWaiter waiter;
  const auto answer = connection.execute("SELECT 42", {}, waiter, 1s);
  ASSERT_TRUE(std::holds_alternative<postgres::Result>(answer));
  EXPECT_EQ(postgres::cell(*std::get<postgres::Result>(answer), 0, 0), "42");
  EXPECT_EQ(waiter.waited, (std::vector<short>{POLLIN | POLLOUT}));
}

TEST(Execute, TheFirstErrorOfSeveralStatementsCounts) {
  Script script;
  auto connection = opened(script);
  script.then({.function = "PQsendQuery", .returns = 1}).then({.function = "PQflush"});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult", .result = command_ok()});
  script.then({.function = "PQisBusy"})
      .then({.function = "PQgetResult", .result = failure("42P01", "no such table")});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  PlannedWaiter waiter;
  EXPECT_EQ(error_of(connection.execute("SET x; SELECT y", {}, waiter, 1s)).cause, Cause::kTableMissing);
}

TEST(Execute, AQueryThatCannotBeSentIsAnError) {
  Script script;
  auto connection = opened(script);
  script.then({.function = "PQsendQueryParams",
               .returns = 0,
               .error = "could not send data to server: Broken pipe\n",
               .breaks = true});
  PlannedWaiter waiter;
  EXPECT_EQ(error_of(connection.execute("SELECT $1", {{"x"}}, waiter, 1s)).cause, Cause::kNetwork);
}

TEST(Execute, AClosedSocketWithoutAnAnswerIsServerClosed) {
  Script script;
  auto connection = opened(script);
  script.then({.function = "PQsendQuery", .returns = 1}).then({.function = "PQflush"});
  script.then({.function = "PQisBusy", .returns = 1});
  script.then({.function = "PQconsumeInput",
               .returns = 0,
               .error = "server closed the connection unexpectedly\n",
               .breaks = true});
  script.then({.function = "PQisBusy", .returns = 1});
  PlannedWaiter waiter;
  EXPECT_EQ(error_of(connection.execute("SELECT 1", {}, waiter, 1s)).cause, Cause::kServerClosed);
}

TEST(Execute, ATimeoutIsToldApartFromAnInterrupt) {
  for (const auto outcome : {Outcome::kTimeout, Outcome::kInterrupted}) {
    Script script;
    auto connection = opened(script);
    script.then({.function = "PQsendQuery", .returns = 1}).then({.function = "PQflush"});
    script.then({.function = "PQisBusy", .returns = 1});
    PlannedWaiter waiter;
    waiter.outcomes = {outcome};
    EXPECT_EQ(error_of(connection.execute("SELECT 1", {}, waiter, 1s)).cause,
              outcome == Outcome::kTimeout ? Cause::kTimeout : Cause::kInterrupted);
  }
}

TEST(CreateSlot, IsCancelledOnTheServerWhenItIsGivenUp) {
  Script script;
  auto connection = opened(script, Kind::kReplication);
  script.then({.function = "PQsendQuery", .returns = 1}).then({.function = "PQflush"});
  script.then({.function = "PQisBusy", .returns = 1}).then({.function = "PQcancel", .returns = 1});
  PlannedWaiter waiter;
  int reports = 0;
  waiter.outcomes = {Outcome::kTimeout, Outcome::kTimeout, Outcome::kInterrupted};
  const auto answer =
      postgres::create_slot(connection, {}, decoder::Plugin::kPgoutput, waiter, 1s, [&] { ++reports; });
  EXPECT_EQ(error_of(answer).cause, Cause::kInterrupted);
  EXPECT_EQ(reports, 2);
}

TEST(CreateSlot, RefusesANameBeforeTheServerSeesIt) {
  Script script;
  auto connection = opened(script, Kind::kReplication);
  core::SlotConfig slot;
  slot.name = "x\" LOGICAL evil";
  PlannedWaiter waiter;
  EXPECT_EQ(
      error_of(postgres::create_slot(connection, slot, decoder::Plugin::kPgoutput, waiter, 1s, [] {})).cause,
      Cause::kInvalidSlotName);
}

TEST(ReadCopy, FreesEachBufferWithTheNextCall) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQgetCopyData", .data = "one"})
      .then({.function = "PQgetCopyData", .data = "two"});
  script.then({.function = "PQgetCopyData"});
  const auto first = connection.read_copy();
  const auto* row = std::get_if<Connection::CopyData>(&first);
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->bytes.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Connection::CopyData>(connection.read_copy()));
  EXPECT_TRUE(std::holds_alternative<Connection::WouldBlock>(connection.read_copy()));
}

TEST(ReadCopy, ABufferThatIsStillHeldIsFreedWithTheConnection) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQgetCopyData", .data = "row"});
  EXPECT_TRUE(std::holds_alternative<Connection::CopyData>(connection.read_copy()));
}

TEST(ReadCopy, AFastShutdownIsAnEndInGoodOrder) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQgetCopyData", .returns = -1}).then({.function = "PQisBusy"});
  script.then({.function = "PQgetResult", .result = command_ok()});
  EXPECT_TRUE(std::holds_alternative<Connection::EndOfCopy>(connection.read_copy()));
}

TEST(ReadCopy, AnErrorBehindTheLastRowIsTheServersReason) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQgetCopyData", .returns = -1}).then({.function = "PQisBusy", .returns = 1});
  script.then({.function = "PQisBusy"});
  script.then({.function = "PQgetResult", .result = failure("42704", "publication \"p\" does not exist")});
  EXPECT_TRUE(std::holds_alternative<Connection::WouldBlock>(connection.read_copy()));
  EXPECT_EQ(error_of(connection.read_copy()).cause, Cause::kPublicationMissing);
  // libpq hands a result out once; who asks later still hears it.
  EXPECT_EQ(error_of(connection.read_copy()).cause, Cause::kPublicationMissing);
}

TEST(ReadCopy, TheServersCopyDoneIsAnswered) {
  Script script;
  auto connection = streaming(script);
  auto copy_in = copy_both();
  copy_in->status = PGRES_COPY_IN;
  script.then({.function = "PQgetCopyData", .returns = -1}).then({.function = "PQisBusy"});
  script.then({.function = "PQgetResult", .result = copy_in});
  script.then({.function = "PQputCopyEnd", .returns = 1}).then({.function = "PQflush"});
  script.then({.function = "PQisBusy"}).then({.function = "PQgetResult"});
  EXPECT_TRUE(std::holds_alternative<Connection::EndOfCopy>(connection.read_copy()));
}

TEST(ReadCopy, ABadStreamIsAnError) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQgetCopyData", .returns = -2, .error = "lost synchronization with server\n"});
  EXPECT_EQ(error_of(connection.read_copy()).message, "lost synchronization with server");
}

TEST(ConnectionError, FindsTheLastWordsOfABrokenStream) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQconsumeInput",
               .returns = 0,
               .error = "server closed the connection unexpectedly\n",
               .breaks = true});
  script.then({.function = "PQgetCopyData", .data = "a row that comes again"});
  script.then({.function = "PQgetCopyData", .returns = -1});
  script.then({.function = "PQgetResult", .result = failure("57P01", "terminating connection")});
  script.then({.function = "PQgetResult"});
  EXPECT_FALSE(connection.consume_input());
  EXPECT_TRUE(connection.broken());
  EXPECT_EQ(connection.error(Stage::kStream).cause, Cause::kTerminated);
  EXPECT_EQ(connection.error(Stage::kStream).cause, Cause::kTerminated);
}

TEST(WriteCopy, LeavesTheRestToFlush) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQputCopyData", .returns = 1}).then({.function = "PQflush", .returns = 1});
  script.then({.function = "PQflush", .returns = 1}).then({.function = "PQflush"});
  EXPECT_TRUE(connection.write_copy(std::string_view{"status"}));
  EXPECT_EQ(script.sent().back(), "status");
  EXPECT_FALSE(connection.flush());
  EXPECT_TRUE(connection.flush());
}

TEST(WriteCopy, SaysWhenTheConnectionBroke) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQputCopyData", .returns = 1})
      .then({.function = "PQflush", .returns = -1, .breaks = true});
  EXPECT_FALSE(connection.write_copy(std::string_view{"status"}));
  EXPECT_FALSE(connection.end_copy());
  EXPECT_TRUE(connection.flush());
}

TEST(Notice, AWarningIsKeptUntilItIsTaken) {
  Script script;
  auto connection = streaming(script);
  script.then({.function = "PQconsumeInput", .returns = 1, .warning = "skipped loading publication \"p\""});
  EXPECT_TRUE(connection.consume_input());
  EXPECT_EQ(connection.take_notice(), "skipped loading publication \"p\"");
  EXPECT_EQ(connection.take_notice(), std::nullopt);
}

}  // namespace
}  // namespace dupwatch::scripted::connection_test
