#include "daemon/postgres/sql_client.hpp"

#include <poll.h>

#include <memory>
#include <utility>

namespace dupwatch::postgres {
namespace {

constexpr int kReadsMax = 8;

Instant after(Instant now, std::chrono::milliseconds timeout) {
  return timeout.count() == 0 ? Instant::max() : now + timeout;
}

}  // namespace

SqlClient::SqlClient(core::ConnectionConfig config, std::uint64_t seed)
    : config_(std::move(config)), backoff_(config_.backoff_min, config_.backoff_max, seed) {}

bool SqlClient::submit(Query query) {
  if (queue_.size() >= kQueueMax) return false;
  queue_.push_back(std::move(query));
  return true;
}

std::size_t SqlClient::waiting() const noexcept {
  return queue_.size();
}

int SqlClient::socket() const noexcept {
  return connection_ ? connection_->socket() : -1;
}

short SqlClient::events() const noexcept {
  return events_;
}

Instant SqlClient::deadline() const noexcept {
  if (connected_ && !in_flight_) return queue_.empty() ? Instant::max() : Instant{};
  if (connection_) return deadline_;
  return queue_.empty() ? Instant::max() : retry_at_;
}

const std::optional<Error>& SqlClient::trouble() const noexcept {
  return trouble_;
}

std::optional<Error> SqlClient::take_farewell() noexcept {
  return std::exchange(farewell_, std::nullopt);
}

void SqlClient::turn(Instant now, bool readable) {
  if (!connection_) {
    if (queue_.empty() || now < retry_at_) return;
    connect(now);
  }
  if (!connected_) advance(now);
  if (connected_) work(now, readable);
}

void SqlClient::renew(core::ServerPin server, Instant now) {
  config_.server = std::move(server);
  farewell_.reset();
  if (!connection_) return;
  drop(now, {Fault::kTransient, Cause::kRenewed, "", "the connection was renewed with the stream", ""},
       EndedBy::kUs);
  retry_at_ = now;
  trouble_.reset();
}

void SqlClient::connect(Instant now) {
  connection_.emplace(config_, Connection::Kind::kSql);
  attempt_ = connection_->attempt();
  deadline_ = after(now, connection_->host_timeout());
}

void SqlClient::advance(Instant now) {
  if (now >= deadline_ && !connection_->next_host()) {
    drop(now, connection_->error(Stage::kConnect), EndedBy::kUs);
    return;
  }
  switch (connection_->advance()) {
    case Connection::Progress::kWantRead:
      events_ = POLLIN;
      break;
    case Connection::Progress::kWantWrite:
      events_ = POLLOUT;
      break;
    case Connection::Progress::kFailed:
      drop(now, connection_->error(Stage::kConnect), EndedBy::kServer);
      return;
    case Connection::Progress::kReady:
      connected_ = true;
      if (config_.server.started.empty()) {
        trouble_.reset();
        backoff_.reset();
      } else {
        check_server();
      }
      return;
  }
  if (connection_->attempt() != attempt_) {
    attempt_ = connection_->attempt();
    deadline_ = after(now, connection_->host_timeout());
  }
}

/// Goes before the queries that wait: none of them may be answered by another server.
void SqlClient::check_server() {
  auto same = std::make_shared<bool>(false);
  queue_.push_front(
      {.text = server_started_query(),
       .params = {},
       .on_row = [this, same](const pg_result& result,
                              int row) { *same = cell(result, row, 0) == config_.server.started; },
       .on_done =
           [this, same](const std::optional<Error>& error) {
             wrong_server_ = !error && !*same;
             if (error || wrong_server_) return;
             trouble_.reset();
             backoff_.reset();
           }});
}

void SqlClient::work(Instant now, bool readable) {
  if (!in_flight_ && !queue_.empty()) send_next(now);
  if (!connection_ || (!in_flight_ && !readable)) return;
  static_cast<void>(connection_->flush());
  const bool alive = connection_->consume_input();
  if (!in_flight_) static_cast<void>(connection_->busy());
  bool heard = false;
  // What arrived before a break still counts: the query may have been answered in full.
  while (in_flight_ && connection_ && (copying_ || !connection_->busy())) {
    if (copying_) {
      if (!hand_on_copied(heard)) break;
      continue;
    }
    const auto result = connection_->next_result();
    heard = true;
    if (!result) {
      finish(std::exchange(failed_, std::nullopt));
      if (wrong_server_) {
        drop(now, other_server(), EndedBy::kUs);
        return;
      }
      if (alive && !queue_.empty()) send_next(now);
      continue;
    }
    if (auto error = result_error(*result, Stage::kQuery)) {
      if (says_goodbye(*error)) farewell_ = error;
      if (!failed_) failed_ = std::move(error);
      continue;
    }
    const auto& query = queue_.front();
    copying_ = starts_copy(*result);
    if (copying_ || !query.on_row) continue;
    for (int row = 0; row < row_count(*result); ++row) query.on_row(*result, row);
  }
  if (!connection_) return;
  if (!alive || connection_->broken()) {
    drop(now, connection_->error(Stage::kQuery), EndedBy::kServer);
    return;
  }
  events_ = static_cast<short>(connection_->flush() ? POLLIN : POLLIN | POLLOUT);
  if (!in_flight_) return;
  if (heard) deadline_ = after(now, queue_.front().silence_max);
  if (now >= deadline_) {
    drop(now,
         {Fault::kTransient, Cause::kTimeout, "", "no answer from the server to a query",
          "dupwatch reconnects."},
         EndedBy::kUs);
  }
}

/// False: more is to come.
bool SqlClient::hand_on_copied(bool& heard) {
  const auto& query = queue_.front();
  for (int reads = 0;;) {
    const auto read = connection_->next_copy_row();
    if (const auto* row = std::get_if<std::string_view>(&read)) {
      heard = true;
      if (query.on_copied) query.on_copied(*row);
      continue;
    }
    copying_ = std::holds_alternative<Connection::WouldBlock>(read);
    if (!copying_) return true;
    // Each read takes a buffer of libpq; the stream waits meanwhile.
    if (++reads == kReadsMax || !connection_->consume_input()) return false;
  }
}

void SqlClient::send_next(Instant now) {
  const auto& query = queue_.front();
  if (!connection_->send(query.text, query.params)) {
    drop(now, connection_->error(Stage::kQuery), EndedBy::kServer);
    return;
  }
  in_flight_ = true;
  deadline_ = after(now, query.silence_max);
  static_cast<void>(connection_->flush());
}

/// Ends the connection. A query in flight fails with it; one that was only waiting is sent on the next
/// connection.
void SqlClient::drop(Instant now, Error error, EndedBy ended_by) {
  // A session that is refused or ended for another reason, such as idle_session_timeout, says nothing of the
  // others; one that ends without a word may have had no chance to say it.
  const bool silent = connected_ && error.sqlstate.empty();
  if (ended_by == EndedBy::kServer && !farewell_ && (silent || says_goodbye(error))) farewell_ = error;
  const bool was_idle = connected_ && !in_flight_ && !std::exchange(wrong_server_, false);
  connection_.reset();
  connected_ = false;
  events_ = 0;
  deadline_ = Instant::max();
  // An idle session that a server or firewall ends is no trouble: the next query connects at once.
  retry_at_ = was_idle ? now : now + backoff_.next();
  if (!was_idle) trouble_ = error;
  if (!in_flight_) return;
  // The server's own reason comes first ("terminated"), the closed socket after it.
  auto reason = std::exchange(failed_, std::nullopt);
  finish(reason ? std::move(reason) : std::optional{std::move(error)});
}

/// Takes the query out before its callback runs, so that the callback may submit the next one.
void SqlClient::finish(std::optional<Error> error) {
  in_flight_ = false;
  copying_ = false;
  deadline_ = Instant::max();
  const auto query = std::move(queue_.front());
  queue_.pop_front();
  if (query.on_done) query.on_done(std::move(error));
}

}  // namespace dupwatch::postgres
