#include "daemon/postgres/connection.hpp"

#include <openssl/ssl.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "daemon/postgres/connection_state.hpp"
#include "daemon/postgres/dsn_form.hpp"
#include "daemon/postgres/quoting.hpp"

namespace dupwatch::postgres {
namespace {

bool writable_now(int fd) {
  pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&entry, 1, 0) > 0;
}

Instant after(std::chrono::milliseconds timeout) {
  return timeout.count() == 0 ? Instant::max() : std::chrono::steady_clock::now() + timeout;
}

/// Bytes that TLS has decrypted and libpq has not taken.
int decrypted(PGconn* conn) {
  if (PQsslInUse(conn) == 0) return 0;
  auto* ssl = static_cast<SSL*>(PQsslStruct(conn, "OpenSSL"));
  return ssl != nullptr ? SSL_pending(ssl) : 0;
}

}  // namespace

Error interrupted() {
  return {Fault::kTransient, Cause::kInterrupted, "", "interrupted while waiting for the server", ""};
}

Error timed_out(std::chrono::milliseconds timeout) {
  auto text = "no answer from the server within " + std::to_string(timeout.count()) + " ms";
  return {Fault::kTransient, Cause::kTimeout, "", std::move(text),
          "dupwatch tries again on a new connection."};
}

std::string server_started_query() {
  // transaction_timeout is of Postgres 17 and can't be asked for at the start of a session: an older server
  // would refuse that. Scans of the table are one long transaction, whatever limit the cluster sets. A
  // walsender that waits for less than a second ends between two answers of any client.
  return "SELECT pg_catalog.pg_postmaster_start_time(), CASE WHEN"
         " pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL THEN"
         " pg_catalog.set_config('transaction_timeout', '0', false) END,"
         " (SELECT CASE WHEN setting::pg_catalog.int4 BETWEEN 1 AND 999"
         " THEN pg_catalog.set_config(name, '1s', false) END"
         " FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout')";
}

std::variant<std::string, Error> server_started(Connection& connection, Waiter& waiter) {
  const auto answer = connection.execute(server_started_query(), {}, waiter, kAnswerTimeout);
  if (const auto* error = std::get_if<Error>(&answer)) return *error;
  return std::string{cell(*std::get<Result>(answer), 0, 0).value_or("")};
}

Error other_server() {
  return {Fault::kTransient, Cause::kOtherServer, "",
          "a second connection led to another server than the first",
          "Behind connection.dsn are several servers, and a query may not go to another one than the stream: "
          "name them one by one (host=a,b), or give the address of one."};
}

Connection::Connection(const core::ConnectionConfig& config, Kind kind) : state_(std::make_unique<State>()) {
  auto parsed = Dsn::parse(config.dsn);
  if (auto* error = std::get_if<Error>(&parsed)) {
    state_->own_error = std::move(*error);
    return;
  }
  const auto& dsn = std::get<Dsn>(parsed);
  state_->parameters = connect_parameters(config, dsn, kind);
  state_->endpoints = dsn.endpoints();
  state_->secrets = dsn.secrets();
  pin_server(state_->parameters, state_->endpoints, config.server);
  state_->host_timeout = postgres::host_timeout(config, dsn);
  state_->start();
}

Connection::~Connection() = default;
Connection::Connection(Connection&& other) noexcept = default;
Connection& Connection::operator=(Connection&& other) noexcept = default;

Connection::Progress Connection::advance() {
  auto& state = *state_;
  if (state.own_error || !state.conn || PQstatus(state.conn.get()) == CONNECTION_BAD)
    return Progress::kFailed;
  if (state.connected) return Progress::kReady;
  // PQconnectPoll takes a socket it asked to write to for connected, and fails when it is not.
  if (state.wants_write && !writable_now(socket())) return Progress::kWantWrite;
  const auto status = PQconnectPoll(state.conn.get());
  state.note_address();
  state.wants_write = status == PGRES_POLLING_WRITING;
  switch (status) {
    case PGRES_POLLING_READING:
      return Progress::kWantRead;
    case PGRES_POLLING_ACTIVE:
    case PGRES_POLLING_WRITING:
      return Progress::kWantWrite;
    case PGRES_POLLING_OK:
      break;
    case PGRES_POLLING_FAILED:
      return Progress::kFailed;
  }
  if (PQsetnonblocking(state.conn.get(), 1) != 0) return Progress::kFailed;
  state.connected = true;
  return Progress::kReady;
}

