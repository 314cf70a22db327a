#include "daemon/table/page_scan.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <chrono>
#include <vector>

#include "daemon/postgres/filter_queries.hpp"
#include "daemon/process/clock.hpp"

namespace dupwatch::table {
namespace {

using postgres::Connection;
using postgres::Error;

// A server that is silent for so long is in trouble; its own statement_timeout speaks first.
constexpr std::chrono::minutes kPageSilence{10};

/// One descriptor that is readable when any of several sockets is.
class Sockets {
 public:
  explicit Sockets(std::span<Connection* const> sessions) : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    for (const auto* session : sessions) {
      epoll_event event{.events = EPOLLIN, .data = {}};
      (void)epoll_ctl(fd_, EPOLL_CTL_ADD, session->socket(), &event);
    }
  }
  ~Sockets() { close(fd_); }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

Error silent() {
  return {.fault = postgres::Fault::kTransient,
          .cause = postgres::Cause::kTimeout,
          .sqlstate = {},
          .message = "no answer from the server within ten minutes",
          .remedy = {}};
}

Error interrupted() {
  return {.fault = postgres::Fault::kTransient,
          .cause = postgres::Cause::kInterrupted,
          .sqlstate = {},
          .message = "interrupted",
          .remedy = {}};
}

}  // namespace

struct PageScan::Session {
  Connection* sql = nullptr;
  Connection::CopyAnswer answer;
  bool reads = false;
};

/// False: there is no further piece.
bool PageScan::begin(Session& session) {
  if (stopped_ || next_ > pages_) return false;
  const auto end = next_ + kPiecePages;
  // The last piece has no end.
  const auto until = end <= pages_ ? std::optional(end) : std::nullopt;
  // What goes wrong here is told where the answer is read. So short a text always fits into the socket.
  (void)session.sql->send(postgres::pages_copy(profile_, specs_, next_, until), {});
  (void)session.sql->flush();
  next_ = end;
  session.answer = {};
  session.reads = true;
  return true;
}

std::optional<Error> PageScan::read(std::span<Connection* const> sessions, postgres::Waiter& waiter,
                                    const std::function<void(std::string_view)>& row,
                                    const std::function<bool()>& piece) {
  const Sockets sockets(sessions);
  std::vector<Session> reading;
  for (auto* sql : sessions) reading.push_back({.sql = sql, .answer = {}, .reads = false});
  for (;;) {
    bool waits = false;
    for (auto& session : reading) {
      if (!session.reads && !begin(session)) continue;
      (void)session.sql->consume_input();
      if (session.sql->take_copied(session.answer, row)) {
        session.reads = false;
        stopped_ = !piece() || stopped_;
        if (session.answer.failed) return std::move(session.answer.failed);
        session.reads = begin(session);
      } else if (session.sql->broken()) {
        return session.answer.failed ? std::move(session.answer.failed)
                                     : session.sql->error(postgres::Stage::kQuery);
      }
      waits = waits || session.reads;
    }
    if (!waits) return std::nullopt;
    switch (waiter.wait(sockets.fd(), POLLIN, process::steady_now() + kPageSilence)) {
      case postgres::Waiter::Outcome::kReady:
        break;
      case postgres::Waiter::Outcome::kInterrupted:
        return interrupted();
      case postgres::Waiter::Outcome::kTimeout:
        return silent();
    }
  }
}

}  // namespace dupwatch::table
