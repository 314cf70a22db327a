#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/instant.hpp"
#include "daemon/postgres/error.hpp"

struct pg_conn;
struct pg_result;

namespace dupwatch::postgres {

/// Longer than the session's statement_timeout of 30 s, so that the server speaks first.
inline constexpr std::chrono::milliseconds kAnswerTimeout{40'000};

using core::Instant;

/// How blocking-looking calls wait. The application implements it over its own poll loop, so that a wait can
/// be interrupted by a signal and the process' liveness keeps being reported.
class Waiter {
 public:
  enum class Outcome : std::uint8_t { kReady, kTimeout, kInterrupted };
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  virtual ~Waiter() = default;
  /// Waits for `events` (poll(2) bits) on `fd` until `deadline`; fd -1 = only the deadline.
  [[nodiscard]] virtual Outcome wait(int fd, short events, Instant deadline) = 0;
};

/// Owns a PGresult.
struct ResultDeleter {
  void operator()(pg_result* result) const noexcept;
};
using Result = std::unique_ptr<pg_result, ResultDeleter>;

/// Text value of a cell, nullopt for NULL. The view lives as long as the result.
[[nodiscard]] std::optional<std::string_view> cell(const pg_result& result, int row, int column);
[[nodiscard]] int row_count(const pg_result& result);

/// One libpq connection, non-blocking. Not thread-safe.
class Connection {
 public:
  enum class Kind : std::uint8_t { kSql, kReplication };
  enum class Progress : std::uint8_t { kWantRead, kWantWrite, kReady, kFailed };
  using Params = std::vector<std::optional<std::string>>;

  /// Begins to connect (PQconnectStartParams). Sets application_name, TCP keepalives, tcp_user_timeout,
  /// the text forms of values, client_encoding=UTF8, search_path=pg_catalog and the isolation level, whatever
  /// the cluster, database or role sets; `kSql` sessions are read only by default, and have an error for rows
  /// that row-level security would hide. Limits (keepalives, lock_timeout, statement_timeout) yield to what
  /// the DSN, its service or the environment sets. A host name is looked up inside, which blocks as long as
  /// the name service does.
  Connection(const core::ConnectionConfig& config, Kind kind);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;

  /// Moves the connection attempt on; call again when the socket is ready for what it wants. Calling early is
  /// harmless.
  [[nodiscard]] Progress advance();
  /// Grows by one whenever advance() turns to another server address: each has host_timeout() from then on.
  [[nodiscard]] std::uint32_t attempt() const noexcept;
  /// Time one address gets to accept the session, 0 = no limit. libpq leaves it to the caller of a
  /// non-blocking connection to keep it.
  [[nodiscard]] std::chrono::milliseconds host_timeout() const noexcept;
  /// The present host's time is up: goes on with the other hosts of the DSN. False: there is none left, and
  /// error() says kConnectionTimeout.
  [[nodiscard]] bool next_host();
  /// May change with every advance().
  [[nodiscard]] int socket() const noexcept;
  /// Why advance() failed or the connection broke, classified.
  [[nodiscard]] Error error(Stage stage) const;
  [[nodiscard]] bool broken() const noexcept;
  /// E.g. 150018; 0 before the connection is ready.
  [[nodiscard]] int server_version() const noexcept;
  /// Process id of the server's session as it was told at start-up; a pooler tells one of its own.
  [[nodiscard]] int backend_pid() const noexcept;
  /// The newest warning of the server since the last call, e.g. of Postgres 18 about a missing publication.
  [[nodiscard]] std::optional<std::string> take_notice();
  /// The server that this connection leads to; `started` is empty.
  [[nodiscard]] core::ServerPin server() const;
  /// The server's parameter, e.g. "server_version"; empty when not reported.
  [[nodiscard]] std::string parameter(const char* name) const;

  /// Connects and waits; honours connect_timeout per attempt. Cause kOtherServer: what answers is not the
  /// server that the configuration pins.
  [[nodiscard]] static std::variant<Connection, Error> open(const core::ConnectionConfig& config, Kind kind,
                                                            Waiter& waiter);

  /// Sends one query and waits for its result, at most `timeout` (kInterrupted or kTimeout otherwise;
  /// the connection is then unusable and must be dropped). On a replication connection params must be empty.
  [[nodiscard]] std::variant<Result, Error> execute(const std::string& query, const Params& params,
                                                    Waiter& waiter, std::chrono::milliseconds timeout,
                                                    Stage stage = Stage::kQuery);
  struct Statement {
    std::string text;
    Params params;
  };
  /// Sends all statements in one go and waits for all answers: one round trip, results in their order. What
  /// follows the first error is not run; a transaction that the batch began is then open and failed. As for
  /// execute(), kInterrupted and kTimeout leave the connection unusable.
  [[nodiscard]] std::variant<std::vector<Result>, Error> execute_batch(std::span<const Statement> statements,
                                                                       Waiter& waiter,
                                                                       std::chrono::milliseconds timeout);
  /// Sends COPY ... TO STDOUT and hands on the data of each row, with its newline in text format.
  [[nodiscard]] std::optional<Error> copy_out(const std::string& query, Waiter& waiter,
                                              std::chrono::milliseconds silence_max,
                                              const std::function<void(std::string_view)>& use);
  /// The same for a COPY that was sent. `silence_max` is for the time between two pieces of the answer.
  [[nodiscard]] std::optional<Error> receive_copy(Waiter& waiter, std::chrono::milliseconds silence_max,
                                                  const std::function<void(std::string_view)>& use);
  /// Asks the server to cancel what this session runs; blocks for a new connection to the same address. For
  /// commands that go on when their client is gone, such as the creation of a slot.
  void cancel() noexcept;

  // Asynchronous use, by SqlClient and the stream.
  [[nodiscard]] bool send(const std::string& query, const Params& params);
  /// Writes what is buffered; true when nothing is left to write (also when the connection broke: see
  /// broken()).
  [[nodiscard]] bool flush();
  /// Reads what the socket has, as much as one buffer of libpq takes. False: the connection broke; what was
  /// received before can still be read.
  [[nodiscard]] bool consume_input();
  /// Takes what was read apart, also what a session that waits for no answer is told.
  [[nodiscard]] bool busy() const;
  /// Next result of the query in flight, null when it is complete. Only when not busy().
  [[nodiscard]] Result next_result();

  struct WouldBlock {};
  struct EndOfCopy {};
  /// Next row of COPY TO STDOUT, with its newline in text format, after a result that starts_copy(). It stays
  /// valid until the next call. WouldBlock: more is to come; EndOfCopy: the next result tells how it ended.
  using CopyRow = std::variant<std::string_view, WouldBlock, EndOfCopy>;
  [[nodiscard]] CopyRow next_copy_row();
  /// How far the answer to a query with a COPY has come.
  struct CopyAnswer {
    bool copying = false;
    std::optional<Error> failed;
  };
  /// Hands on what is there of it without waiting; true: it is complete.
  [[nodiscard]] bool take_copied(CopyAnswer& answer, const std::function<void(std::string_view)>& use);

  // CopyBoth. The buffer stays valid until the next call. EndOfCopy: the server ended the stream in good
  // order, which is what a fast shutdown does, or it answered end_copy().
  struct CopyData {
    std::span<const std::byte> bytes;
  };
  using CopyRead = std::variant<CopyData, WouldBlock, EndOfCopy, Error>;
  [[nodiscard]] CopyRead read_copy();
  /// Never waits: what the socket does not take is written by flush(). False: the connection broke.
  [[nodiscard]] bool write_copy(std::span<const char> bytes);
  /// Says that nothing more comes from us; read_copy() then runs to EndOfCopy. False: the connection broke.
  [[nodiscard]] bool end_copy();

  [[nodiscard]] std::string quote_literal(std::string_view text) const;

 private:
  struct State;
  [[nodiscard]] CopyRead end_of_copy();
  /// Waits until the server may have said more (or takes more, unless all is `written`), and reads it; an
  /// error when the wait ended otherwise.
  [[nodiscard]] std::optional<Error> await_input(bool written, Waiter& waiter, Instant deadline,
                                                 std::chrono::milliseconds timeout);
  std::unique_ptr<State> state_;
};

/// When the server's postmaster started, in the server's words; as it tells servers apart, the standbys of
/// one primary too, which share everything else. The same statement lifts the session's transaction_timeout.
[[nodiscard]] std::variant<std::string, Error> server_started(Connection& connection, Waiter& waiter);
/// The statement behind it.
[[nodiscard]] std::string server_started_query();
/// Two connections that belong together do not lead to the same server.
[[nodiscard]] Error other_server();

/// Rows of COPY TO STDOUT follow it.
[[nodiscard]] bool starts_copy(const pg_result& result);

/// Error of a result, nullopt when it is one of success (tuples, command, copy-both, single tuple).
[[nodiscard]] std::optional<Error> result_error(const pg_result& result, Stage stage);

}  // namespace dupwatch::postgres
