#pragma once

#include <libpq-fe.h>

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "answering_libpq.hpp"

/// What stands behind the PQ* functions and the server that a test sets up.
struct pg_result {
  ExecStatusType status = PGRES_TUPLES_OK;
  std::string sqlstate{};
  std::string message{};
  std::vector<dupwatch::answering::Row> rows{};
};

struct pg_conn {
  bool resolver = false;
  bool pipeline = false;
  bool in_transaction = false;
  bool failed = false;
  std::string error{};
  ConnStatusType status = CONNECTION_STARTED;
  std::array<int, 2> sockets{-1, -1};
  // A null result ends the answer to a statement.
  std::deque<std::unique_ptr<pg_result>> results{};
  std::deque<std::string> copied{};
  // Of a stream; what ends it comes when all of it was read.
  bool streaming = false;
  std::optional<dupwatch::answering::Answer> stream_end{};
  // The last words of a server that ended the session.
  std::optional<dupwatch::answering::Answer> farewell{};
  std::vector<dupwatch::answering::Statement> sent{};
};

struct pg_cancel {};

namespace dupwatch::answering {

struct Rule {
  std::string part;
  std::function<Answer(const Statement&)> answer;
};

struct State {
  std::vector<Rule> rules;
  std::map<std::size_t, Answer> failures;
  std::string refusal;
  int version = 150018;
  std::map<std::string, std::string> parameters;
  std::string hosts;
  std::vector<Statement> asked;
  std::vector<std::string> updates;
  std::size_t sessions = 0;
  std::set<pg_conn*> open;
  // What libpq has handed out and not got back.
  int connections = 0;
  int results = 0;
  int buffers = 0;
};

/// For all below; code under test may have threads of its own.
[[nodiscard]] std::mutex& mutex();
[[nodiscard]] State& state();
/// Lets the session's server work on a statement; true: it went well.
bool run(pg_conn& conn, const Statement& statement);
/// The session's socket becomes readable.
void wake(const pg_conn& conn);
/// A message of the stream, where it is one.
void send(pg_conn& conn, const std::string& message);
/// The server's last words to the session.
void say_farewell(pg_conn& conn, const Answer& words);

}  // namespace dupwatch::answering
