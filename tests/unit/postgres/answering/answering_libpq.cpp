#include "answering_libpq.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "answering_state.hpp"

using dupwatch::answering::mutex;
using dupwatch::answering::run;
using dupwatch::answering::say_farewell;
using dupwatch::answering::state;
using dupwatch::answering::wake;

namespace {

std::vector<std::optional<std::string>> params_of(int count, const char* const* values) {
  std::vector<std::optional<std::string>> params;
  for (int i = 0; i < count; ++i)
    params.push_back(values[i] != nullptr ? std::optional<std::string>(values[i]) : std::nullopt);
  return params;
}

/// What is not of a stream, or of one that has more: 0 = nothing yet.
int stream_state(pg_conn& conn) {
  if (!conn.copied.empty()) return 1;
  if (!conn.streaming) return -1;
  if (conn.status != CONNECTION_OK) return -2;
  if (!conn.stream_end) return 0;
  conn.streaming = false;
  const auto end = *std::exchange(conn.stream_end, std::nullopt);
  if (end.ends_session) say_farewell(conn, end);
  // Without a word of the server the connection broke.
  if (end.ends_session && end.sqlstate.empty()) return -2;
  if (!end.ends_session) {
    conn.results.push_back(std::make_unique<pg_result>(
        pg_result{.status = end.sqlstate.empty() ? PGRES_COMMAND_OK : PGRES_FATAL_ERROR,
                  .sqlstate = end.sqlstate,
                  .message = end.message}));
  }
  conn.results.push_back(nullptr);
  return -1;
}

}  // namespace

extern "C" {

PGconn* PQconnectStartParams(const char* const* keywords, const char* const* values, int) {
  const std::lock_guard lock(mutex());
  auto* conn = new pg_conn;
  ++state().connections;
  for (std::size_t i = 0; keywords[i] != nullptr; ++i) {
    // How the production code has libpq resolve a DSN: it opens no socket.
    if (std::strcmp(keywords[i], "sslmode") != 0) continue;
    conn->resolver = true;
    conn->status = CONNECTION_BAD;
    conn->error = std::string("invalid sslmode value: \"") + values[i] + "\"\n";
  }
  if (conn->resolver) return conn;
  if (!state().refusal.empty()) {
    conn->status = CONNECTION_BAD;
    conn->error = state().refusal + "\n";
    return conn;
  }
  ++state().sessions;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, conn->sockets.data()) != 0) std::abort();
  state().open.insert(conn);
  return conn;
}

void PQfinish(PGconn* conn) {
  if (conn == nullptr) return;
  const std::lock_guard lock(mutex());
  --state().connections;
  state().open.erase(conn);
  for (const auto fd : conn->sockets) {
    if (fd >= 0) close(fd);
  }
  delete conn;
}

PQconninfoOption* PQconninfo(PGconn*) {
  const std::lock_guard lock(mutex());
  auto& hosts = state().hosts;
  if (hosts.empty()) return nullptr;
  static std::string keyword = "host";
  auto* options = new PQconninfoOption[2]{};
  options[0].keyword = keyword.data();
  options[0].val = hosts.data();
  return options;
}
void PQconninfoFree(PQconninfoOption* options) {
  delete[] options;
}

PostgresPollingStatusType PQconnectPoll(PGconn* conn) {
  conn->status = CONNECTION_OK;
  return PGRES_POLLING_OK;
}

int PQsetnonblocking(PGconn*, int) {
  return 0;
}
int PQconsumeInput(PGconn* conn) {
  const std::lock_guard lock(mutex());
  std::array<char, 256> bytes{};
  while (read(conn->sockets[0], bytes.data(), bytes.size()) > 0) continue;
  if (conn->farewell && !conn->streaming) {
    const auto words = *std::exchange(conn->farewell, std::nullopt);
    say_farewell(*conn, words);
  }
  return conn->status == CONNECTION_OK ? 1 : 0;
}
int PQisBusy(PGconn*) {
  return 0;
}
int PQflush(PGconn*) {
  return 0;
}
int PQputCopyEnd(PGconn* conn, const char*) {
  const std::lock_guard lock(mutex());
  if (!conn->streaming || conn->status != CONNECTION_OK) return -1;
  conn->stream_end = dupwatch::answering::Answer{};
  wake(*conn);
  return 1;
}
int PQputCopyData(PGconn* conn, const char* data, int size) {
  const std::lock_guard lock(mutex());
  if (!conn->streaming || conn->status != CONNECTION_OK) return -1;
  state().updates.emplace_back(data, static_cast<std::size_t>(size));
  return 1;
}

int PQsendQuery(PGconn* conn, const char* query) {
  const std::lock_guard lock(mutex());
  run(*conn, {query, {}});
  if (!conn->streaming) conn->results.push_back(nullptr);
  return 1;
}

