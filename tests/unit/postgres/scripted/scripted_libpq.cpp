#include "scripted_libpq.hpp"

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

struct pg_conn {
  bool resolver = false;
  std::string error;
  std::string address = "10.0.0.1";
  ConnStatusType status = CONNECTION_STARTED;
  PQnoticeReceiver receiver = nullptr;
  void* receiver_argument = nullptr;
};

struct pg_result {
  dupwatch::scripted::FakeResult fake;
};

struct pg_cancel {};

namespace dupwatch::scripted {
namespace {

struct State {
  std::deque<Step> steps;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<std::string> sent;
  std::array<int, 2> sockets{-1, -1};
  // What libpq has handed out and not got back.
  int connections = 0;
  int results = 0;
  int buffers = 0;
  int cancels = 0;
};

State& state() {
  static State instance;
  return instance;
}

/// The next step, which must be of this name; a step of its own kind, without effect, when it is not.
Step next(const char* function, PGconn* conn) {
  auto& steps = state().steps;
  if (steps.empty() || steps.front().function != function) {
    ADD_FAILURE() << "called " << function << ", the script has "
                  << (steps.empty() ? std::string{"nothing more"} : steps.front().function);
    return Step{.function = function,
                .returns = -1,
                .error = {},
                .data = {},
                .result = {},
                .breaks = true,
                .address = {},
                .warning = {},
                .fatal = {}};
  }
  auto step = std::move(steps.front());
  steps.pop_front();
  if (conn == nullptr) return step;
  if (!step.error.empty()) conn->error = step.error;
  if (!step.address.empty()) conn->address = step.address;
  if (step.breaks) conn->status = CONNECTION_BAD;
  if (!step.warning.empty() && conn->receiver != nullptr) {
    const pg_result notice{{PGRES_NONFATAL_ERROR, "01000", step.warning, {}}};
    conn->receiver(conn->receiver_argument, &notice);
  }
  if (step.fatal && conn->receiver != nullptr) {
    const pg_result notice{*step.fatal};
    conn->receiver(conn->receiver_argument, &notice);
  }
  return step;
}

}  // namespace

Script::Script() {
  state() = State{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, state().sockets.data()) != 0) std::abort();
}

Script::~Script() {
  for (const auto& step : state().steps) ADD_FAILURE() << "never called: " << step.function;
  EXPECT_EQ(state().connections, 0) << "PQfinish is missing";
  EXPECT_EQ(state().results, 0) << "PQclear is missing";
  EXPECT_EQ(state().buffers, 0) << "PQfreemem is missing";
  EXPECT_EQ(state().cancels, 0) << "PQfreeCancel is missing";
  for (const auto fd : state().sockets) close(fd);
}

Script& Script::then(Step step) {
  state().steps.push_back(std::move(step));
  return *this;
}

Script& Script::connects() {
  then({.function = "PQconnectStartParams"});
  then({.function = "PQconnectPoll", .returns = PGRES_POLLING_OK});
  return then({.function = "PQsetnonblocking"});
}

const std::vector<std::pair<std::string, std::string>>& Script::parameters() const {
  return state().parameters;
}
const std::vector<std::string>& Script::sent() const {
  return state().sent;
}
int Script::fd() const {
  return state().sockets[0];
}

std::shared_ptr<FakeResult> command_ok() {
  return std::make_shared<FakeResult>(FakeResult{PGRES_COMMAND_OK, {}, {}, {}});
}
std::shared_ptr<FakeResult> copy_both() {
  return std::make_shared<FakeResult>(FakeResult{PGRES_COPY_BOTH, {}, {}, {}});
}
std::shared_ptr<FakeResult> copy_out() {
  return std::make_shared<FakeResult>(FakeResult{PGRES_COPY_OUT, {}, {}, {}});
}
std::shared_ptr<FakeResult> tuples(std::vector<std::vector<std::string>> rows) {
  return std::make_shared<FakeResult>(FakeResult{PGRES_TUPLES_OK, {}, {}, std::move(rows)});
}
std::shared_ptr<FakeResult> failure(std::string sqlstate, std::string message) {
  return std::make_shared<FakeResult>(
      FakeResult{PGRES_FATAL_ERROR, std::move(sqlstate), std::move(message), {}});
}

}  // namespace dupwatch::scripted

using dupwatch::scripted::next;
using dupwatch::scripted::state;