std::uint32_t Connection::attempt() const noexcept {
  return state_->attempt;
}

std::chrono::milliseconds Connection::host_timeout() const noexcept {
  return state_->host_timeout;
}

bool Connection::next_host() {
  auto& state = *state_;
  if (!state.conn || state.connected) return false;
  const auto host = text_or_empty(PQhost(state.conn.get()));
  const auto port = text_or_empty(PQport(state.conn.get()));
  const auto present =
      std::find_if(state.endpoints.begin(), state.endpoints.end(), [&](const Endpoint& endpoint) {
        return (endpoint.host.empty() ? endpoint.hostaddr : endpoint.host) == host && endpoint.port == port;
      });
  // libpq cannot be told to drop a hostaddr of the DSN, only to use another, so a list with gaps can't be
  // shortened.
  const auto gaps =
      std::any_of(state.endpoints.begin(), state.endpoints.end(), [&](const Endpoint& endpoint) {
        return endpoint.hostaddr.empty() != state.endpoints.front().hostaddr.empty();
      });
  if (present == state.endpoints.end() || state.endpoints.size() == 1 || gaps) {
    const auto where = host + " port " + port;
    state.own_error = classify(Stage::kConnect, "",
                               "connection to server at \"" + where + "\": timeout expired after " +
                                   std::to_string(state.host_timeout.count()) + " ms");
    state.conn.reset();
    return false;
  }
  state.endpoints.erase(present);
  set_endpoints(state.parameters, state.endpoints);
  state.start();
  // The same address again (a host listed twice) gets its time anew as well.
  ++state.attempt;
  return true;
}

int Connection::socket() const noexcept {
  return state_->conn ? PQsocket(state_->conn.get()) : -1;
}

Error Connection::error(Stage stage) const {
  auto& state = *state_;
  if (state.own_error) return *state.own_error;
  if (!state.conn)
    return {Fault::kTransient, Cause::kOutOfMemory, "", "libpq could not allocate a connection", ""};
  if (broken()) state.drain(stage);
  if (state.last_words) return *state.last_words;
  const auto text = without_secrets(PQerrorMessage(state.conn.get()), state.secrets);
  auto error = classify(stage, find_sqlstate(text), one_line(text));
  const auto fill = [&](std::string_view mark, const char* name) {
    if (name == nullptr) return;
    for (auto at = error.remedy.find(mark); at != std::string::npos; at = error.remedy.find(mark)) {
      error.remedy.replace(at, mark.size(), quote_identifier(name));
    }
  };
  fill("<role>", PQuser(state.conn.get()));
  fill("<database>", PQdb(state.conn.get()));
  return error;
}

bool Connection::broken() const noexcept {
  return !state_->conn || state_->own_error || PQstatus(state_->conn.get()) == CONNECTION_BAD;
}

int Connection::server_version() const noexcept {
  return state_->conn ? PQserverVersion(state_->conn.get()) : 0;
}

int Connection::backend_pid() const noexcept {
  return state_->conn ? PQbackendPID(state_->conn.get()) : 0;
}

std::optional<std::string> Connection::take_notice() {
  return std::exchange(state_->notice, std::nullopt);
}

core::ServerPin Connection::server() const {
  if (!state_->conn) return {};
  return {.host = text_or_empty(PQhost(state_->conn.get())),
          .hostaddr = text_or_empty(PQhostaddr(state_->conn.get())),
          .port = text_or_empty(PQport(state_->conn.get())),
          .started = {},
          .any_role = false};
}

std::string Connection::parameter(const char* name) const {
  return state_->conn ? text_or_empty(PQparameterStatus(state_->conn.get(), name)) : std::string{};
}

