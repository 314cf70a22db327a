#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/backoff.hpp"
#include "daemon/postgres/connection.hpp"

namespace dupwatch::postgres {

/// An asynchronous SQL connection for the poll loop: one query in flight, the others wait in order. Connects
/// on first use, reconnects with backoff. What may have many rows is asked for by COPY: they are handed on as
/// they arrive and cost no memory. Owned and called by one thread.
class SqlClient {
 public:
  struct Query {
    std::string text;
    Connection::Params params;
    /// Called per row; columns by position, text format.
    std::function<void(const pg_result& result, int row)> on_row;
    /// Called per row of a COPY TO STDOUT, with its newline; the view lives as long as the call.
    std::function<void(std::string_view row)> on_copied{};
    /// Called once, after the last row or with the error. A query that fails is not retried here: who
    /// submitted it knows whether its rows may be seen twice.
    std::function<void(std::optional<Error> error)> on_done;
    /// A server that sends nothing for so long is given up (kTimeout): a hung server keeps its socket
    /// open. Well above the session's statement_timeout, which ends a slow query in better order.
    std::chrono::milliseconds silence_max{60'000};
  };
  /// At most this many queries wait; submit() then returns false.
  static constexpr std::size_t kQueueMax = 64;

  SqlClient(core::ConnectionConfig config, std::uint64_t seed);

  [[nodiscard]] bool submit(Query query);
  [[nodiscard]] std::size_t waiting() const noexcept;

  /// Gives the connection up and uses a new one, to `server`, from the next query on: after a failover the
  /// old one may lead to a server that is not the primary any more. A query in flight fails.
  void renew(core::ServerPin server, Instant now);

  /// May change with every turn(). For poll(2); -1 when there is nothing to wait for but the deadline.
  [[nodiscard]] int socket() const noexcept;
  [[nodiscard]] short events() const noexcept;
  /// When turn() wants to be called even though the socket is silent (reconnect, connect timeout); max() =
  /// never.
  [[nodiscard]] Instant deadline() const noexcept;
  /// Does all that can be done without waiting. Callbacks run inside. `readable`: poll(2) may have found
  /// something at socket(); without it a session that waits for nothing is left alone, which saves a look at
  /// its socket.
  void turn(Instant now, bool readable = true);
  /// Last connection error, for status and log; cleared by a successful connection. Attempts go on whatever
  /// its fault: queries stay queued, and only a query that was in flight fails.
  [[nodiscard]] const std::optional<Error>& trouble() const noexcept;
  /// That the server ended a session that stood, idle or not, by a shutdown or without a word, or admits none
  /// because it goes down (57P03); once. Its other sessions are at their end as well then, or may be: a
  /// server that shuts down ends those with queries first.
  [[nodiscard]] std::optional<Error> take_farewell() noexcept;

 private:
  void connect(Instant now);
  void advance(Instant now);
  void work(Instant now, bool readable);
  [[nodiscard]] bool hand_on_copied(bool& heard);
  void send_next(Instant now);
  enum class EndedBy : std::uint8_t { kUs, kServer };
  void drop(Instant now, Error error, EndedBy ended_by);
  void check_server();
  void finish(std::optional<Error> error);

  core::ConnectionConfig config_;
  core::Backoff backoff_;
  std::optional<Connection> connection_;
  bool connected_ = false;
  bool in_flight_ = false;
  bool copying_ = false;  ///< rows of a COPY come
  /// The server has told that it is not the one the queries are for.
  bool wrong_server_ = false;
  std::optional<Error> failed_;
  std::optional<Error> trouble_;
  std::optional<Error> farewell_;
  short events_ = 0;
  Instant retry_at_{};
  /// Of the present host while connecting, of the answer while a query is in flight.
  Instant deadline_ = Instant::max();
  std::uint32_t attempt_ = 0;
  std::deque<Query> queue_;
};

}  // namespace dupwatch::postgres