extern "C" {

PGconn* PQconnectStartParams(const char* const* keywords, const char* const* values, int) {
  std::vector<std::pair<std::string, std::string>> given;
  bool resolver = false;
  for (std::size_t i = 0; keywords[i] != nullptr; ++i) {
    given.emplace_back(keywords[i], values[i]);
    // How the production code has libpq resolve a DSN: no step of the script, for it opens no socket.
    if (given.back().first == "sslmode") resolver = true;
  }
  const auto step = resolver ? dupwatch::scripted::Step{} : next("PQconnectStartParams", nullptr);
  if (step.returns == -1) return nullptr;
  auto* conn = new pg_conn;
  ++state().connections;
  conn->resolver = resolver;
  if (resolver) {
    conn->status = CONNECTION_BAD;
    for (const auto& [keyword, value] : given) {
      if (keyword == "sslmode") conn->error = "invalid sslmode value: \"" + value + "\"\n";
    }
    return conn;
  }
  conn->error = step.error;
  if (step.breaks) conn->status = CONNECTION_BAD;
  if (!step.address.empty()) conn->address = step.address;
  state().parameters = std::move(given);
  return conn;
}

void PQfinish(PGconn* conn) {
  if (conn == nullptr) return;
  --state().connections;
  delete conn;
}

PQconninfoOption* PQconninfo(PGconn*) {
  return nullptr;
}
void PQconninfoFree(PQconninfoOption*) {}

PostgresPollingStatusType PQconnectPoll(PGconn* conn) {
  const auto step = next("PQconnectPoll", conn);
  if (step.returns == PGRES_POLLING_OK) conn->status = CONNECTION_OK;
  return static_cast<PostgresPollingStatusType>(step.returns);
}

int PQsetnonblocking(PGconn* conn, int) {
  return next("PQsetnonblocking", conn).returns;
}
int PQconsumeInput(PGconn* conn) {
  return next("PQconsumeInput", conn).returns;
}
int PQisBusy(PGconn* conn) {
  return next("PQisBusy", conn).returns;
}
int PQflush(PGconn* conn) {
  return next("PQflush", conn).returns;
}
int PQputCopyEnd(PGconn* conn, const char*) {
  return next("PQputCopyEnd", conn).returns;
}
int PQsendQuery(PGconn* conn, const char* query) {
  state().sent.emplace_back(query);
  return next("PQsendQuery", conn).returns;
}

int PQsendQueryParams(PGconn* conn, const char* query, int, const Oid*, const char* const*, const int*,
                      const int*, int) {
  state().sent.emplace_back(query);
  return next("PQsendQueryParams", conn).returns;
}

int PQputCopyData(PGconn* conn, const char* buffer, int length) {
  state().sent.emplace_back(buffer, static_cast<std::size_t>(length));
  return next("PQputCopyData", conn).returns;
}

PGresult* PQgetResult(PGconn* conn) {
  const auto step = next("PQgetResult", conn);
  if (!step.result) return nullptr;
  ++state().results;
  return new pg_result{*step.result};
}

void PQclear(PGresult* result) {
  if (result == nullptr) return;
  --state().results;
  delete result;
}

int PQgetCopyData(PGconn* conn, char** buffer, int) {
  const auto step = next("PQgetCopyData", conn);
  *buffer = nullptr;
  if (step.data.empty()) return step.returns;
  ++state().buffers;
  *buffer = static_cast<char*>(std::malloc(step.data.size() + 1));
  std::memcpy(*buffer, step.data.c_str(), step.data.size() + 1);
  return static_cast<int>(step.data.size());
}

void PQfreemem(void* memory) {
  if (memory == nullptr) return;
  --state().buffers;
  std::free(memory);
}

PGcancel* PQgetCancel(PGconn*) {
  ++state().cancels;
  return new pg_cancel;
}
void PQfreeCancel(PGcancel* cancel) {
  --state().cancels;
  delete cancel;
}
int PQcancel(PGcancel*, char*, int) {
  return next("PQcancel", nullptr).returns;
}

PGVerbosity PQsetErrorVerbosity(PGconn*, PGVerbosity) {
  return PQERRORS_DEFAULT;
}
PQnoticeReceiver PQsetNoticeReceiver(PGconn* conn, PQnoticeReceiver receiver, void* argument) {
  conn->receiver = receiver;
  conn->receiver_argument = argument;
  return nullptr;
}
ConnStatusType PQstatus(const PGconn* conn) {
  return conn->status;
}
char* PQerrorMessage(const PGconn* conn) {
  return const_cast<char*>(conn->error.c_str());
}
int PQsocket(const PGconn*) {
  return state().sockets[0];
}
char* PQhost(const PGconn*) {
  return const_cast<char*>("db.example");
}
char* PQhostaddr(const PGconn* conn) {
  return const_cast<char*>(conn->address.c_str());
}
char* PQport(const PGconn*) {
  return const_cast<char*>("5432");
}
char* PQuser(const PGconn*) {
  return const_cast<char*>("watcher");
}
char* PQdb(const PGconn*) {
  return const_cast<char*>("app");
}
int PQserverVersion(const PGconn* conn) {
  return conn->status == CONNECTION_OK ? 150018 : 0;
}
int PQbackendPID(const PGconn*) {
  return 4711;
}
int PQsslInUse(PGconn*) {
  return 0;
}
void* PQsslStruct(PGconn*, const char*) {
  return nullptr;
}
const char* PQparameterStatus(const PGconn*, const char*) {
  return nullptr;
}

ExecStatusType PQresultStatus(const PGresult* result) {
  return static_cast<ExecStatusType>(result->fake.status);
}
char* PQresultErrorMessage(const PGresult* result) {
  return const_cast<char*>(result->fake.message.c_str());
}
char* PQresultErrorField(const PGresult* result, int field) {
  const auto& fake = result->fake;
  const auto give = [](const std::string& text) {
    return text.empty() ? nullptr : const_cast<char*>(text.c_str());
  };
  if (field == PG_DIAG_SQLSTATE) return give(fake.sqlstate);
  if (field == PG_DIAG_MESSAGE_PRIMARY && !fake.sqlstate.empty()) return give(fake.message);
  if (field == PG_DIAG_SEVERITY_NONLOCALIZED) {
    return const_cast<char*>(fake.status == PGRES_NONFATAL_ERROR ? "WARNING" : "FATAL");
  }
  return nullptr;
}
int PQntuples(const PGresult* result) {
  return static_cast<int>(result->fake.rows.size());
}
int PQgetisnull(const PGresult*, int, int) {
  return 0;
}
char* PQgetvalue(const PGresult* result, int row, int column) {
  const auto& text = result->fake.rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
  return const_cast<char*>(text.c_str());
}
int PQgetlength(const PGresult* result, int row, int column) {
  return static_cast<int>(std::strlen(PQgetvalue(result, row, column)));
}

}  // extern "C"