int PQsendQueryParams(PGconn* conn, const char* query, int count, const Oid*, const char* const* values,
                      const int*, const int*, int) {
  const std::lock_guard lock(mutex());
  dupwatch::answering::Statement statement{query, params_of(count, values)};
  if (conn->pipeline) {
    conn->sent.push_back(std::move(statement));
    return 1;
  }
  run(*conn, statement);
  conn->results.push_back(nullptr);
  return 1;
}

int PQenterPipelineMode(PGconn* conn) {
  conn->pipeline = true;
  return 1;
}
int PQexitPipelineMode(PGconn* conn) {
  conn->pipeline = false;
  // A statement outside of a transaction took nothing with it.
  if (!conn->in_transaction) conn->failed = false;
  return 1;
}

int PQpipelineSync(PGconn* conn) {
  const std::lock_guard lock(mutex());
  bool goes_on = true;
  for (const auto& statement : std::exchange(conn->sent, {})) {
    if (goes_on) {
      goes_on = run(*conn, statement);
    } else {
      conn->results.push_back(std::make_unique<pg_result>(pg_result{.status = PGRES_PIPELINE_ABORTED}));
    }
    conn->results.push_back(nullptr);
  }
  conn->results.push_back(std::make_unique<pg_result>(pg_result{.status = PGRES_PIPELINE_SYNC}));
  return 1;
}

PGresult* PQgetResult(PGconn* conn) {
  const std::lock_guard lock(mutex());
  if (conn->results.empty()) return nullptr;
  auto result = std::move(conn->results.front());
  conn->results.pop_front();
  if (!result) return nullptr;
  ++state().results;
  return result.release();
}

void PQclear(PGresult* result) {
  if (result == nullptr) return;
  const std::lock_guard lock(mutex());
  --state().results;
  delete result;
}

int PQgetCopyData(PGconn* conn, char** buffer, int) {
  *buffer = nullptr;
  const std::lock_guard lock(mutex());
  if (const auto got = stream_state(*conn); got <= 0) return got;
  const auto data = std::move(conn->copied.front());
  conn->copied.pop_front();
  ++state().buffers;
  *buffer = static_cast<char*>(std::malloc(data.size() + 1));
  std::memcpy(*buffer, data.c_str(), data.size() + 1);
  return static_cast<int>(data.size());
}

void PQfreemem(void* memory) {
  if (memory == nullptr) return;
  const std::lock_guard lock(mutex());
  --state().buffers;
  std::free(memory);
}

char* PQescapeLiteral(PGconn*, const char*, size_t) {
  return nullptr;
}

PGcancel* PQgetCancel(PGconn*) {
  return nullptr;
}
void PQfreeCancel(PGcancel*) {}
int PQcancel(PGcancel*, char*, int) {
  return 0;
}

PGVerbosity PQsetErrorVerbosity(PGconn*, PGVerbosity) {
  return PQERRORS_DEFAULT;
}
PQnoticeReceiver PQsetNoticeReceiver(PGconn*, PQnoticeReceiver, void*) {
  return nullptr;
}
ConnStatusType PQstatus(const PGconn* conn) {
  return conn->status;
}
char* PQerrorMessage(const PGconn* conn) {
  return const_cast<char*>(conn->error.c_str());
}
int PQsocket(const PGconn* conn) {
  return conn->sockets[0];
}
char* PQhost(const PGconn*) {
  return const_cast<char*>("db.example");
}
char* PQhostaddr(const PGconn*) {
  return const_cast<char*>("10.0.0.1");
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
  const std::lock_guard lock(mutex());
  return conn->status == CONNECTION_OK ? state().version : 0;
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
const char* PQparameterStatus(const PGconn*, const char* name) {
  const std::lock_guard lock(mutex());
  const auto found = state().parameters.find(name);
  return found == state().parameters.end() ? nullptr : found->second.c_str();
}

ExecStatusType PQresultStatus(const PGresult* result) {
  return result->status;
}
char* PQresultErrorMessage(const PGresult* result) {
  return const_cast<char*>(result->message.c_str());
}
char* PQresultErrorField(const PGresult* result, int field) {
  const auto give = [](const std::string& text) {
    return text.empty() ? nullptr : const_cast<char*>(text.c_str());
  };
  if (field == PG_DIAG_SQLSTATE) return give(result->sqlstate);
  if (field == PG_DIAG_MESSAGE_PRIMARY) return give(result->message);
  return nullptr;
}
int PQntuples(const PGresult* result) {
  return static_cast<int>(result->rows.size());
}
int PQgetisnull(const PGresult* result, int row, int column) {
  const auto& columns = result->rows.at(static_cast<std::size_t>(row));
  const auto index = static_cast<std::size_t>(column);
  return index < columns.size() && columns[index] ? 0 : 1;
}
char* PQgetvalue(const PGresult* result, int row, int column) {
  return const_cast<char*>(
      result->rows.at(static_cast<std::size_t>(row)).at(static_cast<std::size_t>(column))->c_str());
}
int PQgetlength(const PGresult* result, int row, int column) {
  return static_cast<int>(
      result->rows.at(static_cast<std::size_t>(row)).at(static_cast<std::size_t>(column))->size());
}

}  // extern "C"
