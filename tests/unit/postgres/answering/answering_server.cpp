#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "answering_state.hpp"

namespace dupwatch::answering {
namespace {

std::string first_word(const std::string& text) {
  return text.substr(0, text.find_first_of(" ;"));
}

bool ends_transaction(const Statement& statement) {
  return statement.text == "COMMIT" || statement.text == "ROLLBACK";
}

/// Statements that are the same for every caller.
std::optional<Answer> own_answer(const Statement& statement) {
  const auto word = first_word(statement.text);
  if (word == "BEGIN" || word == "LOCK" || word == "SET" || ends_transaction(statement)) return Answer{};
  if (statement.text.starts_with("SELECT set_config(")) return value("");
  return std::nullopt;
}

Answer answer_to(const Statement& statement) {
  const auto number = state().asked.size();
  state().asked.push_back(statement);
  if (const auto failure = state().failures.find(number); failure != state().failures.end())
    return failure->second;
  const auto& rules = state().rules;
  const auto rule = std::find_if(rules.rbegin(), rules.rend(), [&](const Rule& each) {
    return statement.text.find(each.part) != std::string::npos;
  });
  if (rule != rules.rend()) return rule->answer(statement);
  if (auto own = own_answer(statement)) return *std::move(own);
  ADD_FAILURE() << "no answer to: " << statement.text;
  return failure("XX000", "the test has no answer to this statement");
}

}  // namespace

std::mutex& mutex() {
  static std::mutex instance;
  return instance;
}

State& state() {
  static State instance;
  return instance;
}

bool run(pg_conn& conn, const Statement& statement) {
  const auto push = [&](pg_result result) {
    conn.results.push_back(std::make_unique<pg_result>(std::move(result)));
  };
  if (conn.farewell) {
    say_farewell(conn, *std::exchange(conn.farewell, std::nullopt));
    return false;
  }
  if (conn.failed && !ends_transaction(statement)) {
    push({PGRES_FATAL_ERROR, "25P02", "current transaction is aborted", {}});
    return false;
  }
  auto answer = answer_to(statement);
  const bool fails = answer.ends_session || !answer.sqlstate.empty();
  if (fails) {
    conn.failed = conn.in_transaction || conn.pipeline;
    push({PGRES_FATAL_ERROR, answer.sqlstate, answer.message, {}});
  } else if (answer.streams) {
    conn.streaming = true;
    push({PGRES_COPY_BOTH, {}, {}, {}});
    if (answer.copied) conn.copied.assign(answer.copied->begin(), answer.copied->end());
    wake(conn);
  } else if (answer.copied) {
    push({PGRES_COPY_OUT, {}, {}, {}});
    conn.copied.insert(conn.copied.end(), answer.copied->begin(), answer.copied->end());
    push({PGRES_COMMAND_OK, {}, {}, {}});
  } else {
    push({PGRES_TUPLES_OK, {}, {}, std::move(answer.rows)});
  }
  if (first_word(statement.text) == "BEGIN") conn.in_transaction = !fails;
  if (ends_transaction(statement)) conn.in_transaction = conn.failed = false;
  if (answer.ends_session) {
    conn.status = CONNECTION_BAD;
    conn.error = answer.message + "\n";
  }
  return !fails;
}

void wake(const pg_conn& conn) {
  // Where it is full, it is readable.
  if (write(conn.sockets[1], "", 1) < 0) return;
}

void send(pg_conn& conn, const std::string& message) {
  if (!conn.streaming) return;
  conn.copied.push_back(message);
  wake(conn);
}

void say_farewell(pg_conn& conn, const Answer& words) {
  if (!words.sqlstate.empty()) {
    conn.results.push_back(std::make_unique<pg_result>(
        pg_result{.status = PGRES_FATAL_ERROR, .sqlstate = words.sqlstate, .message = words.message}));
  }
  conn.status = CONNECTION_BAD;
  conn.error = words.message + "\n";
}

Answer rows(std::vector<Row> rows) {
  return {.rows = std::move(rows)};
}
Answer value(std::optional<std::string> text) {
  return rows({{std::move(text)}});
}
Answer copied(std::vector<std::string> lines) {
  return {.copied = std::move(lines)};
}
Answer failure(std::string sqlstate, std::string message) {
  return {.sqlstate = std::move(sqlstate), .message = std::move(message)};
}
Answer ended(std::string sqlstate, std::string message) {
  return {.sqlstate = std::move(sqlstate), .message = std::move(message), .ends_session = true};
}

Server::Server() {
  const std::lock_guard lock(mutex());
  state() = State{};
}

Server::~Server() {
  const std::lock_guard lock(mutex());
  EXPECT_EQ(state().connections, 0) << "PQfinish is missing";
  EXPECT_EQ(state().results, 0) << "PQclear is missing";
  EXPECT_EQ(state().buffers, 0) << "PQfreemem is missing";
}

Server& Server::answers(std::string part, Answer answer) {
  return answers(std::move(part), [answer = std::move(answer)](const Statement&) { return answer; });
}

Server& Server::answers(std::string part, std::function<Answer(const Statement&)> answer) {
  const std::lock_guard lock(mutex());
  state().rules.push_back({std::move(part), std::move(answer)});
  return *this;
}

Server& Server::fails_at(std::size_t number, Answer answer) {
  const std::lock_guard lock(mutex());
  state().failures[number] = std::move(answer);
  return *this;
}

Server& Server::has_hosts(std::string names) {
  const std::lock_guard lock(mutex());
  state().hosts = std::move(names);
  return *this;
}

Server& Server::refuses(std::string message) {
  const std::lock_guard lock(mutex());
  state().refusal = std::move(message);
  return *this;
}

Server& Server::version(int number) {
  const std::lock_guard lock(mutex());
  state().version = number;
  return *this;
}

Server& Server::parameter(const std::string& name, std::string value) {
  const std::lock_guard lock(mutex());
  state().parameters[name] = std::move(value);
  return *this;
}

void Server::stream(const std::string& message) {
  const std::lock_guard lock(mutex());
  for (auto* conn : state().open) send(*conn, message);
}

void Server::end_stream(Answer with) {
  const std::lock_guard lock(mutex());
  for (auto* conn : state().open) {
    if (!conn->streaming) continue;
    conn->stream_end = with;
    wake(*conn);
  }
}

void Server::end_sessions(const Answer& with) {
  const std::lock_guard lock(mutex());
  for (auto* conn : state().open) {
    if (conn->streaming) continue;
    conn->farewell = with;
    wake(*conn);
  }
}

std::vector<std::string> Server::updates() const {
  const std::lock_guard lock(mutex());
  return state().updates;
}

std::vector<Statement> Server::asked() const {
  const std::lock_guard lock(mutex());
  return state().asked;
}

std::vector<Statement> Server::asked(std::string_view part) const {
  auto all = asked();
  std::erase_if(all,
                [&](const Statement& statement) { return statement.text.find(part) == std::string::npos; });
  return all;
}

std::vector<std::string> Server::transactions() const {
  std::vector<std::string> out;
  for (const auto& statement : asked()) {
    if (first_word(statement.text) == "BEGIN" || ends_transaction(statement))
      out.push_back(first_word(statement.text));
  }
  return out;
}

std::size_t Server::sessions() const {
  const std::lock_guard lock(mutex());
  return state().sessions;
}

postgres::Connection connect(postgres::Waiter& waiter) {
  core::ConnectionConfig config;
  config.dsn = "host=db.example";
  auto opened = postgres::Connection::open(config, postgres::Connection::Kind::kSql, waiter);
  if (const auto* error = std::get_if<postgres::Error>(&opened)) {
    ADD_FAILURE() << error->message;
    std::abort();
  }
  return std::get<postgres::Connection>(std::move(opened));
}

}  // namespace dupwatch::answering