std::variant<Connection, Error> Connection::open(const core::ConnectionConfig& config, Kind kind,
                                                 Waiter& waiter) {
  Connection connection{config, kind};
  auto attempt = connection.attempt();
  auto deadline = after(connection.host_timeout());
  for (;;) {
    const auto progress = connection.advance();
    if (progress == Progress::kReady) {
      const bool pinned = !config.server.started.empty();
      // The query also lifts transaction_timeout.
      if (pinned || connection.server_version() >= 170000) {
        const auto started = server_started(connection, waiter);
        if (const auto* error = std::get_if<Error>(&started)) return *error;
        if (pinned && std::get<std::string>(started) != config.server.started) return other_server();
      }
      return std::variant<Connection, Error>{std::move(connection)};
    }
    if (progress == Progress::kFailed) return connection.error(Stage::kConnect);
    if (connection.attempt() != attempt) {
      attempt = connection.attempt();
      deadline = after(connection.host_timeout());
    }
    const short events = progress == Progress::kWantRead ? POLLIN : POLLOUT;
    switch (waiter.wait(connection.socket(), events, deadline)) {
      case Waiter::Outcome::kReady:
        break;
      case Waiter::Outcome::kInterrupted:
        return interrupted();
      case Waiter::Outcome::kTimeout:
        if (!connection.next_host()) return connection.error(Stage::kConnect);
    }
  }
}

std::optional<Error> Connection::await_input(bool written, Waiter& waiter, Instant deadline,
                                             std::chrono::milliseconds timeout) {
  const auto events = static_cast<short>(written ? POLLIN : POLLIN | POLLOUT);
  switch (waiter.wait(socket(), events, deadline)) {
    case Waiter::Outcome::kReady:
      break;
    case Waiter::Outcome::kInterrupted:
      return interrupted();
    case Waiter::Outcome::kTimeout:
      return timed_out(timeout);
  }
  // When it fails, the answer may still be among what came before.
  static_cast<void>(consume_input());
  return std::nullopt;
}

std::variant<Result, Error> Connection::execute(const std::string& query, const Params& params,
                                                Waiter& waiter, std::chrono::milliseconds timeout,
                                                Stage stage) {
  using Answer = std::variant<Result, Error>;
  if (!send(query, params)) return error(stage);
  const auto deadline = after(timeout);
  Result last;
  std::optional<Error> failed;
  for (;;) {
    const bool written = flush();
    while (!busy()) {
      auto result = next_result();
      if (!result) {
        if (failed) return std::move(*failed);
        if (!last) return error(stage);
        return Answer{std::move(last)};
      }
      if (auto found = result_error(*result, stage); found && !failed) failed = std::move(found);
      last = std::move(result);
      // The answer to START_REPLICATION: results follow only after the stream.
      if (PQresultStatus(last.get()) == PGRES_COPY_BOTH) return Answer{std::move(last)};
    }
    if (broken()) return failed ? std::move(*failed) : error(stage);
    if (auto stopped = await_input(written, waiter, deadline, timeout)) return std::move(*stopped);
  }
}

void Connection::cancel() noexcept {
  if (!state_->conn) return;
  const std::unique_ptr<PGcancel, FreeCancel> cancel{PQgetCancel(state_->conn.get())};
  std::array<char, 256> text{};
  if (cancel) static_cast<void>(PQcancel(cancel.get(), text.data(), static_cast<int>(text.size())));
}

bool Connection::send(const std::string& query, const Params& params) {
  if (broken()) return false;
  auto* conn = state_->conn.get();
  // The simple protocol: the only one that replication commands know, and several statements fit in one.
  if (params.empty()) return PQsendQuery(conn, query.c_str()) == 1;
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
  return PQsendQueryParams(conn, query.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                           nullptr, nullptr, 0) == 1;
}

bool Connection::flush() {
  return broken() || PQflush(state_->conn.get()) != 1;
}

bool Connection::consume_input() {
  auto* conn = state_->conn.get();
  if (conn == nullptr || PQconsumeInput(conn) != 1) return false;
  // TLS decrypts a record of up to 16 KiB at once and libpq may take a part of it: a poll of the socket never
  // tells of the rest.
  while (decrypted(conn) > 0) {
    if (PQconsumeInput(conn) != 1) return false;
  }
  return true;
}

bool Connection::busy() const {
  return state_->conn && PQisBusy(state_->conn.get()) != 0;
}

Result Connection::next_result() {
  Result result{state_->conn ? PQgetResult(state_->conn.get()) : nullptr};
  if (result && PQresultStatus(result.get()) == PGRES_COPY_BOTH) state_->streaming = true;
  return result;
}

std::string Connection::quote_literal(std::string_view text) const {
  if (state_->conn) {
    const std::unique_ptr<char, FreeMemory> quoted{
        PQescapeLiteral(state_->conn.get(), text.data(), text.size())};
    if (quoted) return quoted.get();
  }
  return postgres::quote_literal(text);
}

}  // namespace dupwatch::postgres
