#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/postgres/sql_client.hpp"
#include "scripted_libpq.hpp"

/// The steps of a query client's turns, and what became of its queries.
namespace dupwatch::scripted::sql_client_steps {

using namespace std::chrono_literals;
using postgres::Cause;
using postgres::Error;
using postgres::Instant;
using postgres::SqlClient;

inline const Instant kStart = Instant{} + 1h;

inline core::ConnectionConfig config() {
  core::ConnectionConfig connection;
  connection.dsn = "host=db.example";
  connection.backoff_min = 100ms;
  connection.backoff_max = 1s;
  return connection;
}

/// Outcomes of queries, in order: "ok" or the cause.
struct Log {
  std::vector<std::string> rows;
  std::vector<std::string> done;

  SqlClient::Query query(std::string text) {
    SqlClient::Query query;
    query.text = std::move(text);
    query.on_row = [this](const pg_result& result, int row) {
      rows.emplace_back(*postgres::cell(result, row, 0));
    };
    query.on_done = [this](std::optional<Error> error) {
      done.push_back(error ? std::string(to_string(error->cause)) : "ok");
    };
    return query;
  }
  SqlClient::Query copy(std::string text) {
    auto query = this->query(std::move(text));
    query.on_row = nullptr;
    query.on_copied = [this](std::string_view row) { rows.emplace_back(row); };
    return query;
  }
};

inline void send(Script& script) {
  script.then({.function = "PQsendQuery", .returns = 1});
  script.then({.function = "PQflush"});
}

/// A turn of a connected client up to where results are looked for.
inline void read(Script& script, bool alive = true) {
  script.then({.function = "PQflush"});
  script.then({.function = "PQconsumeInput",
               .returns = alive ? 1 : 0,
               .error = alive ? "" : "server closed the connection unexpectedly\n",
               .breaks = !alive});
}

/// The end of a turn: nothing more to read.
inline void wait(Script& script) {
  script.then({.function = "PQisBusy", .returns = 1}).then({.function = "PQflush"});
}

}  // namespace dupwatch::scripted::sql_client_steps
