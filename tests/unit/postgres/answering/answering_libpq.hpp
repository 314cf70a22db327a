#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/postgres/connection.hpp"

/// A libpq whose server answers a statement by what it contains, for code that asks many questions and is to
/// be held against the answers, the errors and the order. answering_libpq.cpp defines the PQ* functions that
/// dupwatch uses, and a definition in the program wins over the one in libpq.so, so the production code runs
/// unchanged. Its twin in scripted/ plays call by call, for the code that drives libpq.
namespace dupwatch::answering {

/// As the client sent it; nullopt is NULL.
struct Statement {
  std::string text;
  std::vector<std::optional<std::string>> params;
};

using Row = std::vector<std::optional<std::string>>;

struct Answer {
  std::vector<Row> rows{};
  /// Not empty: the statement fails.
  std::string sqlstate{};
  std::string message{};
  /// Data of COPY TO STDOUT, each with its newline.
  std::optional<std::vector<std::string>> copied{};
  /// The session is gone with it; without an SQLSTATE it broke.
  bool ends_session = false;
  /// The session streams from here on, as after START_REPLICATION.
  bool streams = false;
};
[[nodiscard]] Answer rows(std::vector<Row> rows);
/// One row of one column.
[[nodiscard]] Answer value(std::optional<std::string> text);
[[nodiscard]] Answer copied(std::vector<std::string> lines);
[[nodiscard]] Answer failure(std::string sqlstate, std::string message);
/// As of a server that goes down, or of somebody's pg_terminate_backend().
[[nodiscard]] Answer ended(std::string sqlstate, std::string message);

/// The server of the whole program; one at a time. Statements of a transaction that failed are refused until
/// it ends, as Postgres does. From any thread.
class Server {
 public:
  Server();
  /// Fails the test when something that libpq handed out was not given back.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// What a statement that contains `part` gets; of several that fit the newest. A statement that none fits
  /// fails the test, but for those that begin and end transactions.
  Server& answers(std::string part, Answer answer);
  Server& answers(std::string part, std::function<Answer(const Statement&)> answer);
  /// The statement with this number, counted from 0 over all sessions, fails whatever it is.
  Server& fails_at(std::size_t number, Answer answer);
  /// The hosts that each DSN names, as libpq resolves it; none unless told.
  Server& has_hosts(std::string names);
  /// No session is to be had until it refuses with an empty message.
  Server& refuses(std::string message);
  /// As PQserverVersion gives it; 150018 unless another is wanted.
  Server& version(int number);
  /// What the server reports of itself to each new session.
  Server& parameter(const std::string& name, std::string value);

  /// Sends a message of CopyData to the session that streams; it is lost where none does.
  void stream(const std::string& message);
  /// The stream is over: CopyDone, or an error and with it the session.
  void end_stream(Answer with = {});
  /// Every session but one that streams ends, at its next statement or look at its socket: so a server goes
  /// down.
  void end_sessions(const Answer& with);
  /// What the client sent into the stream.
  [[nodiscard]] std::vector<std::string> updates() const;

  /// All statements so far.
  [[nodiscard]] std::vector<Statement> asked() const;
  /// Those that contain `part`.
  [[nodiscard]] std::vector<Statement> asked(std::string_view part) const;
  /// The first words of all statements, for those that begin and end transactions: "BEGIN", "COMMIT".
  [[nodiscard]] std::vector<std::string> transactions() const;
  [[nodiscard]] std::size_t sessions() const;
};

/// Waits for nothing: every answer is there at once.
class NoWaiter final : public postgres::Waiter {
 public:
  /// Of each wait from now on.
  Outcome outcome = Outcome::kReady;
  std::size_t waits = 0;
  Outcome wait(int, short, postgres::Instant) override {
    ++waits;
    return outcome;
  }
};

/// A session with the server.
[[nodiscard]] postgres::Connection connect(postgres::Waiter& waiter);

}  // namespace dupwatch::answering
